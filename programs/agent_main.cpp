// mesos-agent: reads the flags, wires the parts together, runs.

#include <fcntl.h>
#include <glog/logging.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <thread>

#include "agent/agent.h"
#include "agent/agent_info.h"
#include "agent/flags.h"
#include "agent/logging.h"
#include "agent/resources.h"
#include "agent/version.h"
#include "base/event_loop.h"
#include "base/fd_window.h"
#include "base/files.h"
#include "base/scope.h"
#include "base/stream.h"
#include "base/strings.h"
#include "base/worker.h"
#include "http/server.h"
#include "isolators/registry.h"
#include "operator_api/routes.h"
#include "programs/agent_listeners.h"
#include "programs/agent_membership.h"
#include "programs/agent_tls.h"
#include "programs/signal_handler.h"

namespace {

using base::concat;
using base::Result;
using base::Status;
using base::Task;
using programs::AgentTls;
using programs::Listeners;
using programs::Membership;
using programs::SignalHandler;

// For the runtime directory's lock, while a killed agent's last traces go.
constexpr std::chrono::seconds kLockPatience{5};

// --- Setting up ---

// Absolute, and without a slash at the end: paths in it are compared with it.
std::string normal_directory(const std::string& path) {
  const auto normal = std::filesystem::absolute(path).lexically_normal();
  return (normal.has_filename() ? normal : normal.parent_path()).native();
}

Result<agent::Flags> read_flags(int argc, char** argv) {
  TRY(agent::Flags flags, agent::load_flags(argc, argv, environ));
  if (flags.help || flags.version) return flags;
  if (!flags.launcher_dir) {
    std::error_code ignored;
    flags.launcher_dir = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  }
  flags.work_dir = normal_directory(flags.work_dir);
  flags.runtime_dir = normal_directory(flags.runtime_dir);
  if (flags.containerizers != std::vector<std::string>{"mesos"}) {
    return base::fail("--containerizers: this agent has only the containerizer 'mesos'");
  }
  return flags;
}

Result<containerizer::Services> make_services(const agent::Flags& flags) {
  containerizer::Options options;
  options.work_dir = flags.work_dir;
  options.runtime_dir = flags.runtime_dir;
  options.launcher_dir = *flags.launcher_dir;
  options.switch_user = flags.switch_user;
  options.destroy_timeout = flags.cgroups_destroy_timeout;
  options.cpu_limits_enforced = flags.cgroups_enable_cfs;
  options.heartbeat_interval = flags.http_heartbeat_interval;
  options.replay_size = flags.io_switchboard_replay_size;
  options.all_attachable = flags.io_switchboard_all_containers;
  options.fetcher.program = base::join_path(options.launcher_dir, "mesos-fetcher");
  options.fetcher.cache_dir = flags.fetcher_cache_dir;
  options.fetcher.cache_size = flags.fetcher_cache_size;
  options.fetcher.stall_timeout = flags.fetcher_stall_timeout;
  options.fetcher.hadoop_home = flags.hadoop_home;
  options.fetcher.frameworks_home = flags.frameworks_home;
  options.termination_retention = flags.termination_retention;
  options.termination_retention_count = flags.termination_retention_count;

  TRY(auto helper, containerizer::HelperImage::load(
                       base::join_path(options.launcher_dir, "mesos-containerizer")));
  const bool is_linux = flags.launcher == "linux";
  std::unique_ptr<containerizer::Launcher> launcher;
  if (is_linux) {
    TRY(launcher,
        containerizer::make_linux_launcher(std::move(helper), flags.cgroups_root, flags.runtime_dir,
                                           flags.cgroups_destroy_timeout));
  } else {
    launcher = containerizer::make_posix_launcher(std::move(helper));
  }
  isolators::IsolatorOptions isolation;
  isolation.names = flags.isolation;
  isolation.linux_launcher = is_linux;
  isolation.cgroups_root = flags.cgroups_root;
  isolation.cgroups_enable_cfs = flags.cgroups_enable_cfs;
  isolation.cgroups_limit_swap = flags.cgroups_limit_swap;
  isolation.cgroups_count_processes = flags.cgroups_cpu_enable_pids_and_tids_count;
  isolation.disallow_sharing_agent_pid_namespace = flags.disallow_sharing_agent_pid_namespace;
  TRY(auto isolators, isolators::make_isolators(isolation));
  containerizer::RuntimePaths paths(options.runtime_dir);
  return containerizer::Services{std::move(options), std::move(paths), std::move(launcher),
                                 std::move(isolators)};
}

// Each container needs a few descriptors; the usual soft limit of 1,024 would end at some hundred.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Clients must not take all descriptors, however many are `wanted`: containers would end without
// being cleaned up. One that is attached costs two.
http::Limits connection_limits(size_t wanted) {
  http::Limits limits{.connections = wanted};
  rlimit descriptors{};
  if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
    limits.connections = std::min<size_t>(limits.connections, descriptors.rlim_cur / 4);
  }
  return limits;
}

