#include "base/clone.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "base/raw_syscall.h"

namespace base {

namespace {

constexpr size_t kStackSize = 128 * 1024;

thread_local char* stacks[kCloneStacks] = {};

// All at once, in the outermost caller: the children find them made.
bool have_stacks() {
  for (char*& stack : stacks) {
    if (stack != nullptr) continue;
    void* memory = mmap(nullptr, kStackSize, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return false;
    stack = static_cast<char*>(memory);
  }
  return true;
}

}  // namespace

__attribute__((no_sanitize("address", "undefined"))) int clone_vfork(const CloneRequest& request,
                                                                     Cloned* cloned) {
  if (!have_stacks()) return -ENOMEM;

  clone_args arguments{};
  arguments.flags = request.flags | CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  arguments.pidfd = reinterpret_cast<uint64_t>(&cloned->pidfd);
  // With CLONE_PARENT the new process inherits the signal of its sibling, and must name none.
  arguments.exit_signal = request.flags & CLONE_PARENT ? 0 : SIGCHLD;
  arguments.stack = reinterpret_cast<uint64_t>(stacks[request.stack]);
  arguments.stack_size = kStackSize;

  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  const long result = raw_clone3(&arguments, request.run, request.argument);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  if (result < 0) {
    // The kernel may have written a number that it has then taken back.
    cloned->pidfd = -1;
    return static_cast<int>(result);
  }
  cloned->pid = static_cast<pid_t>(result);
  return 0;
}

}  // namespace base
