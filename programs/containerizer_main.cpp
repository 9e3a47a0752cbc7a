// mesos-containerizer: the launch helper. Started by the agent only, see launch_helper.h.

#include <string.h>
#include <unistd.h>

#include "containerizer/launch_helper.h"

int main(int argc, char** argv) {
  // There is nothing to flush or to destroy.
  if (argc == 2 && strcmp(argv[1], "launch") == 0) _exit(containerizer::run_launch_helper());
  constexpr char kUsage[] = "usage: mesos-containerizer launch (run by mesos-agent only)\n";
  [[maybe_unused]] ssize_t n = write(STDERR_FILENO, kUsage, sizeof(kUsage) - 1);
  return 2;
}
