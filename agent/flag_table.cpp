#include "agent/flag_table.h"

#include <arpa/inet.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <concepts>
#include <limits>
#include <utility>

#include "agent/master/master_address.h"
#include "agent/master/zookeeper/url.h"
#include "agent/role.h"
#include "base/duration.h"
#include "base/strings.h"
#include "proto/json_write.h"

namespace agent {
namespace {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;
using base::Status;
using std::chrono::nanoseconds;
using StringMap = std::map<std::string, std::string>;

// --- How each type of member is read and printed. ---

template <typename T>
struct TextOf;

template <>
struct TextOf<bool> {
  static constexpr FlagKind kKind = FlagKind::kBool;
  static Result<bool> read(std::string_view text) {
    if (text == "true" || text == "1") return true;
    if (text == "false" || text == "0") return false;
    return fail(ErrorKind::kInvalid, "expected true, 1, false or 0");
  }
  static std::string print(bool value) { return value ? "true" : "false"; }
};

template <std::unsigned_integral T>
struct TextOf<T> {
  static constexpr FlagKind kKind = FlagKind::kInteger;
  static Result<T> read(std::string_view text) {
    if (const auto value = base::parse_number<T>(text)) return *value;
    return fail(ErrorKind::kInvalid,
                concat("expected an integer from 0 to ", std::numeric_limits<T>::max()));
  }
  static std::string print(T value) { return concat(value); }
};

template <>
struct TextOf<double> {
  static constexpr FlagKind kKind = FlagKind::kNumber;
  static Result<double> read(std::string_view text) {
    double value = 0;
    const char* end = text.data() + text.size();
    const auto [at, code] = std::from_chars(text.data(), end, value);
    if (code == std::errc() && at == end && !text.empty()) return value;
    return fail(ErrorKind::kInvalid, "expected a number");
  }
  static std::string print(double value) {
    char text[32];
    return {text, std::to_chars(text, text + sizeof(text), value).ptr};
  }
};

template <>
struct TextOf<nanoseconds> {
  static constexpr FlagKind kKind = FlagKind::kDuration;
  static Result<nanoseconds> read(std::string_view text) { return base::parse_duration(text); }
  static std::string print(nanoseconds value) { return base::to_string(value); }
};

template <>
struct TextOf<base::Bytes> {
  static constexpr FlagKind kKind = FlagKind::kBytes;
  static Result<base::Bytes> read(std::string_view text) { return base::parse_bytes(text); }
  static std::string print(base::Bytes value) { return base::to_string(value); }
};

template <>
struct TextOf<std::string> {
  static constexpr FlagKind kKind = FlagKind::kString;
  static Result<std::string> read(std::string_view text) { return std::string(text); }
  static std::string print(const std::string& value) { return value; }
};

template <>
struct TextOf<std::vector<std::string>> {
  static constexpr FlagKind kKind = FlagKind::kList;
  static Result<std::vector<std::string>> read(std::string_view text) {
    std::vector<std::string> items;
    for (const std::string_view part : base::split(text, ',')) {
      if (const auto item = base::trim(part); !item.empty()) items.emplace_back(item);
    }
    return items;
  }
  static std::string print(const std::vector<std::string>& items) {
    std::string text;
    for (const std::string& item : items) text += (text.empty() ? "" : ",") + item;
    return text;
  }
};

// Takes the events of one JSON object whose values are all strings; anything else stops the reader.
struct StringMapEvents : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, StringMapEvents> {
  StringMap map;
  std::string key;
  bool opened = false;

  bool Default() { return false; }
  bool StartObject() { return !std::exchange(opened, true); }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    key.assign(text, size);
    return true;
  }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    if (opened) map.insert_or_assign(key, std::string(text, size));
    return opened;
  }
  bool EndObject(rapidjson::SizeType) { return true; }
};

