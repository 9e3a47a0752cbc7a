#include "base/raw_syscall.h"

namespace base {

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
#endif
  return result;
}

}  // namespace base
