// Work in the mount namespace of another process.
#pragma once

#include <functional>

#include "base/result.h"

namespace base {

// Calls `work` on a thread of its own that has entered the mount namespace of the process behind
// the pidfd, with that namespace's root as its own root and working directory, and gives what it
// returns. The descriptors are this process's, in both directions. The caller stands still
// meanwhile: the work is to be a few system calls. Needs root, and Linux 5.8.
//
// kClosed: the process has ended, and nothing was called.
Status run_in_mount_namespace(int pidfd, const std::function<Status()>& work);

}  // namespace base
