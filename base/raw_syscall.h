// System calls without the C library. For the launch helper, which is linked without one, and for
// children that share the memory of the process that made them (base/clone.h): errno there would be
// the parent's.
#pragma once

#include <linux/sched.h>
#include <sys/syscall.h>

#include <type_traits>

namespace base {

namespace internal {

template <typename T>
long as_word(T value) {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<long>(value);
  } else if constexpr (std::is_null_pointer_v<T>) {
    return 0;
  } else {
    return static_cast<long>(value);
  }
}

__attribute__((no_sanitize("address", "undefined"))) inline long syscall6(long number, long first,
                                                                          long second, long third,
                                                                          long fourth, long fifth,
                                                                          long sixth) {
#if defined(__x86_64__)
  long result;
  register long r10 asm("r10") = fourth;
  register long r8 asm("r8") = fifth;
  register long r9 asm("r9") = sixth;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(first), "S"(second), "d"(third), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = first;
  register long x1 asm("x1") = second;
  register long x2 asm("x2") = third;
  register long x3 asm("x3") = fourth;
  register long x4 asm("x4") = fifth;
  register long x5 asm("x5") = sixth;
  asm volatile("svc #0"
               : "+r"(x0)
               : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
               : "memory");
  return x0;
#else
#error "raw_syscall is written for x86_64 and aarch64"
#endif
}

}  // namespace internal

// The call's result; -errno if it failed.
template <typename... Words>
__attribute__((no_sanitize("address", "undefined"))) inline long raw_syscall(long number,
                                                                             Words... words) {
  static_assert(sizeof...(Words) <= 6);
  long all[6] = {internal::as_word(words)...};
  return internal::syscall6(number, all[0], all[1], all[2], all[3], all[4], all[5]);
}

// clone3 into a child that has a stack of its own: `run(argument)` is all that it does, and what
// that returns is its exit code. Between the system call and `run` the child has no frame to return
// to, so no compiled code can stand there. The child's pid; -errno if there is none.
long raw_clone3(clone_args* arguments, int (*run)(void*), void* argument);

}  // namespace base
