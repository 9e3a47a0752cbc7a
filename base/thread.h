// Threads beside the loop's own.
#pragma once

#include <pthread.h>

#include <cstddef>

#include "base/result.h"

namespace base {

// Starts a thread that calls `run(argument)`, with all signals blocked: they are the loop's
// business. The caller joins or detaches it.
Result<pthread_t> start_thread(size_t stack_size, void* (*run)(void* argument), void* argument);

}  // namespace base
