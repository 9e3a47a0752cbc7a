// clone3 in the manner of vfork: the child shares our memory, and we stand still until it executes
// a program or exits. Starting a process this way costs the same however much memory we use.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/fd.h"
#include "base/result.h"

namespace base {

inline constexpr int kCloneStacks = 3;

struct CloneRequest {
  // CLONE_NEW*, CLONE_PARENT, CLONE_FILES. Memory sharing, vfork, pidfd and reset signal handlers
  // are always on.
  uint64_t flags = 0;
  // What the child does; it may only make system calls and write to memory that the caller reads
  // afterwards, and ends by execve or by returning its exit code. It runs with all signals blocked.
  int (*run)(void* argument) = nullptr;
  void* argument = nullptr;
  // Which of the kCloneStacks stacks the child uses: a child that clones in turn gives its own
  // child another one.
  int stack = 0;
};

// The pid, as the caller's own namespace has it, and a pidfd (close-on-exec) in the caller's
// descriptor table. Works in a child that shares the caller's memory, so it allocates nothing;
// -errno on failure.
struct Cloned {
  pid_t pid = -1;
  int pidfd = -1;
};
int clone_vfork(const CloneRequest& request, Cloned* cloned);

}  // namespace base