// flock(2), but not for longer than kLockPatience.
bool wait_for_lock(int fd) {
  struct sigaction interrupt{};
  interrupt.sa_handler = [](int) {};  // without SA_RESTART: the call ends with EINTR
  struct sigaction before{};
  sigaction(SIGALRM, &interrupt, &before);
  // Again and again, in case the first comes before the call has begun.
  itimerval timer{.it_interval = {.tv_sec = 1, .tv_usec = 0},
                  .it_value = {.tv_sec = kLockPatience.count(), .tv_usec = 0}};
  setitimer(ITIMER_REAL, &timer, nullptr);
  const bool locked = flock(fd, LOCK_EX) == 0;
  const int code = errno;
  timer = {};
  setitimer(ITIMER_REAL, &timer, nullptr);
  sigaction(SIGALRM, &before, nullptr);
  errno = code;
  return locked;
}

// Two agents on one directory would take each other's containers for their own. But who has it may
// be a process that an agent was just starting when it was killed, which shares its descriptors
// until it has executed its program: that one is waited for, and then is where recovery finds it.
Result<base::Fd> lock_runtime_dir(const std::string& runtime_dir) {
  const std::string path = base::join_path(runtime_dir, "lock");
  base::Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return base::fail_errno(concat("open '", path, "'"));
  if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK && wait_for_lock(fd.get())) return fd;
  if (errno != EINTR) return base::fail_errno(concat("flock '", path, "'"));
  return base::fail(concat("--runtime_dir: another agent is using '", runtime_dir, "'"));
}

// The configurations that are there must be good; none is started yet.
Status check_resource_providers(const agent::Agent& agent) {
  if (!agent.resource_provider_configs) return {};
  auto configs = agent.resource_provider_configs->load();
  if (!configs) {
    return base::fail(concat("--resource_provider_config_dir: ", configs.error().message));
  }
  for (const auto& info : *configs) {
    LOG(ERROR) << "The resource provider with type '" << info.type() << "' and name '"
               << info.name() << "' is not started: this agent runs no resource providers yet";
  }
  return {};
}

// A rule with a misspelt path protects nothing.
void warn_of_rules(const agent::Flags& flags) {
  if (!flags.firewall_rules) return;
  for (const std::string& path : flags.firewall_rules->disabled_paths) {
    const auto* route = operator_api::find_route(path);
    if (route == nullptr || !operator_api::is_disabled(*route, *flags.firewall_rules)) {
      LOG(WARNING) << "--firewall_rules: there is no endpoint '" << path << "'";
    }
  }
}

// The lists of --acls that name what there is not protect nothing either. An endpoint that does not
// exist stops Mesos too.
Status check_acls(const agent::Agent& agent) {
  if (!agent.authorizer) return {};
  const agent::Acls& acls = agent.authorizer->acls();
  for (const std::string& name : acls.unknown_lists()) {
    LOG(WARNING) << "--acls: there is no list '" << name << "'";
  }
  for (const std::string& path : acls.objects_of("get_endpoints")) {
    if (!operator_api::is_authorized_path(path)) {
      return base::fail(concat("--acls: get_endpoints: there is no endpoint '", path,
                               "' that can be named there"));
    }
  }
  return {};
}

// --- Running ---

// --recover=cleanup: ends what an earlier run has left, and with it this run.
Task<void> clean_up(agent::Agent& agent, Membership* membership, base::EventLoop& loop) {
  if (membership != nullptr) co_await membership->clean_up();
  co_await agent.containers.destroy_all();
  loop.stop();
}

