// The command executor: runs the one task of its container and reports on it to the agent.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/scope.h"
#include "base/sync.h"
#include "base/task.h"
#include "executors/calls.h"
#include "executors/checks/checker.h"
#include "executors/checks/verdict.h"
#include "executors/connection.h"
#include "executors/events.h"
#include "executors/kill.h"
#include "executors/options.h"
#include "executors/reaper.h"
#include "executors/user.h"

namespace executors {

class CommandTask final : Connection::Listener {
 public:
  // `user` is whom the task and its checks run as, if not as this process.
  CommandTask(Options options, std::optional<User> user, Reaper& reaper);
  CommandTask(const CommandTask&) = delete;
  CommandTask& operator=(const CommandTask&) = delete;

  // Subscribes, runs what is launched, and ends when this process is to end: the terminal update is
  // acknowledged, or there is no hope for that, or nothing is to be run. Whatever the task has left
  // behind has been sent SIGKILL then.
  base::Task<void> run();

 private:
  // The process has been told to end; how it ends then says what caused it.
  enum class KillCause : uint8_t { kNone, kRequested, kMaxCompletionTime, kHealthCheck };

  void on_event(Event event) override;
  void on_disconnected() override;

  base::Task<void> follow_agent();
  base::Task<void> live();
  base::Task<void> shutdown_expired();
  base::Task<void> farewell_expired();
  base::Task<void> max_completion_time_expired();
  base::Task<void> acknowledged();
  base::Task<void> acknowledgement_overdue();

  void launch(TaskSpec task);
  void kill(Duration grace_period, KillCause cause);
  void shut_down();
  void report_end(int wait_status);

  const User* user() const { return user_ ? &*user_ : nullptr; }

  void start_checks(base::Scope& scope);
  void pause_checks();
  void resume_checks();
  void check_done(const ProbeResult& result);
  void health_check_done(const ProbeResult& result);

  TaskStatus make_status(TaskState state) const;
  TaskStatus make_update(Reason reason) const;
  void send(TaskStatus status);

  Options options_;
  std::optional<User> user_;
  Reaper& reaper_;
  Connection connection_;
  std::optional<TaskSpec> task_;
  std::unique_ptr<Reaper::Child> child_;  // nothing if the command could not be executed
  Kill kill_;
  KillCause kill_cause_ = KillCause::kNone;
  bool task_killing_state_ = false;  // the framework knows TASK_KILLING
  TaskStatus last_status_;
  std::chrono::steady_clock::time_point started_;
  std::optional<CheckVerdict> check_verdict_;
  std::optional<HealthVerdict> health_verdict_;
  std::optional<Checker> checker_;
  std::optional<Checker> health_checker_;
  base::Event launched_;
  base::Event shutting_down_;
  base::Event connected_;
  base::Event lost_;          // the agent, for good
  base::Event acknowledged_;  // an update was
};

}  // namespace executors
