// Work in the mount namespace of another process.
#pragma once

#include <chrono>

#include "base/bounded_work.h"
#include "base/result.h"

namespace base {

// run_bounded() on a thread that has entered the mount namespace of the process behind the pidfd,
// with that namespace's root as its own root and working directory. Whoever may mount there decides
// how long a path takes, hence the bound. What is given up keeps the namespace, with all that is
// mounted in it, until it ends: if it hangs in a file system whose server is killed, that is at
// once. Needs root, and Linux 5.9.
//
// kClosed: the process has ended, and nothing was called.
Status run_in_mount_namespace(int pidfd, BoundedWork work, std::chrono::nanoseconds patience);

}  // namespace base