// Serves until SIGTERM or SIGINT; containers live on then, for the next start to take up.
Status serve(agent::Agent& agent, AgentTls& tls, base::EventLoop& loop) {
  // Before anybody can connect: who can may also take it that the agent ends in order.
  std::function<void()> stop = [&loop] { loop.stop(); };
  const SignalHandler on_terminate(loop, SIGTERM, [&stop] { stop(); });
  const SignalHandler on_interrupt(loop, SIGINT, [&stop] { stop(); });
  TRY(auto listeners, Listeners::open(agent, tls.get()));
  agent.info.set_port(agent.flags.advertise_port.value_or(listeners->port()));
  std::unique_ptr<Membership> membership;  // none: standalone
  if (agent.flags.master) {
    TRY(membership, Membership::make(agent, loop));
  }
  const auto started = std::chrono::steady_clock::now();
  TRY_VOID(agent.containers.recover());
  if (membership) TRY_VOID(membership->recover());
  agent.recovery_time = std::chrono::steady_clock::now() - started;
  LOG(INFO) << "Serving on " << listeners->description() << " with "
            << agent.containers.containers().size() << " recovered containers";

  warn_of_rules(agent.flags);
  base::Scope scope;  // last: its connections end before what they use
  if (agent.flags.recover == "cleanup") {
    scope.spawn(clean_up(agent, membership.get(), loop));
    // Executors come to be told that they are to end.
    if (membership) {
      listeners->serve(agent, connection_limits(agent.flags.max_connections), scope);
    }
    loop.run();
    return {};
  }
  agent::start_garbage_collection(agent);
  // What an earlier run has left is known before the first request, which may be waiting already.
  if (membership) membership->start();
  listeners->serve(agent, connection_limits(agent.flags.max_connections), scope);
  tls.reload_on_hangup(loop);

  if (membership) stop = [&membership] { membership->stop(); };
  loop.run();
  if (membership) TRY_VOID(membership->end());
  LOG(INFO) << "Stopping; containers go on";
  return {};
}

Status run(agent::Flags flags) {
  TRY_VOID(base::make_directories(flags.work_dir));
  TRY_VOID(base::make_directories(flags.runtime_dir));
  TRY(base::Fd lock, lock_runtime_dir(flags.runtime_dir));
  TRY(auto resources, agent::load_resources(flags));
  base::EventLoop loop;
  base::prepare_workers();
  TRY(auto services, make_services(flags));
  const std::string ip = agent::advertised_ip(flags);
  TRY(auto info, agent::make_agent_info(flags, resources, ip));
  TRY(const auto tls, AgentTls::load());
  agent::Agent agent(std::move(flags), std::move(info), std::move(services));
  agent.ip = ip;
  agent.sender.dialer().use_tls(tls->get());
  TRY(agent.authentication, agent::Authentication::load(agent.flags));
  TRY_VOID(check_acls(agent));
  TRY_VOID(check_resource_providers(agent));
  return serve(agent, *tls, loop);
}

int fail_start(const base::Error& error) {
  std::fprintf(stderr, "mesos-agent: %s\n", error.message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  auto flags = read_flags(argc, argv);
  if (!flags) return fail_start(flags.error());
  if (flags->help) {
    std::fputs(agent::flags_help(argv[0]).c_str(), stdout);
    return 0;
  }
  if (flags->version) {
    std::puts(agent::version_text().c_str());
    return 0;
  }
  if (auto published = agent::publish_flags(*flags); !published) {
    return fail_start(published.error());
  }
  if (auto configured = agent::configure_logging(*flags); !configured) {
    return fail_start(configured.error());
  }
  google::InitGoogleLogging(argv[0]);
  signal(SIGPIPE, SIG_IGN);
  // While a container is being started, its process shares our memory for a moment: nobody in the
  // container may look into it (CVE-2016-9962).
  prctl(PR_SET_DUMPABLE, 0);
  raise_descriptor_limit();
  if (auto reserved = base::FdWindow::reserve(); !reserved) return fail_start(reserved.error());
  auto ended = run(*std::move(flags));
  return ended ? 0 : fail_start(ended.error());
}
