#include "executors/options.h"

#include <utility>

#include "base/duration.h"
#include "base/strings.h"
#include "proto/json_tree.h"

namespace executors {

using base::concat;
using base::ErrorKind;

namespace {

using Lookup = std::function<const char*(const char*)>;

base::Result<std::string> required(const Lookup& variable, const char* name) {
  const char* value = variable(name);
  if (value == nullptr || *value == '\0') {
    return base::fail(ErrorKind::kInvalid,
                      concat("The environment variable ", name, " is not set: this program is ",
                             "started by an agent"));
  }
  return std::string(value);
}

base::Status read_duration(const Lookup& variable, const char* name, Duration* duration) {
  const char* value = variable(name);
  if (value == nullptr) return {};
  auto parsed = base::parse_duration(value);
  if (!parsed) return base::fail(std::move(parsed).error().with_context(name));
  *duration = *parsed;
  return {};
}

// "slave(1)@127.0.0.1:5051"
base::Status read_endpoint(const Lookup& variable, AgentOptions* agent) {
  TRY(const std::string pid, required(variable, "MESOS_SLAVE_PID"));
  const size_t at = pid.find('@');
  if (at == std::string::npos) {
    return base::fail(ErrorKind::kInvalid, concat("MESOS_SLAVE_PID is '", pid, "'"));
  }
  agent->target = concat("/", pid.substr(0, at), "/api/v1/executor");
  const char* given = variable("MESOS_AGENT_ENDPOINT");
  const std::string endpoint = given != nullptr && *given != '\0' ? given : pid.substr(at + 1);
  const size_t colon = endpoint.rfind(':');
  const auto port =
      colon == std::string::npos
          ? std::nullopt
          : base::parse_number<uint16_t>(std::string_view(endpoint).substr(colon + 1));
  if (!port) return base::fail(ErrorKind::kInvalid, concat("'", endpoint, "' is no endpoint"));
  agent->ip = endpoint.substr(0, colon);
  agent->port = *port;
  if (const char* path = variable("MESOS_DOMAIN_SOCKET")) agent->domain_socket = path;
  const char* tls = variable("LIBPROCESS_SSL_ENABLED");
  if (agent->domain_socket.empty() && tls != nullptr &&
      (std::string_view(tls) == "1" || std::string_view(tls) == "true")) {
    return base::fail(ErrorKind::kUnsupported,
                      "The agent speaks TLS, which this executor does not: run the agent with "
                      "--http_executor_domain_sockets");
  }
  return {};
}

// Environment as JSON: {"variables": [{"name": "A", "value": "b"}]}
base::Status read_environment(std::string_view text, std::vector<Command::Variable>* variables) {
  const auto wrong = [] {
    return base::fail(ErrorKind::kInvalid, "--task_environment is not the JSON of an Environment");
  };
  auto tree = proto::parse_json_tree(text);
  if (!tree) return wrong();
  const proto::Json* list = tree->find("variables");
  if (list == nullptr) return {};
  for (const proto::Json& entry : list->items) {
    const proto::Json* name = entry.find("name");
    const proto::Json* value = entry.find("value");
    const proto::Json* type = entry.find("type");
    if (name == nullptr) return wrong();
    if (type != nullptr && type->text != "VALUE") continue;
    variables->push_back({name->text, value == nullptr ? std::string() : value->text});
  }
  return {};
}

enum class FlagUse : uint8_t {
  kIgnored,      // means something to the executor of Apache Mesos and nothing here
  kEnvironment,  // --task_environment
  kUser,         // --user
  kUnsupported,
};

struct Flag {
  std::string_view name;
  FlagUse use;
};

// What an agent may pass to a command executor. Those of tasks with a file system of their own come
// together: --rootfs decides.
constexpr Flag kFlags[] = {
    {"launcher_dir", FlagUse::kIgnored},
    {"sandbox_directory", FlagUse::kIgnored},
    {"user", FlagUse::kUser},
    {"task_environment", FlagUse::kEnvironment},
    {"rootfs", FlagUse::kUnsupported},
    {"working_directory", FlagUse::kUnsupported},
    {"task_launch_info", FlagUse::kUnsupported},
};

base::Status read_flag(std::string_view argument, Options* options) {
  if (!argument.starts_with("--")) {
    return base::fail(ErrorKind::kInvalid, concat("Unexpected argument '", argument, "'"));
  }
  argument.remove_prefix(2);
  const size_t equals = argument.find('=');
  const std::string_view name = argument.substr(0, equals);
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view() : argument.substr(equals + 1);
  for (const Flag& flag : kFlags) {
    if (flag.name != name) continue;
    if (flag.use == FlagUse::kEnvironment) {
      return read_environment(value, &options->task_environment);
    }
    if (flag.use == FlagUse::kUser) options->user = value;
    if (flag.use == FlagUse::kUnsupported) {
      return base::fail(ErrorKind::kUnsupported,
                        concat("--", name, ": tasks with a root file system of their own are not ",
                               "supported yet"));
    }
    return {};
  }
  return base::fail(ErrorKind::kInvalid, concat("Unknown flag --", name));
}

}  // namespace

base::Result<Options> read_options(std::span<char* const> arguments, const Lookup& variable) {
  Options options;
  for (const char* argument : arguments) TRY_VOID(read_flag(argument, &options));
  AgentOptions& agent = options.agent;
  TRY(agent.framework_id, required(variable, "MESOS_FRAMEWORK_ID"));
  TRY(agent.executor_id, required(variable, "MESOS_EXECUTOR_ID"));
  TRY_VOID(read_endpoint(variable, &agent));
  if (const char* token = variable(kTokenVariable)) agent.token = token;
  const char* checkpoint = variable("MESOS_CHECKPOINT");
  agent.checkpoint = checkpoint != nullptr && std::string_view(checkpoint) == "1";
  TRY_VOID(read_duration(variable, "MESOS_RECOVERY_TIMEOUT", &agent.recovery_timeout));
  TRY_VOID(read_duration(variable, "MESOS_SUBSCRIPTION_BACKOFF_MAX", &agent.backoff_max));
  TRY_VOID(read_duration(variable, "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD",
                         &options.shutdown_grace_period));
  return options;
}

}  // namespace executors
