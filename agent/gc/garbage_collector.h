// Deletes what nothing needs any more: sandboxes, and what is checkpointed of executors and
// frameworks that have ended. Each directory stays for a while, so that people can look at it; less
// long, the fuller the disk is.
//
// A directory's time counts from its last change, which whoever discards it sets to the moment of
// its end. So a restart of the agent does not begin it anew.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/gc/garbage_path.h"
#include "agent/gc/garbage_queue.h"
#include "base/result.h"
#include "base/scope.h"
#include "base/sync.h"
#include "base/task.h"
#include "containerizer/sandbox_collector.h"

namespace agent {

// The part of the file system of `path` that is in use, from 0 to 1.
base::Result<double> read_disk_usage(const std::string& path);

class GarbageCollector final : public containerizer::SandboxCollector {
 public:
  struct Options {
    std::string work_dir;
    std::chrono::nanoseconds delay{};                // --gc_delay
    double disk_headroom = 0;                        // --gc_disk_headroom
    std::chrono::nanoseconds disk_watch_interval{};  // --disk_watch_interval

    // Whether something that runs needs the directory, or something in it. The last question before
    // it is deleted.
    std::function<bool(const std::string& path)> in_use = [](const auto&) { return false; };

    // How long reclaim() waits for a deletion.
    std::chrono::nanoseconds patience = std::chrono::minutes(1);

    // What is done on a worker.
    std::function<base::Result<double>(const std::string& work_dir)> disk_usage = read_disk_usage;
    std::function<base::Status(const std::string& work_dir, const std::string& path,
                               const std::stop_token&)>
        remove = remove_garbage;
  };

  // Nothing is deleted before start().
  explicit GarbageCollector(Options options);
  GarbageCollector(const GarbageCollector&) = delete;
  GarbageCollector& operator=(const GarbageCollector&) = delete;
  ~GarbageCollector() override;

  // For tests, before start().
  Options& options() { return options_; }

  // Begins to delete, and to watch the disk.
  void start();

  // Paths that split_garbage_path() does not know are refused, with a line in the log. A path that
  // waits already waits anew.
  void schedule(const std::string& path, Age age) override;

  // The directory is needed again. Whether it was waiting.
  bool unschedule(const std::string& path);

  // unschedule(), and waits for a deletion that is under way: SandboxCollector::reclaim.
  base::Task<base::Result<bool>> reclaim(std::string path) override;

  void forget(const std::string& path) override;

  // Deletes now what would be deleted within that time.
  void prune(std::chrono::nanoseconds remaining);

  // How old a directory may become while this part of the disk is in use.
  std::chrono::nanoseconds max_allowed_age(double disk_usage) const;

  // Those that wait, and the one that is being deleted.
  size_t pending() const { return waiting_.size() + (removing_ ? 1 : 0); }
  uint64_t succeeded() const { return succeeded_; }
  uint64_t failed() const { return failed_; }

 private:
  using Clock = GarbageQueue::Clock;

  void add(const std::string& path, Clock::time_point due);
  void add_again(const std::string& path);
  base::Task<void> run();
  base::Task<void> collect(std::string path);
  base::Task<void> watch_disk();
  bool concerns(const std::string& path) const;

  Options options_;
  GarbageQueue waiting_;
  base::Event changed_;
  std::optional<std::string> removing_;  // on a worker, at present
  base::Event removed_;
  uint64_t succeeded_ = 0;
  uint64_t failed_ = 0;
  std::stop_source stop_;
  base::Scope scope_;  // last: ends before what its tasks use
};

}  // namespace agent
