#include "executors/command_task.h"

#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/combine.h"
#include "base/scope.h"
#include "base/strings.h"
#include "executors/process.h"
#include "executors/wait.h"

namespace executors {

using base::concat;
using base::Task;

namespace {

using namespace std::chrono_literals;

constexpr Duration kDefaultKillGracePeriod = 3s;

// How long an executor waits for the acknowledgement of the terminal update, while the agent is
// there. Apache Mesos counts the time that it is away, too: a task that ends while its agent is
// away for longer counts as failed then, whatever its exit status was.
constexpr Duration kAcknowledgementLimit = 60s;

// And how long when it was told to end: an agent that tears a framework down acknowledges nothing.
constexpr Duration kFarewellLimit = 1s;

// What the agent's grace period for a shutdown must leave after the task's, so that its end can
// still be reported. Apache Mesos: the longest reap interval and one second.
constexpr Duration kShutdownReserve = 2s;

// What a program that could not be executed counts as, as it does behind Apache Mesos's helper.
constexpr int kNotExecuted = EXIT_FAILURE << 8;

void log(std::string_view text) {
  const std::string line = concat("mesos-executor: ", text, "\n");
  [[maybe_unused]] const ssize_t n = write(STDERR_FILENO, line.data(), line.size());
}

double now() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// A random (version 4) UUID, raw.
std::string make_raw_uuid() {
  std::string bytes(16, '\0');
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) abort();
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  return bytes;
}

std::string describe_end(int status) {
  if (WIFEXITED(status)) return concat("Command exited with status ", WEXITSTATUS(status));
  const char* name = sigdescr_np(WTERMSIG(status));
  return name != nullptr
             ? concat("Command terminated with signal ", name)
             : concat("Command terminated with signal Unknown signal ", WTERMSIG(status));
}

}  // namespace

CommandTask::CommandTask(Options options, std::optional<User> user, Reaper& reaper)
    : options_(std::move(options)),
      user_(std::move(user)),
      reaper_(reaper),
      connection_(options_.agent, *this) {}

Task<void> CommandTask::run() {
  base::Scope scope;
  scope.spawn(reaper_.run());
  scope.spawn(follow_agent());
  co_await base::any_of(live(), shutdown_expired());
  kill_all();
}

Task<void> CommandTask::follow_agent() {
  const base::Error error = co_await connection_.run();
  log(concat(error.message, ": shutting down"));
  lost_.set();
  shut_down();
}

Task<void> CommandTask::live() {
  auto begin = co_await base::any_of(wait_for(launched_), wait_for(shutting_down_));
  if (begin.index() == 1) co_return;
  int status = kNotExecuted;
  if (child_ != nullptr) {
    base::Scope scope;
    scope.spawn(kill_.run());
    scope.spawn(max_completion_time_expired());
    start_checks(scope);
    status = co_await child_->end();
  }
  report_end(status);
  co_await base::any_of(acknowledged(), wait_for(lost_), farewell_expired(),
                        acknowledgement_overdue());
}

Task<void> CommandTask::farewell_expired() {
  co_await shutting_down_.wait();
  co_await base::sleep_for(kFarewellLimit);
}

Task<void> CommandTask::acknowledgement_overdue() {
  do {
    co_await connected_.wait();
    co_await base::sleep_for(kAcknowledgementLimit);
  } while (!connected_.is_set());
}

// Ends when the agent is about to destroy the container, or would be if it were there.
Task<void> CommandTask::shutdown_expired() {
  co_await shutting_down_.wait();
  co_await base::sleep_for(options_.shutdown_grace_period);
}

Task<void> CommandTask::max_completion_time_expired() {
  if (!task_->max_completion_time || *task_->max_completion_time <= Duration::zero()) co_return;
  co_await base::sleep_for(*task_->max_completion_time);
  if (kill_.requested()) co_return;  // it is ending for another reason, with a grace period
  kill(Duration::zero(), KillCause::kMaxCompletionTime);
}

Task<void> CommandTask::acknowledged() {
  while (connection_.has_unacknowledged_updates()) {
    acknowledged_.clear();
    co_await acknowledged_.wait();
  }
}

void CommandTask::on_event(Event event) {
  switch (event.type) {
    case Event::Type::kSubscribed:
      task_killing_state_ = event.task_killing_state;
      connected_.set();
      resume_checks();
      break;
    case Event::Type::kLaunch:
      launch(*std::move(event.task));
      break;
    case Event::Type::kLaunchGroup:
      log("A command executor runs no task groups: shutting down");
      shut_down();
      break;
    case Event::Type::kKill:
      if (!task_) {
        shut_down();  // it will not come any more, or is not to run
      } else if (event.task_id == task_->id) {
        kill(event.kill_grace_period.value_or(
                 task_->kill_grace_period.value_or(kDefaultKillGracePeriod)),
             KillCause::kRequested);
      }
      break;
    case Event::Type::kAcknowledged:
      acknowledged_.set();
      break;
    case Event::Type::kError:
      log(concat("The agent reports an error: ", event.message));
      break;
    case Event::Type::kShutdown:
      shut_down();
      break;
    default:
      break;
  }
}

void CommandTask::on_disconnected() {
  connected_.clear();
  pause_checks();
}

