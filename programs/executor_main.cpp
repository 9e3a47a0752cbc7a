// mesos-executor: runs the command of one task. Started by the agent, in the task's container, with
// the environment that every executor gets.
#include <string.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "base/event_loop.h"
#include "base/scope.h"
#include "executors/command_task.h"
#include "executors/options.h"
#include "executors/reaper.h"
#include "executors/user.h"

namespace {

int give_up(const base::Error& error) {
  const std::string text = "mesos-executor: " + error.message + "\n";
  [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
  return EXIT_FAILURE;
}

base::Task<void> run(executors::CommandTask& task, base::EventLoop& loop) {
  co_await task.run();
  loop.stop();
}

}  // namespace

int main(int argc, char** argv) {
  auto options = executors::read_options({argv + 1, static_cast<size_t>(argc - 1)}, getenv);
  if (!options) return give_up(options.error());
  // The task gets our environment, and as the same user it may read it in /proc: neither way it is
  // to find the token.
  if (char* token = getenv(executors::kTokenVariable)) explicit_bzero(token, strlen(token));
  unsetenv(executors::kTokenVariable);
  std::optional<executors::User> user;
  if (!options->user.empty()) {
    auto resolved = executors::resolve_user(options->user);
    if (!resolved) return give_up(resolved.error());
    user = *std::move(resolved);
  }
  auto reaper = executors::Reaper::create();
  if (!reaper) return give_up(reaper.error());

  base::EventLoop loop;
  executors::CommandTask task(*std::move(options), std::move(user), *reaper);
  base::Scope scope;
  scope.spawn(run(task, loop));
  loop.run();
  // All that matters is done; taking the rest apart would only cost time.
  _exit(EXIT_SUCCESS);
}