template <>
struct TextOf<StringMap> {
  static constexpr FlagKind kKind = FlagKind::kJson;
  static Result<StringMap> read(std::string_view text) {
    std::string copy(text);  // the reader unescapes strings where they stand
    rapidjson::InsituStringStream stream(copy.data());
    rapidjson::Reader reader;
    StringMapEvents events;
    constexpr unsigned kHow = rapidjson::kParseInsituFlag | rapidjson::kParseValidateEncodingFlag;
    if (reader.Parse<kHow>(stream, events)) return events.map;
    std::string message = "expected a JSON object of strings";
    if (reader.GetParseErrorCode() != rapidjson::kParseErrorTermination) {
      message +=
          concat(": ", std::string_view(rapidjson::GetParseError_En(reader.GetParseErrorCode())));
    }
    return fail(ErrorKind::kInvalid, concat(message, " (at byte ", reader.GetErrorOffset(), ")"));
  }
  static std::string print(const StringMap& map) {
    std::string text = "{";
    for (const auto& [key, value] : map) {
      if (text.size() > 1) text += ',';
      proto::append_json_string(key, &text);
      text += ':';
      proto::append_json_string(value, &text);
    }
    return text + '}';
  }
};

// {"disabled_endpoints":{"paths":["/files/browse","/slave(1)/state"]}}
template <>
struct TextOf<FirewallRules> {
  static constexpr FlagKind kKind = FlagKind::kJson;
  static Result<FirewallRules> read(std::string_view text) {
    const auto malformed =
        fail(ErrorKind::kInvalid,
             R"(expected rules of the form {"disabled_endpoints":{"paths":["/slave(1)/state"]}})");
    google::protobuf::Struct json;
    if (!google::protobuf::util::JsonStringToMessage(std::string(text), &json).ok()) {
      return malformed;
    }
    FirewallRules rules;
    for (const auto& [rule, endpoints] : json.fields()) {
      if (rule != "disabled_endpoints" || !endpoints.has_struct_value()) return malformed;
      for (const auto& [name, paths] : endpoints.struct_value().fields()) {
        if (name != "paths" || !paths.has_list_value()) return malformed;
        for (const auto& path : paths.list_value().values()) {
          if (!path.string_value().starts_with('/')) return malformed;
          rules.disabled_paths.push_back(path.string_value());
        }
      }
    }
    return rules;
  }
  static std::string print(const FirewallRules& rules) {
    std::string text = R"({"disabled_endpoints":{"paths":[)";
    for (const std::string& path : rules.disabled_paths) {
      if (text.back() != '[') text += ',';
      proto::append_json_string(path, &text);
    }
    return text + "]}}";
  }
};

template <>
struct TextOf<Acls> {
  static constexpr FlagKind kKind = FlagKind::kJson;
  static Result<Acls> read(std::string_view text) { return Acls::parse(text); }
  static std::string print(const Acls& acls) { return acls.text(); }
};

template <>
struct TextOf<SecretFile> {
  static constexpr FlagKind kKind = FlagKind::kPath;
  static Result<SecretFile> read(std::string_view text) {
    constexpr std::string_view kScheme = "file://";
    if (text.starts_with(kScheme)) text.remove_prefix(kScheme.size());
    if (text.starts_with('/')) return SecretFile{std::string(text)};
    return fail(ErrorKind::kInvalid, "expected the absolute path of a file, not a secret itself");
  }
  static std::string print(const SecretFile& file) { return file.path; }
};

template <>
struct TextOf<MasterFlag> {
  static constexpr FlagKind kKind = FlagKind::kPath;
  static Result<MasterFlag> read(std::string_view text) {
    TRY_VOID(check_master(text));
    return MasterFlag{std::string(text)};
  }
  static std::string print(const MasterFlag& master) { return hide_password(master.text); }
};

template <typename T>
struct TextOf<std::optional<T>> {
  static constexpr FlagKind kKind = TextOf<T>::kKind;
  static Result<T> read(std::string_view text) { return TextOf<T>::read(text); }
  static std::optional<std::string> print(const std::optional<T>& value) {
    return value ? std::optional(TextOf<T>::print(*value)) : std::nullopt;
  }
};

// --- What a value must be beyond its type. ---

constexpr auto anything = [](const auto&) -> Status { return {}; };

Status not_empty(const std::string& text) {
  if (!text.empty()) return {};
  return fail(ErrorKind::kInvalid, "expected a value that is not empty");
}

Status absolute_path(const std::string& path) {
  if (path.starts_with('/')) return {};
  return fail(ErrorKind::kInvalid, "expected an absolute path");
}

