// The agent's side of fetching: what a container's command names by URIs is put into its sandbox
// by a process of the program mesos-fetcher, before the command is started.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"
#include "base/task.h"
#include "fetcher/cache.h"
#include "proto/internal/fetcher.pb.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace fetcher {

struct Options {
  std::string program;    // the path of mesos-fetcher
  std::string cache_dir;  // empty: nothing is cached
  base::Bytes cache_size{0};
  std::chrono::nanoseconds stall_timeout = std::chrono::minutes(1);
  std::optional<std::string> hadoop_home;
  std::string frameworks_home;
};

// What a container wants. Everything is borrowed for as long as the fetch takes.
struct Request {
  std::string container;  // for messages
  const mesos::v1::CommandInfo* command = nullptr;
  std::optional<User> user;  // whom to fetch as, and who owns what is fetched
  std::string sandbox_path;
  int sandbox_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;

  // Called with each process that is started: to keep a descriptor of it until it has ended, which
  // is given back to be borrowed. A process ends soon after its fetch is cancelled or the agent is
  // killed, with all that it has started; only then can the sandbox be deleted or used again.
  std::function<base::Result<int>(pid_t pid)> adopt;
};

class Fetcher {
 public:
  explicit Fetcher(Options options);

  // Empties the cache. At the agent's start.
  void recover() { cache_.recover(); }

  // Fetches all URIs, which check_uri() accepts, one after the other; does nothing if there are
  // none. An error says which failed, and why.
  base::Task<base::Status> fetch(Request request);

  // Containers whose fetch succeeded, and failed.
  uint64_t succeeded() const { return succeeded_; }
  uint64_t failed() const { return failed_; }

  const Cache& cache() const { return cache_; }

 private:
  using FetcherInfo = mesosagent::internal::FetcherInfo;

  base::Task<base::Status> fetch_all(const Request& request);
  base::Task<base::Status> plan(const Request& request, FetcherInfo* info,
                                std::vector<Cache::Use>* uses);
  base::Task<Cache::Use> use_cache(const Request& request, const FetcherInfo& info,
                                   const mesos::v1::CommandInfo::URI& uri);
  base::Task<std::optional<base::Bytes>> probe(const Request& request, const FetcherInfo& info,
                                               const mesos::v1::CommandInfo::URI& uri);
  FetcherInfo make_info(const Request& request) const;
  std::vector<std::string> make_environment(const FetcherInfo& info) const;

  // Runs the program and gives what it has written to its socket; an error if it failed.
  base::Task<base::Result<std::string>> run(const Request& request, const FetcherInfo& info,
                                            bool probe);

  Options options_;
  Cache cache_;
  uint64_t succeeded_ = 0;
  uint64_t failed_ = 0;
};

// Of an environment what the program gets: not what is about the agent, but for its logging.
std::vector<std::string> inherited_environment(const char* const* environment);

}  // namespace fetcher
