// Linked into every program of a sanitizer build.

// Freed memory is kept back for a while, to find its use; but less of it than by default (256 MB a
// process), or no test could tell whether a program's memory grows.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "quarantine_size_mb=8"; }
