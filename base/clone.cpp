#include "base/clone.h"

#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace base {

namespace {

constexpr size_t kStackSize = 128 * 1024;

thread_local char* stacks[kCloneStacks] = {};

// The system call and, in the child, the call of `run`: between the two the child has no stack of
// its own yet, so no compiled code may run.
__attribute__((noinline, no_sanitize("address", "undefined"))) long raw_clone3(
    clone_args* arguments, int (*run)(void*), void* argument) {
  long result;
#if defined(__x86_64__)
  register long number asm("rax") = SYS_clone3;
  register void* first asm("rdi") = arguments;
  register long second asm("rsi") = sizeof(clone_args);
  register void* function asm("r12") = reinterpret_cast<void*>(run);
  register void* passed asm("r13") = argument;
  asm volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xorl %%ebp, %%ebp\n\t"
      "movq %%r13, %%rdi\n\t"
      "callq *%%r12\n\t"
      "movl %%eax, %%edi\n\t"
      "movl %[exit], %%eax\n\t"
      "syscall\n\t"
      "1:"
      : "+r"(number)
      : "r"(first), "r"(second), "r"(function), "r"(passed), [exit] "i"(SYS_exit)
      : "rcx", "r11", "memory");
  result = number;
#elif defined(__aarch64__)
  register long number asm("x8") = SYS_clone3;
  register long first asm("x0") = reinterpret_cast<long>(arguments);
  register long second asm("x1") = sizeof(clone_args);
  register void* function asm("x19") = reinterpret_cast<void*>(run);
  register void* passed asm("x20") = argument;
  asm volatile(
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, #0\n\t"
      "mov x0, x20\n\t"
      "blr x19\n\t"
      "mov x8, %[exit]\n\t"
      "svc #0\n\t"
      "1:"
      : "+r"(first)
      : "r"(number), "r"(second), "r"(function), "r"(passed), [exit] "i"(SYS_exit)
      : "memory");
  result = first;
#else
#error "clone_vfork is written for x86_64 and aarch64"
#endif
  return result;
}

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
  if (result < 0) return static_cast<int>(result);
  cloned->pid = static_cast<pid_t>(result);
  return 0;
}

}  // namespace base
