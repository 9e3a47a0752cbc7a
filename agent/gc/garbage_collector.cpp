#include "agent/gc/garbage_collector.h"

#include <glog/logging.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "base/combine.h"
#include "base/strings.h"
#include "base/worker.h"

namespace agent {

using base::concat;
using base::ErrorKind;
using base::Result;
using base::Status;
using base::Task;
using std::chrono::nanoseconds;

namespace {

// At least so long after a deletion that has failed comes the next attempt.
constexpr std::chrono::minutes kRetry{1};

Task<void> wait_for(base::Event& event) { co_await event.wait(); }

bool is_below(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && path.starts_with(directory) &&
         path[directory.size()] == '/';
}

}  // namespace

Result<double> read_disk_usage(const std::string& path) {
  struct statvfs disk{};
  if (statvfs(path.c_str(), &disk) < 0) return base::fail_errno(concat("statvfs '", path, "'"));
  if (disk.f_blocks == 0) return base::fail(concat("the file system of '", path, "' has no size"));
  return 1 - static_cast<double>(disk.f_bavail) / static_cast<double>(disk.f_blocks);
}

GarbageCollector::GarbageCollector(Options options) : options_(std::move(options)) {}

// What a worker deletes at present it leaves, so that the agent's end need not wait for it.
GarbageCollector::~GarbageCollector() { stop_.request_stop(); }

void GarbageCollector::start() {
  scope_.spawn(run());
  scope_.spawn(watch_disk());
}

nanoseconds GarbageCollector::max_allowed_age(double disk_usage) const {
  const double part = std::clamp(1 - options_.disk_headroom - disk_usage, 0.0, 1.0);
  return std::chrono::duration_cast<nanoseconds>(options_.delay * part);
}

// --- The queue ---

void GarbageCollector::add(const std::string& path, Clock::time_point due) {
  waiting_.add(path, due);
  changed_.set();
}

bool GarbageCollector::unschedule(const std::string& path) { return waiting_.remove(path); }

void GarbageCollector::schedule(const std::string& path, Age age) {
  const auto age_of = [&]() -> Result<nanoseconds> {
    if (age == Age::kFromNow) {
      TRY_VOID(mark_changed(options_.work_dir, path));
      return nanoseconds(0);
    }
    TRY(const auto changed, last_change(options_.work_dir, path));
    return std::chrono::system_clock::now() - changed;
  };
  const auto passed = age_of();
  if (!passed) {
    LOG_IF(ERROR, passed.error().kind != ErrorKind::kNotFound)
        << "Not to be collected: " << passed.error().message;
    return;
  }
  // A clock that was set, or a user who can set the directory's time, makes it wait for no longer
  // than one that has just ended.
  add(path, Clock::now() + options_.delay - std::clamp(*passed, nanoseconds(0), options_.delay));
}

void GarbageCollector::forget(const std::string& path) { waiting_.remove_tree(path); }

void GarbageCollector::prune(nanoseconds remaining) {
  const auto now = Clock::now();
  waiting_.bring_forward(now, now + remaining);
  changed_.set();
}

// --- What needs it again ---

// Whether deleting what is being deleted takes it away.
bool GarbageCollector::concerns(const std::string& path) const {
  return removing_ && (*removing_ == path || is_below(path, *removing_));
}

Task<Result<bool>> GarbageCollector::reclaim(std::string path) {
  unschedule(path);
  if (!concerns(path)) co_return true;
  const auto deadline = Clock::now() + options_.patience;
  while (concerns(path)) {
    removed_.clear();
    if (!co_await base::with_timeout(wait_for(removed_), deadline - Clock::now())) {
      co_return base::fail(ErrorKind::kTimeout, concat("'", path, "' is still being deleted"));
    }
  }
  unschedule(path);  // it could not be deleted
  co_return false;
}

// --- Deleting ---

// Whatever kept it may be gone by then.
void GarbageCollector::add_again(const std::string& path) {
  add(path, Clock::now() + std::max<nanoseconds>(options_.delay, kRetry));
}

Task<void> GarbageCollector::run() {
  while (true) {
    changed_.clear();
    if (auto path = waiting_.take_due(Clock::now())) {
      co_await collect(*std::move(path));
    } else if (const auto due = waiting_.next_due()) {
      co_await base::any_of(wait_for(changed_), base::sleep_task(*due - Clock::now()));
    } else {
      co_await changed_.wait();
    }
  }
}

Task<void> GarbageCollector::collect(std::string path) {
  if (options_.in_use(path)) {
    // A container that an earlier run has left, and that is just being destroyed, say.
    LOG(WARNING) << "Not deleting '" << path << "' yet, which is in use";
    add_again(path);
    co_return;
  }
  Status removed = forget_latest(options_.work_dir, path);
  if (removed) {
    removing_ = path;
    removed = co_await base::run_on_worker(
        [remove = options_.remove, work_dir = options_.work_dir, path, stop = stop_.get_token()] {
          return remove(work_dir, path, stop);
        });
    removing_.reset();
    removed_.set();
  }
  if (removed) {
    ++succeeded_;
    forget(path);
    LOG(INFO) << "Deleted '" << path << "', of something that has ended";
    co_return;
  }
  ++failed_;
  LOG(ERROR) << "Failed to collect garbage: " << removed.error().message;
  if (!waiting_.contains(path)) add_again(path);
}

Task<void> GarbageCollector::watch_disk() {
  while (true) {
    co_await base::sleep_for(options_.disk_watch_interval);
    const auto usage = co_await base::run_on_worker(
        [ask = options_.disk_usage, work_dir = options_.work_dir] { return ask(work_dir); });
    if (!usage) {
      LOG(ERROR) << "Not watching the disk: " << usage.error().message;
      continue;
    }
    prune(options_.delay - max_allowed_age(*usage));
  }
}

}  // namespace agent
