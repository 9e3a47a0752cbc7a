#include "agent/flags.h"

#include <gflags/gflags.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "agent/flag_table.h"
#include "agent/flag_words.h"

namespace {

using namespace std::chrono_literals;
using namespace base::literals;
using agent::Flags;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using Texts = std::vector<std::string>;

base::Result<Flags> load_exactly(const Texts& words, const Texts& environment = {}) {
  std::vector<const char*> argv = {"mesos-agent"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  std::vector<const char*> variables;
  for (const std::string& variable : environment) variables.push_back(variable.c_str());
  variables.push_back(nullptr);
  return agent::load_flags(static_cast<int>(argv.size()), argv.data(), variables.data());
}

// With the one flag that is required.
base::Result<Flags> load(Texts words, const Texts& environment = {}) {
  words.insert(words.begin(), "--work_dir=/w");
  return load_exactly(words, environment);
}

Flags loaded(const Texts& words, const Texts& environment = {}) {
  auto flags = load(words, environment);
  EXPECT_TRUE(flags.has_value()) << flags.error().message;
  return flags ? *flags : Flags();
}

std::string refusal(const base::Result<Flags>& flags) {
  if (flags) return "accepted";
  EXPECT_EQ(flags.error().kind, base::ErrorKind::kInvalid);
  return flags.error().message;
}

std::string value_of(const Flags& flags, const std::string& name) {
  for (const auto& [flag, value] : agent::flag_values(flags)) {
    if (flag == name) return value;
  }
  return "(none)";
}

// A file with this content, deleted at the end of the test.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content) {
    const int fd = ::mkstemp(path_.data());
    EXPECT_GE(fd, 0);
    EXPECT_EQ(::write(fd, content.data(), content.size()), static_cast<ssize_t>(content.size()));
    ::close(fd);
  }
  ~TemporaryFile() { ::unlink(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_ = std::filesystem::temp_directory_path() / "flags_test.XXXXXX";
};

TEST(Flags, have_the_documented_defaults) {
  const Flags flags = loaded({});
  EXPECT_EQ(flags.attributes, std::nullopt);
  EXPECT_FALSE(flags.cgroups_cpu_enable_pids_and_tids_count);
  EXPECT_EQ(flags.cgroups_destroy_timeout, 1min);
  EXPECT_FALSE(flags.cgroups_enable_cfs);
  EXPECT_EQ(flags.cgroups_hierarchy, "/sys/fs/cgroup");
  EXPECT_FALSE(flags.cgroups_limit_swap);
  EXPECT_EQ(flags.cgroups_root, "mesos");
  EXPECT_THAT(flags.containerizers, ElementsAre("mesos"));
  EXPECT_EQ(flags.default_role, "*");
  EXPECT_FALSE(flags.disallow_sharing_agent_pid_namespace);
  EXPECT_EQ(flags.disk_watch_interval, 1min);
  EXPECT_EQ(flags.domain_socket_location, std::nullopt);
  EXPECT_EQ(flags.executor_environment_variables, std::nullopt);
  EXPECT_EQ(flags.external_log_file, std::nullopt);
  EXPECT_FALSE(flags.firewall_rules.has_value());
  EXPECT_EQ(flags.gc_delay, 24h * 7);
  EXPECT_EQ(flags.gc_disk_headroom, 0.1);
  EXPECT_FALSE(flags.gc_non_executor_container_sandboxes);
  EXPECT_FALSE(flags.help);
  EXPECT_EQ(flags.hostname, std::nullopt);
  EXPECT_TRUE(flags.hostname_lookup);
  EXPECT_FALSE(flags.http_executor_domain_sockets);
  EXPECT_EQ(flags.http_heartbeat_interval, 30s);
  EXPECT_FALSE(flags.io_switchboard_all_containers);
  EXPECT_EQ(flags.io_switchboard_replay_size, 0_B);
  EXPECT_EQ(flags.ip, std::nullopt);
  EXPECT_THAT(flags.isolation, ElementsAre("posix/cpu", "posix/mem"));
  EXPECT_EQ(flags.launcher, ::geteuid() == 0 ? "linux" : "posix");
  EXPECT_EQ(flags.launcher_dir, std::nullopt);
  EXPECT_EQ(flags.log_dir, std::nullopt);
  EXPECT_EQ(flags.logbufsecs, 0u);
  EXPECT_EQ(flags.logging_level, "INFO");
  EXPECT_EQ(flags.max_connections, 8192U);
  EXPECT_EQ(flags.max_request_size, 64_MB);
  EXPECT_EQ(flags.port, 5051);
  EXPECT_FALSE(flags.quiet);
  EXPECT_EQ(flags.recover, "reconnect");
  EXPECT_EQ(flags.resource_provider_config_dir, std::nullopt);
  EXPECT_EQ(flags.resources, std::nullopt);
  EXPECT_TRUE(flags.runtime_dir == "/var/run/mesos" || flags.runtime_dir == "/tmp/mesos/runtime");
  EXPECT_EQ(flags.sandbox_directory, "/mnt/mesos/sandbox");
  EXPECT_TRUE(flags.strict);
  EXPECT_TRUE(flags.switch_user);
  EXPECT_EQ(flags.termination_retention, 1h);
  EXPECT_EQ(flags.termination_retention_count, 1000u);
  EXPECT_FALSE(flags.version);
  EXPECT_EQ(flags.work_dir, "/w");
}

TEST(Flags, are_read_by_type) {
  EXPECT_EQ(loaded({"--port=0"}).port, 0);
  EXPECT_EQ(loaded({"--port=65535"}).port, 65535);
  EXPECT_EQ(loaded({"--http_heartbeat_interval=1.5secs"}).http_heartbeat_interval, 1500ms);
  EXPECT_EQ(loaded({"--io_switchboard_replay_size=64kb"}).io_switchboard_replay_size, 64_KB);
  EXPECT_THAT(loaded({"--isolation=cgroups/cpu, cgroups/mem,,namespaces/pid"}).isolation,
              ElementsAre("cgroups/cpu", "cgroups/mem", "namespaces/pid"));
  EXPECT_THAT(loaded({"--isolation="}).isolation, IsEmpty());
  EXPECT_EQ(loaded({"--resources=cpus:2;mem:1=2"}).resources, "cpus:2;mem:1=2");
  EXPECT_EQ(loaded({"--attributes="}).attributes, "");
  EXPECT_EQ(loaded({"--ip=::1"}).ip, "::1");
  EXPECT_EQ(loaded({"--recover=cleanup"}).recover, "cleanup");
  EXPECT_EQ(loaded({"--launcher=posix"}).launcher, "posix");
  EXPECT_EQ(loaded({"--default_role=a/b"}).default_role, "a/b");
  EXPECT_EQ(loaded({"--termination_retention_count=0"}).termination_retention_count, 0u);
  EXPECT_THAT(*loaded({R"(--executor_environment_variables={"B": "2", "A": "a \"b\""})"})
                   .executor_environment_variables,
              ElementsAre(Pair("A", "a \"b\""), Pair("B", "2")));
}

TEST(Flags, name_flag_value_and_expectation_when_they_refuse) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"--port=abc", "--port=abc: expected an integer from 0 to 65535"},
      {"--port=", "--port=: expected an integer from 0 to 65535"},
      {"--port=65536", "--port=65536: expected an integer from 0 to 65535"},
      {"--port=-1", "--port=-1: expected an integer from 0 to 65535"},
      {"--port=0x50", "--port=0x50: expected an integer from 0 to 65535"},
      {"--logbufsecs=1secs", "--logbufsecs=1secs: expected an integer from 0 to 4294967295"},
      {"--quiet=yes", "--quiet=yes: expected true, 1, false or 0"},
      {"--quiet=TRUE", "--quiet=TRUE: expected true, 1, false or 0"},
      {"--domain_socket_location=here", "=here: expected an absolute path"},
      {"--domain_socket_location=systemd:", "=systemd:: expected an absolute path"},
      {"--http_heartbeat_interval=5m", "--http_heartbeat_interval=5m: '5m' is not a duration: exp"},
      {"--http_heartbeat_interval=0secs", "=0secs: expected a duration above zero"},
      {"--cgroups_destroy_timeout=-1secs", "=-1secs: '-1secs' is not a duration: expected"},
      {"--termination_retention=1h", "--termination_retention=1h: '1h' is not a duration: expect"},
      {"--io_switchboard_replay_size=1.5GB", "=1.5GB: '1.5GB' is not a number of bytes: expected"},
      {"--ip=localhost", "--ip=localhost: expected an IP address, such as 127.0.0.1"},
      {"--ip=", "--ip=: expected an IP address"},
      {"--hostname=", "--hostname=: expected a value that is not empty"},
      {"--launcher=docker", "--launcher=docker: expected one of linux posix"},
      {"--logging_level=info", "--logging_level=info: expected one of INFO WARNING ERROR"},
      {"--recover=restart", "--recover=restart: expected one of reconnect cleanup"},
      {"--sandbox_directory=sandbox", "--sandbox_directory=sandbox: expected an absolute path"},
      {"--launcher_dir=bin", "--launcher_dir=bin: expected an absolute path"},
      {"--default_role=-x", "--default_role=-x: '-x' is not the name of a role"},
      {"--default_role=", "--default_role=: '' is not the name of a role: it is empty"},
      {"--executor_environment_variables={", "={: expected a JSON object of strings: "},
      {"--executor_environment_variables=[]", "=[]: expected a JSON object of strings (at byte"},
      {"--executor_environment_variables=\"x\"", "expected a JSON object of strings (at byte"},
      {"--executor_environment_variables={\"a\":1}", "expected a JSON object of strings (at byte"},
      {"--executor_environment_variables={\"a\":-1.5e3}", "expected a JSON object of strings (at"},
      {"--executor_environment_variables={\"a\":null}", "expected a JSON object of strings"},
      {"--executor_environment_variables={\"a\":{}}", "expected a JSON object of strings (at byte"},
      {"--executor_environment_variables={\"a\":[\"b\"]}", "expected a JSON object of strings"},
      {"--executor_environment_variables={} {}", "expected a JSON object of strings: "},
      {"--executor_environment_variables=", "=: expected a JSON object of strings: "},
      {"--master=", "--master=: expected host:port, master@host:port, zk://... or file:///path"},
      {"--master=10.0.0.1", "--master=10.0.0.1: expected host:port, master@host:port, zk://... "},
      {"--master=10.0.0.1:0", "--master=10.0.0.1:0: expected host:port, master@host:port, zk://"},
      {"--master=file://here", "--master=file://here: expected an absolute path after file://"},
      {"--master=zk://a:2181", "--master=zk://a:2181: expected zk://host:port,host:port/path or "},
      {"--master=zk://u:secret@a:1/", "--master=zk://u:***@a:1/: expected zk://host:port,host:por"},
      {"--zk_session_timeout=0ns", "=0ns: expected a duration above zero"},
      {"--advertise_ip=host",
       "--advertise_ip=host: expected a numeric IPv4 address, such as 10.0."},
      {"--advertise_ip=::1", "--advertise_ip=::1: expected a numeric IPv4 address, such as 10.0.0"},
      {"--advertise_port=0", "--advertise_port=0: expected a port from 1 to 65535"},
      {"--credential={}", "--credential: expected the absolute path of a file, not a secret"},
      {"--registration_backoff_factor=61secs", "=61secs: expected one minute at most"},
      {"--registration_backoff_factor=0ns", "=0ns: expected a duration above zero"},
  };
  for (const auto& [word, expected] : cases) {
    EXPECT_THAT(refusal(load({word})), HasSubstr(expected));
  }
  EXPECT_THAT(refusal(load({}, {"MESOS_PORT=abc"})),
              HasSubstr("MESOS_PORT=abc: expected an integer from 0 to 65535"));
  EXPECT_THAT(
      refusal(load({}, {"MESOS_MASTER=zk://u:secret@a/b"})),
      HasSubstr("MESOS_MASTER=zk://u:***@a/b: expected zk://host:port,host:port/path or zk://"));
  EXPECT_THAT(refusal(load({"--master=zk://u:secret@a:1/b", "--master=zk://v:secret@a:1/b"})),
              HasSubstr("twice: as --master=zk://u:***@a:1/b and as --master=zk://v:***@a:1/b"));
}