void CommandTask::launch(TaskSpec task) {
  if (task_) {
    TaskStatus status = make_status(TaskState::kFailed);
    status.task_id = task.id;
    status.message = "Attempted to run multiple tasks using a \"command\" executor";
    connection_.send(status);
    return;
  }
  if (shutting_down_.is_set()) return;
  connection_.add_task(task.id, std::exchange(task.raw, {}));
  task_ = std::move(task);
  send(make_status(TaskState::kStarting));
  const Command command = std::exchange(task_->command, {}).value_or(Command());
  std::vector<Command::Variable> variables = options_.task_environment;
  variables.insert(variables.end(), command.environment.begin(), command.environment.end());
  if (!task_->allocation_role.empty()) {
    variables.push_back({"MESOS_ALLOCATION_ROLE", task_->allocation_role});
  }
  const auto pid = start_process(
      command,
      {.environment = make_environment(variables), .user = user(), .foreground = task_->tty});
  if (pid) {
    child_ = std::make_unique<Reaper::Child>(reaper_, *pid);
  } else {
    log(pid.error().message);
  }
  send(make_status(TaskState::kRunning));
  launched_.set();
}

void CommandTask::kill(Duration grace_period, KillCause cause) {
  if (child_ == nullptr || child_->has_ended()) return;
  if (!kill_.requested()) {
    kill_cause_ = cause;
    if (task_killing_state_ && cause != KillCause::kMaxCompletionTime) {
      send(make_status(TaskState::kKilling));
    }
    pause_checks();
  }
  kill_.request(grace_period);
}

void CommandTask::shut_down() {
  shutting_down_.set();
  if (task_) kill(options_.shutdown_grace_period - kShutdownReserve, KillCause::kRequested);
}

void CommandTask::report_end(int wait_status) {
  const bool succeeded = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
  TaskStatus status = make_status(succeeded ? TaskState::kFinished : TaskState::kFailed);
  status.message = describe_end(wait_status);
  if (kill_cause_ == KillCause::kMaxCompletionTime) {
    status.state = TaskState::kFailed;
    status.reason = Reason::kMaxCompletionTimeReached;
  } else if (kill_cause_ != KillCause::kNone) {
    status.state = TaskState::kKilled;
  }
  if (kill_cause_ == KillCause::kHealthCheck) status.healthy = false;
  send(std::move(status));
}

void CommandTask::start_checks(base::Scope& scope) {
  started_ = std::chrono::steady_clock::now();
  if (task_->check) {
    check_verdict_.emplace(task_->check->probe.kind);
    checker_.emplace(*task_->check, ProbeContext{reaper_, user()},
                     [this](const ProbeResult& result) { check_done(result); });
    scope.spawn(checker_->run());
  }
  if (task_->health_check) {
    health_verdict_.emplace(*task_->health_check);
    health_checker_.emplace(*task_->health_check, ProbeContext{reaper_, user()},
                            [this](const ProbeResult& result) { health_check_done(result); });
    scope.spawn(health_checker_->run());
  }
  if (!connected_.is_set() || kill_.requested()) pause_checks();
}

void CommandTask::pause_checks() {
  if (checker_) checker_->pause();
  if (health_checker_) health_checker_->pause();
}

void CommandTask::resume_checks() {
  if (kill_.requested()) return;
  if (checker_) checker_->resume();
  if (health_checker_) health_checker_->resume();
}

void CommandTask::check_done(const ProbeResult& result) {
  if (child_->has_ended()) return;
  if (!result) log(concat("Check failed: ", result.error().message));
  const auto news = check_verdict_->add(result);
  if (!news) return;
  TaskStatus status = make_update(Reason::kTaskCheckStatusUpdated);
  status.check_result = news;
  send(std::move(status));
}

void CommandTask::health_check_done(const ProbeResult& result) {
  if (child_->has_ended()) return;
  const bool healthy = is_healthy(task_->health_check->probe.kind, result);
  if (!healthy) {
    log(result ? concat("Health check failed: the result is ", *result)
               : concat("Health check failed: ", result.error().message));
  }
  const auto report = health_verdict_->add(healthy, std::chrono::steady_clock::now() - started_);
  if (!report) return;
  TaskStatus status = make_update(Reason::kTaskHealthCheckStatusUpdated);
  status.healthy = report->healthy;
  send(std::move(status));
  if (report->kill) {
    kill(task_->kill_grace_period.value_or(kDefaultKillGracePeriod), KillCause::kHealthCheck);
  }
}

TaskStatus CommandTask::make_status(TaskState state) const {
  TaskStatus status{.task_id = task_->id,
                    .executor_id = options_.agent.executor_id,
                    .state = state,
                    .timestamp = now(),
                    .uuid = make_raw_uuid()};
  if (task_->check) status.check_result = CheckResult{.kind = task_->check->probe.kind};
  return status;
}

// A check's news about a task whose state is what it was. What other checks have said stays.
TaskStatus CommandTask::make_update(Reason reason) const {
  TaskStatus status = last_status_;
  status.reason = reason;
  status.timestamp = now();
  status.uuid = make_raw_uuid();
  return status;
}

void CommandTask::send(TaskStatus status) {
  connection_.send(status);
  last_status_ = std::move(status);
}

}  // namespace executors
