#include "fetcher/cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <glog/logging.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/strings.h"
#include "fetcher/uri.h"

namespace fetcher {

using base::Bytes;
using base::concat;
using base::Fd;
using base::Result;
using base::Status;
using base::Task;

namespace {

constexpr size_t kWholeName = 20;
constexpr size_t kPartOfName = 10;
// The directory of containers that run as the agent; no user has this name.
constexpr char kAgentsOwn[] = "@agent";

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// Nothing else is deleted, whatever directory --fetcher_cache_dir names.
bool is_cache_file(std::string_view name) {
  if (name.starts_with('.') && name.ends_with(".part")) name.remove_prefix(1);
  const size_t dash = name.find('-');
  return name.starts_with('c') && dash != std::string_view::npos &&
         base::parse_number<uint64_t>(name.substr(1, dash - 1)).has_value();
}

std::vector<std::string> names_in(int directory) {
  std::vector<std::string> names;
  Fd own(openat(directory, ".", kOpenDirectory));
  DIR* stream = own ? fdopendir(own.get()) : nullptr;
  if (stream == nullptr) return names;
  own.release();  // closedir() closes it
  while (const dirent* entry = readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  closedir(stream);
  return names;
}

void remove_cache_files(int directory) {
  for (const auto& name : names_in(directory)) {
    if (is_cache_file(name)) unlinkat(directory, name.c_str(), 0);
  }
}

// Whether nobody but us and root can put something else in place of that directory or of one that
// it is in. In /tmp anybody may have made them.
bool is_ours_alone(std::string path) {
  const mode_t others = S_IWGRP | S_IWOTH;
  bool top = false;
  for (bool parent = false; !top; parent = true) {
    top = path == "/";
    struct stat info{};
    if (lstat(path.c_str(), &info) < 0 || !S_ISDIR(info.st_mode)) return false;
    if (info.st_uid != geteuid() && info.st_uid != 0) return false;
    // In a sticky directory others can rename only what is theirs.
    const bool sticky = parent && (info.st_mode & S_ISVTX) != 0;
    if ((info.st_mode & others) != 0 && !sticky) return false;
    path.resize(std::max<size_t>(path.rfind('/'), 1));
  }
  return true;
}

}  // namespace

std::string cache_file_name(uint64_t serial, std::string_view name) {
  std::string file = concat("c", serial, "-");
  if (name.size() <= kWholeName) return file += name;
  return concat(file, name.substr(0, kPartOfName), "_", name.substr(name.size() - kPartOfName));
}

Cache::Cache(std::string directory, Bytes capacity)
    : directory_(std::move(directory)), capacity_(capacity) {}

std::string Cache::key(const std::optional<User>& user, const std::string& uri) {
  return user ? concat(user->name, "@", uri) : uri;
}

std::string Cache::directory_of(const std::optional<User>& user) const {
  return base::join_path(directory_, user ? user->name : kAgentsOwn);
}

// --- The directory ---

void Cache::recover() {
  if (!directory_.empty() && base::path_exists(directory_)) prepare();
}

bool Cache::prepare() {
  if (prepared_ || directory_.empty()) return static_cast<bool>(lock_);
  prepared_ = true;
  auto taken = take_directory();
  if (!taken) LOG(WARNING) << "The fetcher does not cache: " << taken.error().message;
  return taken.has_value();
}

Status Cache::take_directory() {
  TRY_VOID(base::make_directories(directory_));
  Fd fd(open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return base::fail_errno(concat("open '", directory_, "'"));
  const std::unique_ptr<char, decltype(&free)> real(realpath(directory_.c_str(), nullptr), &free);
  if (real == nullptr || !is_ours_alone(real.get())) {
    return base::fail(concat("'", directory_, "' can be changed by others"));
  }
  if (flock(fd.get(), LOCK_EX | LOCK_NB) < 0) {
    return base::fail(concat("another agent is using '", directory_, "'"));
  }
  for (const auto& name : names_in(fd.get())) {
    const Fd user(openat(fd.get(), name.c_str(), kOpenDirectory));
    if (user) remove_cache_files(user.get());
  }
  lock_ = std::move(fd);
  return {};
}

Status Cache::prepare_for(const std::optional<User>& user) {
  if (user && (!is_plain_path(user->name) || user->name.find('/') != std::string::npos)) {
    return base::fail(concat("'", user->name, "' cannot be the name of a directory"));
  }
  const std::string path = directory_of(user);
  if (mkdir(path.c_str(), 0700) < 0 && errno != EEXIST) {
    return base::fail_errno(concat("mkdir '", path, "'"));
  }
  const Fd fd(open(path.c_str(), kOpenDirectory));
  if (!fd) return base::fail_errno(concat("open '", path, "'"));
  if (user && fchown(fd.get(), user->uid, user->gid) < 0) {
    return base::fail_errno(concat("chown '", path, "'"));
  }
  return {};
}

// --- Entries ---

Task<Cache::Use> Cache::use(std::optional<User> user, std::string uri) {
  const std::string key = Cache::key(user, uri);
  while (prepare()) {
    const auto at = entries_.find(key);
    if (at == entries_.end()) {
      if (auto prepared = prepare_for(user); !prepared) {
        LOG(WARNING) << "Fetching without the cache: " << prepared.error().message;
        break;
      }
      auto entry = std::make_shared<Entry>();
      entry->key = key;
      entry->file = cache_file_name(++serial_, last_part(uri));
      entry->path = base::join_path(directory_of(user), entry->file);
      entries_.emplace(key, entry);
      co_return Use(this, std::move(entry), Use::Action::kDownload);
    }
    const auto entry = at->second;
    if (!entry->complete) {
      co_await entry->settled.wait();
      continue;
    }
    struct stat info{};
    if (lstat(entry->path.c_str(), &info) == 0 && S_ISREG(info.st_mode)) {
      co_return Use(this, entry, Use::Action::kRetrieve);
    }
    drop(entry);  // somebody has deleted it
  }
  co_return Use();
}

bool Cache::make_room(uint64_t size) {
  if (size > capacity_.count()) return false;
  while (used_ > capacity_.count() - size) {
    std::shared_ptr<Entry> oldest;
    for (const auto& [key, entry] : entries_) {
      if (!entry->complete || entry->users > 0) continue;
      if (oldest == nullptr || entry->last_used < oldest->last_used) oldest = entry;
    }
    if (oldest == nullptr) return false;
    LOG(INFO) << "Evicting '" << oldest->path << "' from the fetcher's cache";
    drop(oldest);
  }
  return true;
}

void Cache::drop(const std::shared_ptr<Entry>& entry) {
  if (std::exchange(entry->dropped, true)) return;
  used_ -= entry->size;
  const size_t name = entry->path.rfind('/') + 1;
  const std::string part =
      entry->path.substr(0, name) + unfinished_name(std::string_view(entry->path).substr(name));
  for (const auto& path : {entry->path, part}) {
    if (unlink(path.c_str()) < 0 && errno != ENOENT) PLOG(WARNING) << "unlink '" << path << "'";
  }
  entries_.erase(entry->key);
  entry->settled.set();
}

// --- Uses ---

Cache::Use::Use(Cache* cache, std::shared_ptr<Entry> entry, Action action)
    : cache_(cache), entry_(std::move(entry)), action_(action) {
  ++entry_->users;
  entry_->last_used = ++cache_->clock_;
}

Cache::Use::Use(Use&& other) noexcept
    : cache_(other.cache_),
      entry_(std::move(other.entry_)),
      action_(std::exchange(other.action_, Action::kBypass)) {}

Cache::Use& Cache::Use::operator=(Use&& other) noexcept {
  if (this != &other) {
    release();
    cache_ = other.cache_;
    entry_ = std::move(other.entry_);
    action_ = std::exchange(other.action_, Action::kBypass);
  }
  return *this;
}

Cache::Use::~Use() { release(); }

void Cache::Use::release() {
  if (entry_ == nullptr) return;
  --entry_->users;
  if (action_ == Action::kDownload && !entry_->complete) cache_->drop(entry_);
  entry_.reset();
  action_ = Action::kBypass;
}

void Cache::Use::reserve(std::optional<Bytes> size) {
  if (size && cache_->make_room(size->count())) {
    entry_->size = size->count();
    cache_->used_ += entry_->size;
  } else {
    release();
  }
}

void Cache::Use::finish() {
  struct stat info{};
  if (action_ != Action::kDownload || lstat(entry_->path.c_str(), &info) < 0) return;
  const auto size = static_cast<uint64_t>(info.st_size);
  if (!S_ISREG(info.st_mode) || size > entry_->size) return;
  cache_->used_ -= entry_->size - size;
  entry_->size = size;
  entry_->complete = true;
  entry_->settled.set();
}

}  // namespace fetcher
