#include "fetcher/fetcher.h"

#include <glog/logging.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "base/process.h"
#include "base/spawn.h"
#include "base/stream.h"
#include "base/strings.h"
#include "fetcher/uri.h"
#include "proto/json_write.h"

namespace fetcher {

using base::Bytes;
using base::concat;
using base::Fd;
using base::Result;
using base::Status;
using base::Task;
using mesos::v1::CommandInfo;

namespace {

// The descriptors of the program.
constexpr int kControlFd = 3;
constexpr int kSandboxFd = 4;

// A reason of failure, or the sizes of some thousand files.
constexpr size_t kLongestReport = 64 << 10;

constexpr std::array<std::string_view, 6> kLoggingVariables = {
    "MESOS_LOG_DIR",    "MESOS_LOGGING_LEVEL",     "MESOS_QUIET",
    "MESOS_LOGBUFSECS", "MESOS_EXTERNAL_LOG_FILE", "MESOS_INITIALIZE_DRIVER_LOGGING"};

struct SocketPair {
  Fd ours;
  Fd theirs;
};

Result<SocketPair> make_socket_pair() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
    return base::fail_errno("socketpair");
  }
  return SocketPair{Fd(fds[0]), Fd(fds[1])};
}

// Up to the end, which is that of the process; closes the socket.
Task<Result<std::string>> read_report(Fd socket) {
  base::Stream stream(std::move(socket));
  std::string report;
  std::array<char, 4096> buffer;
  while (true) {
    CO_TRY(const size_t size, co_await stream.read_some(buffer));
    if (size == 0) co_return report;
    if (report.size() < kLongestReport) report.append(buffer.data(), size);
  }
}

std::string describe_end(int status, const std::string& report) {
  if (WIFSIGNALED(status)) return concat("mesos-fetcher was killed by signal ", WTERMSIG(status));
  if (!report.empty()) return report;
  return concat("mesos-fetcher exited with status ", WEXITSTATUS(status));
}

}  // namespace

std::vector<std::string> inherited_environment(const char* const* environment) {
  std::vector<std::string> inherited;
  for (; *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    const std::string_view name = entry.substr(0, entry.find('='));
    const bool agents = name.starts_with("LIBPROCESS_") || name.starts_with("MESOS_");
    if (!agents || std::ranges::find(kLoggingVariables, name) != kLoggingVariables.end()) {
      inherited.emplace_back(entry);
    }
  }
  return inherited;
}

Fetcher::Fetcher(Options options)
    : options_(std::move(options)), cache_(options_.cache_dir, options_.cache_size) {}

Task<Status> Fetcher::fetch(Request request) {
  if (request.command->uris_size() == 0) co_return {};
  Status fetched = co_await fetch_all(request);
  ++(fetched ? succeeded_ : failed_);
  if (fetched) co_return {};
  co_return base::fail(concat("Failed to fetch all URIs for container '", request.container,
                              "': ", fetched.error().message));
}

Task<Status> Fetcher::fetch_all(const Request& request) {
  FetcherInfo info = make_info(request);
  std::vector<Cache::Use> uses;
  CO_TRY_VOID(co_await plan(request, &info, &uses));
  CO_TRY_VOID(co_await run(request, info, false));
  for (auto& use : uses) use.finish();
  co_return {};
}

// Adds the items to `info`. What they need of the cache is held by `uses`.
Task<Status> Fetcher::plan(const Request& request, FetcherInfo* info,
                           std::vector<Cache::Use>* uses) {
  // In the order of their keys, so that containers do not wait for each other in a circle.
  std::map<std::string, const CommandInfo::URI*> cached;
  for (const auto& uri : request.command->uris()) {
    if (uri.cache()) cached.emplace(Cache::key(request.user, uri.value()), &uri);
  }
  std::map<std::string, size_t> index;
  for (const auto& [key, uri] : cached) {
    index.emplace(key, uses->size());
    uses->push_back(co_await use_cache(request, *info, *uri));
  }
  std::set<std::string> planned;
  for (const auto& uri : request.command->uris()) {
    auto* item = info->add_items();
    *item->mutable_uri() = uri;
    item->set_action(FetcherInfo::Item::BYPASS_CACHE);
    if (!uri.cache()) continue;
    const std::string key = Cache::key(request.user, uri.value());
    const Cache::Use& use = (*uses)[index.at(key)];
    if (use.action() == Cache::Use::Action::kBypass) continue;
    item->set_cache_filename(use.file());
    // What it names a second time is there by then.
    const bool there = use.action() == Cache::Use::Action::kRetrieve || planned.contains(key);
    item->set_action(there ? FetcherInfo::Item::RETRIEVE_FROM_CACHE
                           : FetcherInfo::Item::DOWNLOAD_AND_CACHE);
    planned.insert(key);
  }
  co_return {};
}