TEST(Flags, follow_the_rules_of_the_command_line) {
  struct Case {
    Texts words;
    std::string flag;
    std::string expected;  // the flag's value
  };
  const std::vector<Case> cases = {
      {{"--quiet"}, "quiet", "true"},
      {{"--quiet=true"}, "quiet", "true"},
      {{"--quiet=1"}, "quiet", "true"},
      {{"--quiet=false"}, "quiet", "false"},
      {{"--quiet=0"}, "quiet", "false"},
      {{"--quiet="}, "quiet", "true"},
      {{"--no-strict"}, "strict", "false"},
      {{"--no-strict="}, "strict", "false"},
      {{"--strict=false"}, "strict", "false"},
      {{"--PORT=1"}, "port", "1"},
      {{"--No-Strict"}, "strict", "false"},
      {{"--hostname=a=b"}, "hostname", "a=b"},
      {{"--quiet", "false"}, "quiet", "true"},  // a separate value is no value
      {{"-port=1", "port=2", "3"}, "port", "5051"},
      {{"-", "", "-quiet"}, "quiet", "false"},
      {{"--port=1", "--", "--port=2", "--nonsense"}, "port", "1"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(value_of(loaded(c.words), c.flag), c.expected) << testing::PrintToString(c.words);
  }

  const std::vector<std::pair<Texts, std::string>> refused = {
      {{"--nonsense=1"}, "Unknown flag --nonsense"},
      {{"--nonsense"}, "Unknown flag --nonsense"},
      {{"--no-nonsense"}, "Unknown flag --no-nonsense"},
      {{"--work-dir=/x"}, "Unknown flag --work-dir"},
      {{"--=x"}, "Unknown flag --"},
      {{"--no-"}, "Unknown flag --no-"},
      {{"--minloglevel=1"}, "Unknown flag --minloglevel"},
      {{"--flagfile=/x"}, "Unknown flag --flagfile"},
      {{"--port"}, "--port: expected a value, in the form --port=VALUE"},
      {{"--port", "1"}, "--port: expected a value, in the form --port=VALUE"},
      {{"--no-port"}, "--no-port: only a boolean flag can be negated, and port is not"},
      {{"--no-port=1"}, "--no-port=1: only a boolean flag can be negated, and port is not"},
      {{"--no-quiet=true"}, "--no-quiet=true: the negated form takes no value"},
      {{"--port=1", "--port=1"}, "Flag --port is given twice: as --port=1 and as --port=1"},
      {{"--port=1", "--Port=2"}, "Flag --port is given twice: as --port=1 and as --Port=2"},
      {{"--quiet", "--no-quiet"}, "Flag --quiet is given twice: as --quiet and as --no-quiet"},
  };
  for (const auto& [words, expected] : refused) {
    EXPECT_THAT(refusal(load(words)), HasSubstr(expected));
  }
}

TEST(Flags, follow_the_rules_of_the_environment) {
  struct Case {
    Texts environment;
    Texts words;
    std::string flag;
    std::string expected;
  };
  const std::vector<Case> cases = {
      {{"MESOS_PORT=1"}, {}, "port", "1"},
      {{"MESOS_port=1"}, {}, "port", "1"},
      {{"MESOS_PoRt=1"}, {}, "port", "1"},
      {{"mesos_PORT=1"}, {}, "port", "5051"},
      {{"PORT=1"}, {}, "port", "5051"},
      {{"MESOS_PORT"}, {}, "port", "5051"},
      {{"MESOS_PORT=1"}, {"--port=2"}, "port", "2"},
      {{"MESOS_PORT=abc"}, {"--port=2"}, "port", "2"},
      {{"MESOS_RESOURCES=file:///no/such/file"}, {"--resources=cpus:1"}, "resources", "cpus:1"},
      {{"MESOS_QUIET=1"}, {"--no-quiet"}, "quiet", "false"},
      {{"MESOS_QUIET=true"}, {}, "quiet", "true"},
      {{"MESOS_QUIET="}, {}, "quiet", "true"},
      {{"MESOS_NO_STRICT="}, {}, "strict", "false"},
      {{"MESOS_no_strict="}, {}, "strict", "false"},
      {{"MESOS_NO_STRICT="}, {"--strict"}, "strict", "true"},
      {{"MESOS_ATTRIBUTES=a:b=c"}, {}, "attributes", "a:b=c"},
      {{"MESOS_SANDBOX=/x", "MESOS_=x", "MESOS_NO_PORT=1", "MESOS_NO_=", "X"}, {}, "port", "5051"},
      {{"MESOS_PORT=1", "MESOS_PORT=1"}, {}, "port", "1"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(value_of(loaded(c.words, c.environment), c.flag), c.expected)
        << testing::PrintToString(c.environment);
  }
  EXPECT_THAT(refusal(load({}, {"MESOS_NO_STRICT=1"})),
              HasSubstr("MESOS_NO_STRICT=1: the negated form takes no value"));
  EXPECT_THAT(refusal(load({}, {"MESOS_PORT=1", "MESOS_port=2"})),
              HasSubstr("The environment contradicts itself: MESOS_PORT=1 and MESOS_port=2"));
  EXPECT_THAT(refusal(load({}, {"MESOS_QUIET=1", "MESOS_NO_QUIET="})),
              HasSubstr("The environment contradicts itself"));
}

TEST(Flags, read_values_from_files) {
  const TemporaryFile resources("cpus:2;\nmem:64\n");
  const std::string url = "file://" + resources.path();
  EXPECT_EQ(loaded({"--resources=" + url}).resources, "cpus:2;\nmem:64\n");  // untrimmed
  EXPECT_EQ(loaded({}, {"MESOS_RESOURCES=" + url}).resources, "cpus:2;\nmem:64\n");

  const TemporaryFile port(" 1234\n");
  EXPECT_EQ(loaded({"--port=file://" + port.path()}).port, 1234);
  EXPECT_THAT(refusal(load({"--quiet=file://" + port.path()})), HasSubstr("expected true, 1, fal"));

  const TemporaryFile yes("true\n");
  EXPECT_TRUE(loaded({"--quiet=file://" + yes.path()}).quiet);

  const TemporaryFile isolators("cgroups/cpu,\ncgroups/mem\n");
  EXPECT_THAT(loaded({"--isolation=file://" + isolators.path()}).isolation,
              ElementsAre("cgroups/cpu", "cgroups/mem"));

  const TemporaryFile json("{\"A\": \"1\"}\n");
  for (const std::string prefix : {"file://", ""}) {
    EXPECT_THAT(*loaded({"--executor_environment_variables=" + prefix + json.path()})
                     .executor_environment_variables,
                ElementsAre(Pair("A", "1")));
  }
  EXPECT_EQ(loaded({"--hostname=/etc/x"}).hostname, "/etc/x");  // only JSON is read from /PATH

  EXPECT_THAT(refusal(load({"--resources=file:///no/such/file"})),
              HasSubstr("--resources=file:///no/such/file: expected a file that can be read: "));
  EXPECT_THAT(refusal(load({"--executor_environment_variables=/no/such/file"})),
              HasSubstr("expected a file that can be read: "));
}

TEST(Flags, need_a_work_dir) {
  EXPECT_EQ(refusal(load_exactly({})), "Missing required flag --work_dir");
  EXPECT_THAT(refusal(load_exactly({"--work_dir="})), HasSubstr("expected a value that is not em"));
  EXPECT_EQ(load_exactly({}, {"MESOS_WORK_DIR=/x"})->work_dir, "/x");
}

TEST(Flags, help_and_version_need_nothing_else) {
  EXPECT_TRUE(load_exactly({"--help"})->help);
  EXPECT_TRUE(load_exactly({"--version"})->version);
  EXPECT_TRUE(load_exactly({"--help", "--port=abc"}, {"MESOS_MASTER=x"})->help);
  EXPECT_THAT(refusal(load_exactly({"--help", "--nonsense"})), HasSubstr("Unknown flag"));
  EXPECT_THAT(refusal(load_exactly({"--help=maybe"})), HasSubstr("--help=maybe: expected true"));
}

TEST(Flags, help_tells_every_flag_with_its_default) {
  const std::string help = agent::flags_help("mesos-agent");
  EXPECT_TRUE(help.starts_with("Usage: mesos-agent --work_dir=DIR"));
  for (const agent::FlagSpec& row : agent::flag_table()) {
    const std::string prefix = row.kind == agent::FlagKind::kBool ? "--[no-]" : "--";
    EXPECT_THAT(help, HasSubstr("\n  " + prefix + std::string(row.name)));
    EXPECT_THAT(help, HasSubstr(std::string(row.help)));
  }
  EXPECT_THAT(help, HasSubstr("--port=NUMBER\n      The TCP port to listen on. (Default: 5051)\n"));
}

// What an Apache Mesos agent that was started with these flags answered to GET_FLAGS, for the
// flags that we have.
TEST(Flags, print_as_apache_mesos_prints_them) {
  Flags flags = loaded({"--attributes=rack:abc;zone:1", "--cgroups_root=t5051",
                        "--no-hostname_lookup", "--ip=127.0.0.1",
                        "--isolation=cgroups/cpu,cgroups/mem,namespaces/pid,filesystem/linux",
                        "--launcher=linux", "--resources=cpus:2;mem:1024;disk:1024;ports:[1-2]",
                        "--runtime_dir=/scratch/run"});
  flags.launcher_dir = "/usr/libexec/mesos";
  EXPECT_THAT(
      agent::flag_values(flags),
      ElementsAre(
          Pair("attributes", "rack:abc;zone:1"), Pair("authenticate_http_executors", "false"),
          Pair("authenticate_http_readonly", "false"), Pair("authenticate_http_readwrite", "false"),
          Pair("authentication_backoff_factor", "1secs"),
          Pair("authentication_timeout_max", "1mins"), Pair("authentication_timeout_min", "5secs"),
          Pair("authorizer", "local"), Pair("cgroups_cpu_enable_pids_and_tids_count", "false"),
          Pair("cgroups_destroy_timeout", "1mins"), Pair("cgroups_enable_cfs", "false"),
          Pair("cgroups_hierarchy", "/sys/fs/cgroup"), Pair("cgroups_limit_swap", "false"),
          Pair("cgroups_root", "t5051"), Pair("containerizers", "mesos"), Pair("default_role", "*"),
          Pair("disallow_sharing_agent_pid_namespace", "false"),
          Pair("disk_watch_interval", "1mins"), Pair("executor_registration_timeout", "1mins"),
          Pair("executor_reregistration_timeout", "2secs"),
          Pair("executor_shutdown_grace_period", "5secs"),
          Pair("fetcher_cache_dir", "/tmp/mesos/fetch"), Pair("fetcher_cache_size", "2GB"),
          Pair("fetcher_stall_timeout", "1mins"), Pair("frameworks_home", ""),
          Pair("gc_delay", "1weeks"), Pair("gc_disk_headroom", "0.1"),
          Pair("gc_non_executor_container_sandboxes", "false"), Pair("help", "false"),
          Pair("hostname_lookup", "false"), Pair("http_command_executor", "false"),
          Pair("http_executor_domain_sockets", "false"), Pair("http_heartbeat_interval", "30secs"),
          Pair("io_switchboard_all_containers", "false"), Pair("io_switchboard_replay_size", "0B"),
          Pair("ip", "127.0.0.1"),
          Pair("isolation", "cgroups/cpu,cgroups/mem,namespaces/pid,filesystem/linux"),
          Pair("launcher", "linux"), Pair("launcher_dir", "/usr/libexec/mesos"),
          Pair("logbufsecs", "0"), Pair("logging_level", "INFO"), Pair("max_connections", "8192"),
          Pair("max_request_size", "64MB"), Pair("port", "5051"), Pair("quiet", "false"),
          Pair("reconfiguration_policy", "equal"), Pair("recover", "reconnect"),
          Pair("recovery_timeout", "15mins"), Pair("registration_backoff_factor", "1secs"),
          Pair("resources", "cpus:2;mem:1024;disk:1024;ports:[1-2]"),
          Pair("runtime_dir", "/scratch/run"), Pair("sandbox_directory", "/mnt/mesos/sandbox"),
          Pair("strict", "true"), Pair("switch_user", "true"),
          Pair("termination_retention", "1hrs"), Pair("termination_retention_count", "1000"),
          Pair("version", "false"), Pair("work_dir", "/w"), Pair("zk_session_timeout", "10secs")));
  EXPECT_EQ(value_of(loaded({R"(--executor_environment_variables={ "b":"/","a":"\"" })"}),
                     "executor_environment_variables"),
            R"({"a":"\"","b":"/"})");
}

TEST(Flags, firewall_rules) {
  const std::string rules =
      R"({"disabled_endpoints":{"paths":["/files/browse","/slave(1)/state"]}})";
  const Flags flags = loaded({"--firewall_rules= " + rules});
  ASSERT_TRUE(flags.firewall_rules.has_value());
  EXPECT_THAT(flags.firewall_rules->disabled_paths,
              ElementsAre("/files/browse", "/slave(1)/state"));
  EXPECT_EQ(value_of(flags, "firewall_rules"), rules);
  EXPECT_TRUE(loaded({"--firewall_rules={}"}).firewall_rules->disabled_paths.empty());
  for (const char* bad :
       {"x", "[]", R"({"disabled":{}})", R"({"disabled_endpoints":[]})",
        R"({"disabled_endpoints":{"path":[]}})", R"({"disabled_endpoints":{"paths":"/state"}})",
        R"({"disabled_endpoints":{"paths":["state"]}})", R"({"disabled_endpoints":{"paths":[1]}})",
        R"({"disabled_endpoints":{"paths":[""]}})"}) {
    EXPECT_THAT(refusal(load({std::string("--firewall_rules=") + bad})),
                HasSubstr("expected rules of the form"))
        << bad;
  }
}

TEST(Flags, show_no_password) {
  const Flags flags = loaded({"--master=zk://agent:secret@h:1,i:2/mesos"});
  EXPECT_EQ(flags.master->text, "zk://agent:secret@h:1,i:2/mesos");
  EXPECT_EQ(value_of(flags, "master"), "zk://agent:***@h:1,i:2/mesos");
}

TEST(Flags, of_authentication) {
  const Flags flags = loaded({"--http_credentials=file:///c", "--executor_secret_key=/k",
                              "--authenticate_http_readonly", "--http_authenticators=jwt,basic",
                              R"(--acls={"permissive": false})"});
  EXPECT_EQ(flags.http_credentials->path, "/c");
  EXPECT_EQ(flags.jwt_secret_key->path, "/k");
  EXPECT_TRUE(flags.authenticate_http_readonly);
  EXPECT_FALSE(flags.authenticate_http_readwrite);
  EXPECT_FALSE(flags.authenticate_http_executors);
  EXPECT_THAT(*flags.http_authenticators, ElementsAre("jwt", "basic"));
  EXPECT_EQ(value_of(flags, "http_credentials"), "/c");
  EXPECT_EQ(value_of(flags, "jwt_secret_key"), "/k");
  EXPECT_EQ(value_of(flags, "acls"), R"({"permissive":false})");
  EXPECT_EQ(value_of(loaded({}), "acls"), "(none)");
  EXPECT_THAT(refusal(load({"--http_authenticators=basic,x"})), HasSubstr("one of basic jwt"));
  EXPECT_THAT(refusal(load({"--http_authenticators="})), HasSubstr("expected basic, jwt, or both"));
  EXPECT_THAT(refusal(load({"--authorizer=x"})), HasSubstr("expected one of local"));
}

// Who gives the secret itself does not find it in a log.
TEST(Flags, do_not_repeat_secrets) {
  for (const char* name : {"http_credentials", "jwt_secret_key", "executor_secret_key"}) {
    const std::string flag = std::string("--") + name;
    for (const Texts& words : {Texts{flag + "=hush"}, Texts{flag + "={\"secret\":\"hush\"}"},
                               Texts{flag + "=hush", flag + "=/x"}, Texts{flag + "="}}) {
      EXPECT_THAT(refusal(load(words)), ::testing::AllOf(HasSubstr(flag), Not(HasSubstr("hush"))));
    }
    EXPECT_THAT(refusal(load({std::string("--no-") + name + "=hush"})), Not(HasSubstr("hush")));
    const std::string variable = "MESOS_" + std::string(name);
    EXPECT_THAT(refusal(load({}, {variable + "=hush"})), Not(HasSubstr("hush")));
  }
}

TEST(FlagTable, every_value_reads_back) {
  const Flags flags = loaded({"--io_switchboard_replay_size=3MB", "--isolation=a,b",
                              "--ip=::", "--executor_environment_variables={\"a\":\"b\"}"});
  for (const agent::FlagSpec& row : agent::flag_table()) {
    const auto text = row.get(flags);
    if (!text) continue;
    Flags again;
    const auto done = row.set(again, *text);
    ASSERT_TRUE(done.has_value()) << row.name << ": " << done.error().message;
    EXPECT_EQ(row.get(again), text) << row.name;
  }
}

TEST(FlagWords, know_a_flag_by_its_old_name) {
  agent::FlagSpec row =
      *std::ranges::find(agent::flag_table(), "attributes", &agent::FlagSpec::name);
  row.alias = "old_name";
  const std::span<const agent::FlagSpec> table(&row, 1);
  using Words = std::vector<std::string_view>;
  const auto read = [table](const Words& words, const Words& environment) {
    return agent::read_flag_texts(table, words, environment);
  };
  EXPECT_EQ(read({"--old_name=x"}, {})->at(row.name).text, "x");
  EXPECT_EQ(read({}, {"MESOS_OLD_NAME=x"})->at(row.name).text, "x");
  EXPECT_EQ(read({"--old_name=x"}, {"MESOS_ATTRIBUTES=y"})->at(row.name).text, "x");
  EXPECT_EQ(read({"--old_name=x"}, {"MESOS_ATTRIBUTES=y"})->at(row.name).given, "--old_name=x");
  const auto twice = read({"--old_name=x", "--attributes=y"}, {});
  ASSERT_FALSE(twice.has_value());
  EXPECT_THAT(twice.error().message, HasSubstr("Flag --attributes is given twice"));
}

std::string in_gflags(const char* name) {
  std::string value;
  return google::GetCommandLineOption(name, &value) ? value : "(unknown)";
}

TEST(Flags, are_published_to_gflags) {
  const google::FlagSaver restore;
  ASSERT_TRUE(agent::publish_flags(loaded({"--port=1", "--quiet", "--log_dir=/logs"})).has_value());
  EXPECT_EQ(in_gflags("port"), "1");
  EXPECT_EQ(in_gflags("quiet"), "true");
  EXPECT_EQ(in_gflags("strict"), "true");
  EXPECT_EQ(in_gflags("http_heartbeat_interval"), "30secs");
  EXPECT_EQ(in_gflags("log_dir"), "/logs");  // glog's own
  EXPECT_EQ(in_gflags("logbufsecs"), "0");   // glog's own, 30 by default
  EXPECT_EQ(in_gflags("ip"), "");

  ASSERT_TRUE(agent::publish_flags(loaded({"--port=2"})).has_value());
  EXPECT_EQ(in_gflags("port"), "2");
  EXPECT_EQ(in_gflags("quiet"), "false");
}

}  // namespace
