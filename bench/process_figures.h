// What processes cost while they run, from /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/samples.h"

namespace bench {

// The processes that were started as the program `name`, that is by the last component of argv[0].
// All that this pid namespace has: the bench lives in one of its own.
base::Result<std::vector<pid_t>> find_processes(std::string_view name);

// Proportional set size: private memory, and each shared page divided by its users.
base::Result<double> pss_kib(pid_t pid);

// The PSS of each process of a program, at least `expected` of which must be there.
base::Result<Samples> pss_of(std::string_view program, size_t expected);

// How many descriptors it has open.
base::Result<double> descriptor_count(pid_t pid);

// CPU time used so far by all threads.
base::Result<double> cpu_milliseconds(pid_t pid);

}  // namespace bench
