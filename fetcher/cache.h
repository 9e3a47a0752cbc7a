// The fetcher's cache: files by user and URI, of a bounded size in total.
//
// A file is downloaded once, by the first container that wants it; others that want it meanwhile
// wait for that. Files that no container is using give way to new ones, the one that was used
// longest ago first. Whatever goes wrong with the cache, a container is told to bypass it.
//
// On disk it is a directory of the agent with one directory for each user, who owns it and whom
// alone it can be read and written by: so nobody but the user of a container can change what that
// container gets. The directory is locked, so that two agents do not share one.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"
#include "base/sync.h"
#include "base/task.h"

namespace fetcher {

// Whom a container runs as.
struct User {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

class Cache {
 public:
  // Without a directory everything bypasses the cache.
  Cache(std::string directory, base::Bytes capacity);
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

 private:
  struct Entry {
    std::string key;
    std::string file;  // its name in the user's directory
    std::string path;
    uint64_t size = 0;  // as reserved, then as it is
    bool complete = false;
    bool dropped = false;  // is no longer in the cache
    int users = 0;
    uint64_t last_used = 0;
    base::Event settled;  // complete or dropped
  };

 public:
  // A container's use of a file: as long as it lives the file is not evicted. It must not outlive
  // the cache.
  class Use {
   public:
    enum class Action { kBypass, kDownload, kRetrieve };

    Use() = default;
    Use(Use&& other) noexcept;
    Use& operator=(Use&& other) noexcept;
    // What was to be downloaded and is not finish()ed is dropped.
    ~Use();

    Action action() const { return action_; }
    const std::string& file() const { return entry_->file; }

    // Of a download: how much room it needs. Evicts what must go for it; if there is no room, or
    // `size` is not known, this becomes a bypass.
    void reserve(std::optional<base::Bytes> size);

    // Of a download: the file is there. One that is larger than was reserved is dropped.
    void finish();

   private:
    friend Cache;
    Use(Cache* cache, std::shared_ptr<Entry> entry, Action action);
    void release();

    Cache* cache_ = nullptr;
    std::shared_ptr<Entry> entry_;
    Action action_ = Action::kBypass;
  };

  // Takes the directory, if it is there, and deletes what an earlier agent has left in it.
  void recover();

  // Waits as long as another container downloads it. To have several at once, they must be asked
  // for in the order of their key(): otherwise two containers could wait for each other.
  base::Task<Use> use(std::optional<User> user, std::string uri);
  static std::string key(const std::optional<User>& user, const std::string& uri);

  // Where files of that user are, or of containers that run as the agent itself.
  std::string directory_of(const std::optional<User>& user) const;

  base::Bytes capacity() const { return capacity_; }
  base::Bytes used() const { return base::Bytes(used_); }

 private:
  // Locks the directory, making it if need be, and empties it. Tried once only.
  bool prepare();
  base::Status take_directory();
  base::Status prepare_for(const std::optional<User>& user);
  bool make_room(uint64_t size);
  void drop(const std::shared_ptr<Entry>& entry);

  const std::string directory_;
  const base::Bytes capacity_;
  base::Fd lock_;
  bool prepared_ = false;
  uint64_t used_ = 0;
  uint64_t serial_ = 0;
  uint64_t clock_ = 0;
  std::map<std::string, std::shared_ptr<Entry>> entries_;
};

// c<serial>-<name>, with the middle of a long name left out.
std::string cache_file_name(uint64_t serial, std::string_view name);

}  // namespace fetcher