Status socket_path(const std::string& path) {
  constexpr std::string_view kSystemd = "systemd:";
  if (path.starts_with(kSystemd) && path.size() > kSystemd.size()) return {};
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return fail(ErrorKind::kInvalid,
                concat("expected a path of less than ", sizeof(sockaddr_un::sun_path), " bytes"));
  }
  return absolute_path(path);
}

Status ip_address(const std::string& text) {
  in6_addr address;
  for (const int family : {AF_INET, AF_INET6}) {
    if (::inet_pton(family, text.c_str(), &address) == 1) return {};
  }
  return fail(ErrorKind::kInvalid, "expected an IP address, such as 127.0.0.1");
}

Status above_zero(nanoseconds duration) {
  if (duration > nanoseconds(0)) return {};
  return fail(ErrorKind::kInvalid, "expected a duration above zero");
}

Status reregistration_time(nanoseconds duration) {
  if (duration <= std::chrono::seconds(15)) return {};
  return fail(ErrorKind::kInvalid, "expected a duration of at most 15secs");
}

Status at_least_one(uint64_t number) {
  if (number > 0) return {};
  return fail(ErrorKind::kInvalid, "expected a number above zero");
}

Status part_of_one(double part) {
  if (part >= 0 && part <= 1) return {};
  return fail(ErrorKind::kInvalid, "expected a number from 0 to 1");
}

Status one_of(const std::string& text, std::initializer_list<std::string_view> choices) {
  if (std::ranges::find(choices, text) != choices.end()) return {};
  std::string message = "expected one of";
  for (const std::string_view choice : choices) message += concat(' ', choice);
  return fail(ErrorKind::kInvalid, std::move(message));
}

Status authorizer_name(const std::string& text) { return one_of(text, {"local"}); }

Status authenticator_names(const std::vector<std::string>& names) {
  for (const std::string& name : names) TRY_VOID(one_of(name, {"basic", "jwt"}));
  if (!names.empty()) return {};
  return fail(ErrorKind::kInvalid, "expected basic, jwt, or both with a comma between");
}

Status launcher_name(const std::string& text) { return one_of(text, {"linux", "posix"}); }
Status severity(const std::string& text) { return one_of(text, {"INFO", "WARNING", "ERROR"}); }
Status reconfiguration_policy(const std::string& text) {
  return one_of(text, {"equal", "additive"});
}
Status recovery_mode(const std::string& text) { return one_of(text, {"reconnect", "cleanup"}); }

Status ipv4_address(const std::string& text) {
  in_addr address;
  if (::inet_pton(AF_INET, text.c_str(), &address) == 1) return {};
  return fail(ErrorKind::kInvalid, "expected a numeric IPv4 address, such as 10.0.0.7");
}

Status port_to_reach(uint16_t port) {
  if (port > 0) return {};
  return fail(ErrorKind::kInvalid, "expected a port from 1 to 65535");
}

// Masters take an agent for lost after 75 s by default.
Status registration_backoff(nanoseconds duration) {
  if (duration <= std::chrono::minutes(1)) return above_zero(duration);
  return fail(ErrorKind::kInvalid, "expected one minute at most");
}

// --- Defaults that depend on the host. ---

std::string default_launcher() { return ::geteuid() == 0 ? "linux" : "posix"; }

std::string default_runtime_dir() {
  const bool writable =
      ::access("/var/run/mesos", W_OK) == 0 || (errno == ENOENT && ::access("/var/run", W_OK) == 0);
  return writable ? "/var/run/mesos" : "/tmp/mesos/runtime";
}

// --- The table. ---

template <auto Member>
using MemberType = std::remove_cvref_t<decltype(std::declval<Flags>().*Member)>;

template <auto Member, auto Check>
Status set(Flags& flags, std::string_view text) {
  TRY(auto value, TextOf<MemberType<Member>>::read(text));
  TRY_VOID(Check(value));
  flags.*Member = std::move(value);
  return {};
}

template <auto Member>
std::optional<std::string> get(const Flags& flags) {
  return TextOf<MemberType<Member>>::print(flags.*Member);
}

struct More {
  std::string (*computed)() = nullptr;
  bool required = false;
  std::string_view alias = {};
  bool secret = false;
};

