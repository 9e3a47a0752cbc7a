#include "agent/tasks/command_executor.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>

#include "agent/domain_socket.h"
#include "base/duration.h"
#include "base/files.h"
#include "base/strings.h"

namespace agent {

using base::concat;
using mesos::v1::CommandInfo;
using mesos::v1::ExecutorInfo;

namespace {

constexpr double kExecutorCpus = 0.1;
constexpr double kExecutorMegabytes = 32;

// What a command executor needs, besides its task's grace, to see the end of its task and report
// it.
constexpr std::chrono::seconds kReportingTime{2};

// Longer ones are cut in an executor's name.
constexpr size_t kShownCommand = 15;

std::string cut(std::string text) {
  if (text.size() > kShownCommand) text.replace(kShownCommand - 3, std::string::npos, "...");
  return text;
}

std::string show_command(const CommandInfo& command) {
  if (command.shell()) {
    return concat("sh -c '", command.has_value() ? cut(command.value()) : "NO COMMAND", "'");
  }
  std::string text = command.has_value() ? command.value() : "NO EXECUTABLE";
  for (const auto& argument : command.arguments()) text += concat(", ", argument);
  return concat("[", cut(std::move(text)), "]");
}

void add_resource(const char* name, double value, const std::string& role, ExecutorInfo* executor) {
  auto* resource = executor->add_resources();
  resource->set_name(name);
  resource->set_type(mesos::v1::Value::SCALAR);
  resource->mutable_scalar()->set_value(value);
  if (!role.empty()) resource->mutable_allocation_info()->set_role(role);
}

CommandInfo program_command(const Flags& flags, const char* program) {
  const std::string directory = flags.launcher_dir.value_or("");
  CommandInfo command;
  const std::string path = base::join_path(directory, program);
  if (!base::path_exists(path)) {
    command.set_shell(true);
    command.set_value(concat("echo 'No ", program, " in ", directory, "' >&2; exit 1"));
    return command;
  }
  command.set_shell(false);
  std::error_code unreal;
  const auto real = std::filesystem::canonical(path, unreal);
  command.set_value(unreal ? path : real.string());
  command.add_arguments(program);
  command.add_arguments(concat("--launcher_dir=", directory));
  return command;
}

}  // namespace

ExecutorInfo make_command_executor(const Flags& flags, const mesos::v1::FrameworkInfo& framework,
                                   const mesos::v1::TaskInfo& task) {
  ExecutorInfo executor;
  executor.mutable_executor_id()->set_value(task.task_id().value());
  *executor.mutable_framework_id() = framework.id();
  executor.set_name(concat("Command Executor (Task: ", task.task_id().value(),
                           ") (Command: ", show_command(task.command()), ")"));
  executor.set_source(task.task_id().value());
  if (task.has_container()) *executor.mutable_container() = task.container();
  if (task.has_labels()) *executor.mutable_labels() = task.labels();
  if (task.has_discovery()) *executor.mutable_discovery() = task.discovery();

  CommandInfo& command = *executor.mutable_command();
  command = program_command(flags, "mesos-executor");
  if (task.container().mesos().has_image()) {
    command.add_arguments(concat("--sandbox_directory=", flags.sandbox_directory));
    if (flags.switch_user) {
      command.add_arguments(
          concat("--user=", task.command().has_user() ? task.command().user() : framework.user()));
    }
  }
  *command.mutable_uris() = task.command().uris();
  if (task.command().has_environment())
    *command.mutable_environment() = task.command().environment();
  if (task.command().has_user()) command.set_user(task.command().user());

  const std::string role =
      task.resources().empty() ? "" : task.resources(0).allocation_info().role();
  add_resource("cpus", kExecutorCpus, role, &executor);
  add_resource("mem", kExecutorMegabytes, role, &executor);
  if (task.kill_policy().has_grace_period()) {
    constexpr int64_t kReporting = std::chrono::nanoseconds(kReportingTime).count();
    const int64_t grace = std::clamp<int64_t>(task.kill_policy().grace_period().nanoseconds(), 0,
                                              std::numeric_limits<int64_t>::max() - kReporting);
    executor.mutable_shutdown_grace_period()->set_nanoseconds(grace + kReporting);
  }
  return executor;
}

CommandInfo command_of(const Flags& flags, const ExecutorInfo& executor) {
  if (executor.type() != ExecutorInfo::DEFAULT) return executor.command();
  CommandInfo command = program_command(flags, "mesos-default-executor");
  // A scheduler may still say what to fetch and whom to run as.
  CommandInfo merged = executor.command();
  merged.clear_value();
  merged.clear_shell();
  merged.clear_arguments();
  merged.MergeFrom(command);
  return merged;
}

std::string user_of(const Framework& framework, const Executor& executor) {
  return executor.info.command().has_user() ? executor.info.command().user()
                                            : framework.info.user();
}

std::chrono::nanoseconds shutdown_grace_of(const Flags& flags, const ExecutorInfo& executor) {
  if (!executor.has_shutdown_grace_period()) return flags.executor_shutdown_grace_period;
  return std::chrono::nanoseconds(
      std::max<int64_t>(executor.shutdown_grace_period().nanoseconds(), 0));
}

std::map<std::string, std::string> executor_environment(const Agent& agent,
                                                        const Framework& framework,
                                                        const Executor& executor,
                                                        const std::string& token) {
  const Flags& flags = agent.flags;
  std::map<std::string, std::string> environment;
  if (const char* ip = std::getenv("LIBPROCESS_IP")) environment["LIBPROCESS_IP"] = ip;
  if (flags.executor_environment_variables) {
    for (const auto& [name, value] : *flags.executor_environment_variables) {
      environment[name] = value;
    }
  }
  const std::string address = concat(agent.ip, ":", agent.info.port());
  environment["LIBPROCESS_PORT"] = "0";
  environment["MESOS_FRAMEWORK_ID"] = framework.info.id().value();
  environment["MESOS_EXECUTOR_ID"] = executor.info.executor_id().value();
  environment["MESOS_SLAVE_ID"] = agent.info.id().value();
  environment["MESOS_DIRECTORY"] = executor.sandbox;
  environment["MESOS_SLAVE_PID"] = concat("slave(1)@", address);
  environment["MESOS_AGENT_ENDPOINT"] = address;
  environment["MESOS_CHECKPOINT"] = framework.info.checkpoint() ? "1" : "0";
  environment["MESOS_HTTP_COMMAND_EXECUTOR"] = flags.http_command_executor ? "1" : "0";
  if (flags.http_executor_domain_sockets) {
    environment["MESOS_DOMAIN_SOCKET"] =
        agent.domain_socket.empty() ? domain_socket_path(flags) : agent.domain_socket;
  } else if (executor.is_command_executor && !agent.own_executors_socket.empty()) {
    environment["MESOS_DOMAIN_SOCKET"] = agent.own_executors_socket;
  }
  environment["MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"] =
      base::to_string(shutdown_grace_of(flags, executor.info));
  if (framework.info.checkpoint()) {
    environment["MESOS_RECOVERY_TIMEOUT"] = base::to_string(flags.recovery_timeout);
    environment["MESOS_SUBSCRIPTION_BACKOFF_MAX"] =
        base::to_string(flags.executor_reregistration_timeout);
  }
  if (!token.empty()) environment["MESOS_EXECUTOR_AUTHENTICATION_TOKEN"] = token;
  return environment;
}

}  // namespace agent