Task<Cache::Use> Fetcher::use_cache(const Request& request, const FetcherInfo& info,
                                    const CommandInfo::URI& uri) {
  Cache::Use use = co_await cache_.use(request.user, uri.value());
  if (use.action() == Cache::Use::Action::kDownload) {
    use.reserve(co_await probe(request, info, uri));
  }
  if (use.action() == Cache::Use::Action::kBypass) {
    LOG(INFO) << "Fetching '" << shown(uri.value()) << "' for container '" << request.container
              << "' without the cache: its size is not known, or there is no room";
  }
  co_return use;
}

Task<std::optional<Bytes>> Fetcher::probe(const Request& request, const FetcherInfo& info,
                                          const CommandInfo::URI& uri) {
  FetcherInfo one = info;
  auto* item = one.add_items();
  *item->mutable_uri() = uri;
  item->set_action(FetcherInfo::Item::BYPASS_CACHE);
  const auto report = co_await run(request, one, true);
  if (!report) {
    LOG(WARNING) << "Container '" << request.container << "': " << report.error().message;
    co_return std::nullopt;
  }
  const auto size = base::parse_number<uint64_t>(base::trim(*report));
  co_return size ? std::optional(Bytes(*size)) : std::nullopt;
}

Fetcher::FetcherInfo Fetcher::make_info(const Request& request) const {
  FetcherInfo info;
  info.set_sandbox_directory(request.sandbox_path);
  if (!options_.cache_dir.empty()) info.set_cache_directory(cache_.directory_of(request.user));
  if (request.user) info.set_user(request.user->name);
  if (!options_.frameworks_home.empty()) info.set_frameworks_home(options_.frameworks_home);
  info.mutable_stall_timeout()->set_nanoseconds(options_.stall_timeout.count());
  return info;
}

std::vector<std::string> Fetcher::make_environment(const FetcherInfo& info) const {
  std::vector<std::string> environment = inherited_environment(environ);
  if (options_.hadoop_home) {
    std::erase_if(environment, [](const auto& entry) { return entry.starts_with("HADOOP_HOME="); });
    environment.push_back(concat("HADOOP_HOME=", *options_.hadoop_home));
  }
  environment.emplace_back("LIBPROCESS_IP=127.0.0.1");
  std::string json = "MESOS_FETCHER_INFO=";
  proto::append_json(info, &json);
  environment.push_back(std::move(json));
  return environment;
}

// The program ends when our end of the socket is closed, be it that this is cancelled or that the
// agent is killed.
Task<Result<std::string>> Fetcher::run(const Request& request, const FetcherInfo& info,
                                       bool probe) {
  CO_TRY(SocketPair sockets, make_socket_pair());
  base::SpawnOptions spawn;
  spawn.path = options_.program;
  spawn.argv = {options_.program, concat("--control_fd=", kControlFd),
                concat("--sandbox_fd=", kSandboxFd)};
  if (probe) spawn.argv.emplace_back("--probe");
  spawn.environment = make_environment(info);
  spawn.fds = {{request.stdout_fd, STDOUT_FILENO},
               {request.stderr_fd, STDERR_FILENO},
               {sockets.theirs.get(), kControlFd},
               {request.sandbox_fd, kSandboxFd}};
  spawn.new_session = true;
  CO_TRY(const pid_t pid, base::spawn_process(spawn));
  auto pidfd = request.adopt(pid);
  if (!pidfd) {
    sockets.ours.reset();
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    co_return base::fail(std::move(pidfd).error());
  }
  sockets.theirs.reset();
  Result<std::string> report = co_await read_report(std::move(sockets.ours));
  CO_TRY(const std::optional<int> status, co_await base::wait_for_exit(*pidfd));
  if (!report || (status && WIFEXITED(*status) && WEXITSTATUS(*status) == 0)) co_return report;
  co_return base::fail(status ? describe_end(*status, *report) : "mesos-fetcher has ended");
}

}  // namespace fetcher