template <auto Member, auto Check = anything>
constexpr FlagSpec row(std::string_view name, std::optional<std::string_view> initial,
                       std::string_view help, More more = {}) {
  return {.name = name,
          .kind = TextOf<MemberType<Member>>::kKind,
          .initial = initial,
          .help = help,
          .set = &set<Member, Check>,
          .get = &get<Member>,
          .alias = more.alias,
          .computed = more.computed,
          .required = more.required,
          .secret = more.secret};
}

constexpr auto kNone = std::nullopt;

constexpr std::array kTable = {
    row<&Flags::acls>("acls", kNone,
                      "Who may do what, as JSON. Without it, everybody may do everything."),
    row<&Flags::advertise_ip, ipv4_address>(
        "advertise_ip", kNone,
        "The IPv4 address that masters and others are told to reach the agent at, if it is another "
        "than the one it listens on."),
    row<&Flags::advertise_port, port_to_reach>("advertise_port", kNone,
                                               "The port that they are told, likewise."),
    row<&Flags::attributes>(  //
        "attributes", kNone, "The agent's attributes: name:value;name:value."),
    row<&Flags::authenticate_http_executors>(
        "authenticate_http_executors", "false",
        "Let executors in only with the token that the agent gave them; needs --jwt_secret_key."),
    row<&Flags::authenticate_http_readonly>("authenticate_http_readonly", "false",
                                            "Ask who wants to read the endpoints beside /api/v1."),
    row<&Flags::authenticate_http_readwrite>("authenticate_http_readwrite", "false",
                                             "Ask who calls /api/v1, or toggles logging."),
    row<&Flags::authentication_backoff_factor, above_zero>(
        "authentication_backoff_factor", "1secs",
        "By twice this a first try to authenticate with a master may take longer than "
        "--authentication_timeout_min; by twice as much with each further try."),
    row<&Flags::authentication_timeout_max, above_zero>("authentication_timeout_max", "1mins",
                                                        "How long a try may take at most."),
    row<&Flags::authentication_timeout_min, above_zero>("authentication_timeout_min", "5secs",
                                                        "How long a try may take at least."),
    row<&Flags::authorizer, authorizer_name>("authorizer", "local",
                                             "What decides by --acls; there is only local."),
    row<&Flags::cgroups_cpu_enable_pids_and_tids_count>(
        "cgroups_cpu_enable_pids_and_tids_count", "false",
        "Count each container's processes and threads in its statistics."),
    row<&Flags::cgroups_destroy_timeout, above_zero>(  //
        "cgroups_destroy_timeout", "1mins", "How long destroying a container's cgroup may take."),
    row<&Flags::cgroups_enable_cfs>(  //
        "cgroups_enable_cfs", "false", "Make cpus a hard limit, by CFS quota."),
    row<&Flags::cgroups_hierarchy, absolute_path>(  //
        "cgroups_hierarchy", "/sys/fs/cgroup", "Where the cgroup hierarchies are mounted."),
    row<&Flags::cgroups_limit_swap>(  //
        "cgroups_limit_swap", "false", "Limit memory and swap together, not memory alone."),
    row<&Flags::cgroups_root, not_empty>(  //
        "cgroups_root", "mesos", "The cgroup below which all containers' cgroups are made."),
    row<&Flags::containerizers>(  //
        "containerizers", "mesos", "The containerizers to use, in order."),
    row<&Flags::credential>("credential", kNone,
                            "The file with the credential to authenticate with at the master, as "
                            "JSON: {\"principal\":\"...\",\"secret\":\"...\"}.",
                            {.secret = true}),
    row<&Flags::default_role, [](const std::string& role) { return check_role(role); }>(
        "default_role", "*", "The role of resources that name none."),
    row<&Flags::disallow_sharing_agent_pid_namespace>(
        "disallow_sharing_agent_pid_namespace", "false",
        "Refuse containers that ask for the agent's own pid namespace."),
    row<&Flags::disk_watch_interval, above_zero>(
        "disk_watch_interval", "1mins",
        "How often it is looked how full the disk of sandboxes is."),
    row<&Flags::domain_socket_location, socket_path>(
        "domain_socket_location", kNone,
        "Where --http_executor_domain_sockets makes its socket, by default agent.sock in "
        "--runtime_dir; systemd:NAME takes one that systemd has made."),
    row<&Flags::executor_environment_variables>(
        "executor_environment_variables", kNone,
        "The environment that executors start with, as a JSON object of strings."),
    row<&Flags::executor_registration_timeout, above_zero>(
        "executor_registration_timeout", "1mins",
        "How long an executor may take to subscribe, with the fetching of its URIs."),
    row<&Flags::executor_reregistration_timeout, reregistration_time>(
        "executor_reregistration_timeout", "2secs",
        "How long executors are waited for when the agent has started again; 15secs at most."),
    row<&Flags::executor_shutdown_grace_period>(
        "executor_shutdown_grace_period", "5secs",
        "How long an executor may take to end when it is asked to."),
    row<&Flags::external_log_file>(
        "external_log_file", kNone,
        "The agent's log where something else writes it, for the files API."),
    row<&Flags::fetcher_cache_dir, absolute_path>(
        "fetcher_cache_dir", "/tmp/mesos/fetch",
        "Where the fetcher keeps files for the next container; emptied when the agent starts."),
    row<&Flags::fetcher_cache_size>(  //
        "fetcher_cache_size", "2GB", "How much the fetcher keeps there at most."),
    row<&Flags::fetcher_stall_timeout>(
        "fetcher_stall_timeout", "1mins",
        "How long a download may stand still before it counts as failed; 0secs: for ever."),
    row<&Flags::firewall_rules>(
        "firewall_rules", kNone,
        "Endpoints that are not served, 403 instead: {\"disabled_endpoints\":{\"paths\":[...]}}."),
    row<&Flags::frameworks_home>("frameworks_home", "",
                                 "What URIs that are relative paths are relative to."),
    row<&Flags::gc_delay>(  //
        "gc_delay", "1weeks", "How long sandboxes are kept at most, if the disk is empty."),
    row<&Flags::gc_disk_headroom, part_of_one>(
        "gc_disk_headroom", "0.1",
        "The part of the disk that is to stay free: the less is, the sooner sandboxes go."),
    row<&Flags::gc_non_executor_container_sandboxes>(
        "gc_non_executor_container_sandboxes", "false",
        "Collect the sandboxes of nested and standalone containers too."),
    row<&Flags::hadoop_home, not_empty>(
        "hadoop_home", kNone,
        "Where hadoop's client is, which fetches hdfs:// and the like; by default $HADOOP_HOME, "
        "else by $PATH."),
    row<&Flags::help>("help", "false", "Print this and exit."),
    row<&Flags::hostname, not_empty>(  //
        "hostname", kNone, "The host name to report; by default that of the IP address."),
    row<&Flags::hostname_lookup>(
        "hostname_lookup", "true",
        "Without --hostname, ask the resolver for the name of the IP address; if false, the "
        "address itself is reported."),
    row<&Flags::http_authenticators, authenticator_names>(
        "http_authenticators", kNone,
        "How to ask: basic, jwt, or both; by default basic, and jwt if executors are asked."),
    row<&Flags::http_command_executor>(
        "http_command_executor", "false",
        "Told to executors as MESOS_HTTP_COMMAND_EXECUTOR. This agent's always uses HTTP."),
    row<&Flags::http_credentials>(
        "http_credentials", kNone,
        "The file with the principals and secrets that basic authentication knows.",
        {.secret = true}),
    row<&Flags::http_executor_domain_sockets>(
        "http_executor_domain_sockets", "false",
        "Serve the executor API on a unix socket too: see --domain_socket_location."),
    row<&Flags::http_heartbeat_interval, above_zero>("http_heartbeat_interval", "30secs",
                                                     "Time between heartbeats on attach streams."),
    row<&Flags::io_switchboard_all_containers>(
        "io_switchboard_all_containers", "false",
        "Make every nested and standalone container attachable. (Not in Apache Mesos.)"),
    row<&Flags::io_switchboard_replay_size>(
        "io_switchboard_replay_size", "0B",
        "How much recent output one who attaches late can ask for. (Not in Apache Mesos.)"),
    row<&Flags::ip, ip_address>("ip", kNone, "The IP address to listen on."),
    row<&Flags::isolation>(  //
        "isolation", "posix/cpu,posix/mem", "The isolators to use."),
    row<&Flags::jwt_secret_key>(
        "jwt_secret_key", kNone,
        "The file whose whole content is the key that executors' tokens are signed with.",
        {.alias = "executor_secret_key", .secret = true}),
    row<&Flags::launcher, launcher_name>(
        "launcher", kNone, "How containers are started: linux or posix; by default linux for root.",
        {.computed = default_launcher}),
    row<&Flags::launcher_dir, absolute_path>(
        "launcher_dir", kNone,
        "Where the agent's helper programs are; by default where the agent itself is."),
    row<&Flags::log_dir, not_empty>(  //
        "log_dir", kNone, "The directory for log files; without it none are written."),
    row<&Flags::logbufsecs>(  //
        "logbufsecs", "0", "For how many seconds log messages may be buffered."),
    row<&Flags::logging_level, severity>("logging_level", "INFO",
                                         "The least severity to log: INFO, WARNING or ERROR."),
    row<&Flags::master>(
        "master", kNone,
        "The master to join: host:port, master@host:port, zk://user:password@host:port,.../path, "
        "or file:///path of a file with one of these. Without it the agent is standalone."),
    row<&Flags::max_connections, at_least_one>("max_connections", "8192",
                                               "How many connections there may be; the next takes "
                                               "the place of one that is idle, or waits. "
                                               "(Not in Apache Mesos.)"),
    row<&Flags::max_request_size>(
        "max_request_size", "64MB",
        "What a request's body, or a record of a streamed one, may hold at most; beyond it is 413. "
        "(Not in Apache Mesos.)"),
    row<&Flags::port>("port", "5051", "The TCP port to listen on."),
    row<&Flags::quiet>("quiet", "false", "Log nothing to stderr."),
    row<&Flags::reconfiguration_policy, reconfiguration_policy>(
        "reconfiguration_policy", "equal",
        "What may have changed when an agent comes back: nothing (equal), or more resources and "
        "attributes may be there (additive)."),
    row<&Flags::recover, recovery_mode>(
        "recover", "reconnect",
        "What to do with containers of an earlier run: reconnect to them, or cleanup and exit."),
    row<&Flags::recovery_timeout>(
        "recovery_timeout", "15mins",
        "How long executors wait for an agent that is gone, if their framework checkpoints."),
    row<&Flags::registration_backoff_factor, registration_backoff>(
        "registration_backoff_factor", "1secs",
        "How long the agent waits at most before it registers with a master; twice as long between "
        "its tries, doubling up to one minute."),
    row<&Flags::resource_provider_config_dir, not_empty>(
        "resource_provider_config_dir", kNone,
        "Where the configurations of local resource providers are kept, a JSON file each."),
    row<&Flags::resources>("resources", kNone,
                           "What the agent has to give: name(role):value;name:value, or a JSON "
                           "array of Resource; cpus, "
                           "mem, disk and ports are detected if not named."),
    row<&Flags::runtime_dir, not_empty>(
        "runtime_dir", kNone,
        "State that must not survive a reboot; by default /var/run/mesos if that can be written, "
        "else /tmp/mesos/runtime.",
        {.computed = default_runtime_dir}),
    row<&Flags::sandbox_directory, absolute_path>(
        "sandbox_directory", "/mnt/mesos/sandbox",
        "Where a container with an image of its own sees its sandbox."),
    row<&Flags::strict>(  //
        "strict", "true", "Treat errors in recovering state as fatal."),
    row<&Flags::switch_user>("switch_user", "true",
                             "Run containers as the user they name, not as the agent's."),
    row<&Flags::termination_retention>(
        "termination_retention", "1hrs",
        "How long the exit status of an ended standalone container is kept for WAIT_CONTAINER. "
        "(Not in Apache Mesos.)"),
    row<&Flags::termination_retention_count>(
        "termination_retention_count", "1000",
        "How many such exit statuses are kept at most. (Not in Apache Mesos.)"),
    row<&Flags::version>("version", "false", "Print the version and exit."),
    row<&Flags::work_dir, not_empty>(  //
        "work_dir", kNone, "The directory for sandboxes and for state that outlives the agent.",
        {.required = true}),
    row<&Flags::zk_session_timeout, above_zero>(
        "zk_session_timeout", "10secs",
        "How long ZooKeeper is to keep the agent's session without a connection."),
};

static_assert(std::ranges::is_sorted(kTable, {}, &FlagSpec::name));

}  // namespace

std::span<const FlagSpec> flag_table() { return kTable; }

}  // namespace agent
