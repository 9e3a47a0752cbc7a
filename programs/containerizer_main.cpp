// mesos-containerizer: the launch helper. Started by the agent only, see launch_helper.h. There is
// no C library in it, so it begins where the kernel begins a program.

#include <unistd.h>

#include "base/raw_syscall.h"
#include "containerizer/bare_text.h"
#include "containerizer/launch_helper.h"

namespace {

bool is_launch(const char* argument) {
  return containerizer::text_length(argument) == 6 &&
         containerizer::starts_with(argument, "launch");
}

int run(long argc, char** argv) {
  if (argc == 2 && is_launch(argv[1])) return containerizer::run_launch_helper();
  constexpr char kUsage[] = "usage: mesos-containerizer launch (run by mesos-agent only)\n";
  base::raw_syscall(SYS_write, STDERR_FILENO, kUsage, sizeof(kUsage) - 1);
  return 2;
}

}  // namespace

// The stack as the kernel has set it up: the count of arguments, then the arguments. There is
// nothing to flush or to destroy at the end.
extern "C" [[noreturn]] __attribute__((used)) void begin_program(long* stack) {
  const int code = run(stack[0], reinterpret_cast<char**>(stack + 1));
  while (true) base::raw_syscall(SYS_exit_group, code);
}

#if defined(__x86_64__)
asm(".globl _start\n"
    "_start:\n\t"
    "xorl %ebp, %ebp\n\t"
    "movq %rsp, %rdi\n\t"
    "andq $-16, %rsp\n\t"
    "callq begin_program\n");
#elif defined(__aarch64__)
asm(".globl _start\n"
    "_start:\n\t"
    "mov x29, #0\n\t"
    "mov x0, sp\n\t"
    "bl begin_program\n");
#endif
