// The agent's configuration: every flag as a typed value.
//
// Flags have the names, types and defaults that Apache Mesos documents, with a few of our own; all
// of them stand in one table (agent/flag_table.h), which loading, --help and GET_FLAGS read.
//
// gflags is the process-wide registry: publish_flags() registers each row of the table there (the
// ones that glog has registered already, such as log_dir, are shared with it) and stores the
// values. Its command-line parser is not used, because it differs from what Mesos promises: it
// takes "--name value" and "-name", lets a flag be repeated, ends the process by itself, knows no
// MESOS_ variables, and has neither durations, byte sizes nor file:// values. So load_flags()
// works on what it is given, touches nothing global, and reports errors as values.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/acls.h"
#include "base/bytes.h"
#include "base/result.h"

namespace agent {

// --firewall_rules: endpoints that are not served, by their paths.
struct FirewallRules {
  std::vector<std::string> disabled_paths;
};

// The path of a file that is read when the agent starts, given as it is or as file://PATH. What is
// in it is a secret: it never becomes the flag's value.
struct SecretFile {
  std::string path;
};

// --master, as it was given, with the password if there is one: only what flag_values() makes of it
// may be shown. What it says is looked at when the agent starts.
struct MasterFlag {
  std::string text;
};

// One member for each row of the table; meanings and defaults are there. A flag without a default
// that was not given is std::nullopt.
struct Flags {
  std::optional<Acls> acls;
  std::optional<std::string> advertise_ip;
  std::optional<uint16_t> advertise_port;
  std::optional<std::string> attributes;
  bool authenticate_http_executors = false;
  bool authenticate_http_readonly = false;
  bool authenticate_http_readwrite = false;
  std::chrono::nanoseconds authentication_backoff_factor{};
  std::chrono::nanoseconds authentication_timeout_max{};
  std::chrono::nanoseconds authentication_timeout_min{};
  std::string authorizer;
  bool cgroups_cpu_enable_pids_and_tids_count = false;
  std::chrono::nanoseconds cgroups_destroy_timeout{};
  bool cgroups_enable_cfs = false;
  std::string cgroups_hierarchy;
  bool cgroups_limit_swap = false;
  std::string cgroups_root;
  std::vector<std::string> containerizers;
  std::optional<SecretFile> credential;
  std::string default_role;
  bool disallow_sharing_agent_pid_namespace = false;
  std::chrono::nanoseconds disk_watch_interval{};
  std::optional<std::string> domain_socket_location;
  std::optional<std::map<std::string, std::string>> executor_environment_variables;
  std::chrono::nanoseconds executor_registration_timeout{};
  std::chrono::nanoseconds executor_reregistration_timeout{};
  std::chrono::nanoseconds executor_shutdown_grace_period{};
  std::optional<std::string> external_log_file;
  std::string fetcher_cache_dir;
  base::Bytes fetcher_cache_size;
  std::chrono::nanoseconds fetcher_stall_timeout{};
  std::optional<FirewallRules> firewall_rules;
  std::string frameworks_home;
  std::chrono::nanoseconds gc_delay{};
  double gc_disk_headroom = 0;
  bool gc_non_executor_container_sandboxes = false;
  std::optional<std::string> hadoop_home;
  bool help = false;
  std::optional<std::string> hostname;
  bool hostname_lookup = false;
  std::optional<std::vector<std::string>> http_authenticators;
  std::optional<SecretFile> http_credentials;
  std::chrono::nanoseconds http_heartbeat_interval{};
  bool http_command_executor = false;
  bool http_executor_domain_sockets = false;
  bool io_switchboard_all_containers = false;
  base::Bytes io_switchboard_replay_size;
  std::optional<std::string> ip;
  std::vector<std::string> isolation;
  std::optional<SecretFile> jwt_secret_key;
  std::string launcher;
  // Without the flag the program that runs decides: it knows where it was installed.
  std::optional<std::string> launcher_dir;
  std::optional<std::string> log_dir;
  uint32_t logbufsecs = 0;
  std::string logging_level;
  std::optional<MasterFlag> master;
  uint64_t max_connections = 0;
  base::Bytes max_request_size;
  uint16_t port = 0;
  bool quiet = false;
  std::string reconfiguration_policy;
  std::string recover;
  std::chrono::nanoseconds recovery_timeout{};
  std::chrono::nanoseconds registration_backoff_factor{};
  std::optional<std::string> resource_provider_config_dir;
  std::optional<std::string> resources;  // as given: parse_resources() (agent/resources.h) reads it
  std::string runtime_dir;
  std::string sandbox_directory;
  bool strict = false;
  bool switch_user = false;
  std::chrono::nanoseconds termination_retention{};
  uint64_t termination_retention_count = 0;
  bool version = false;
  std::string work_dir;
  std::chrono::nanoseconds zk_session_timeout{};
};

// The configuration that this command line (argv[0] is the program) and this environment (as the
// global `environ`, ended by a null pointer) make; the rules are those of agent/flag_words.h. Reads
// files that file:// values name, and looks at /var/run and the effective user for two defaults.
// On failure the error is one sentence for the user that names the flag, its value and what was
// expected. With --help or --version the other values are neither read nor required, and keep their
// initial, empty state: the caller prints and exits.
base::Result<Flags> load_flags(int argc, const char* const* argv, const char* const* environment);

// Name and text of each flag that has a value, sorted by name, in the literals that Mesos prints
// (30secs, 64MB, true): what GET_FLAGS and /flags answer.
std::vector<std::pair<std::string, std::string>> flag_values(const Flags& flags);

// What --help prints: usage, and each flag with its default.
std::string flags_help(const std::string& program);

// Stores every value in gflags under the flag's name, as text (boolean flags as bool), so that glog
// obeys those it shares with us. To be called by the main thread
// before google::InitGoogleLogging.
base::Status publish_flags(const Flags& flags);

}  // namespace agent
