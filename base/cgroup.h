// Cgroup v1 hierarchies: one object for each, found by libcgroup, worked on through a directory
// descriptor (libcgroup itself needs 800 µs for what mkdirat does in 90).
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace base {

// One group, opened: what is read of several of its files finds the way to the group once.
class CgroupDirectory {
 public:
  // A control file, without the line end. kNotFound if the file, or the group by now, is not there.
  Result<std::string> read(const char* file) const;
  Result<uint64_t> read_number(const char* file) const;

  // One that lists processes or threads.
  Result<std::string> read_list(const char* file) const;

 private:
  friend class CgroupHierarchy;
  CgroupDirectory(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<Fd> open(const char* file) const;

  Fd fd_;
  std::string path_;  // for messages
};

// The part of one v1 hierarchy below `root`, e.g. /sys/fs/cgroup/memory/mesos. Paths are relative
// to it; nothing outside is ever touched.
class CgroupHierarchy {
 public:
  // Finds where `controller` is mounted and makes the group `root` in it. Fails with a sentence if
  // the controller is not available as v1.
  static Result<CgroupHierarchy> open(const std::string& controller, const std::string& root);

  // For a hierarchy that is not mounted where libcgroup would find it, such as a test's fixture.
  // `directory` takes the place of the mounted root group and must exist.
  static Result<CgroupHierarchy> at(std::string controller, std::string directory);

  const std::string& controller() const { return controller_; }
  const std::string& directory() const { return directory_; }

  // Makes the group and all missing groups on the way. It is an error (kAlreadyExists) if the group
  // itself exists.
  Status create(const std::string& path) const;

  // Marks the group as `owner`'s, and reads the mark; kNotFound if there is none. Agents that share
  // a root group tell their groups apart by it.
  Status set_owner(const std::string& path, const std::string& owner) const;
  Result<std::string> owner(const std::string& path) const;

  // Removes the group and the groups in it, deepest first. Fine if it does not exist. EBUSY if
  // processes are in it.
  Status remove(const std::string& path) const;

  // Removes the root group itself, if nothing is in it.
  void remove_root() const;

  bool exists(const std::string& path) const;
  Result<std::vector<std::string>> children(const std::string& path) const;

  // A control file of a group, but no list. Values are written in one system call and read without
  // the line end.
  Status write(const std::string& path, const char* file, std::string_view value) const;
  Result<std::string> read(const std::string& path, const char* file) const;
  Result<uint64_t> read_number(const std::string& path, const char* file) const;
  Result<Fd> open_file(const std::string& path, const char* file, int flags) const;
  Result<CgroupDirectory> open_group(const std::string& path) const;

  // The processes in the group (not in the groups below).
  Result<std::vector<pid_t>> processes(const std::string& path) const;

  // Moves a process into the group. The kernel may take 5 to 15 ms for it (it waits for a grace
  // period of RCU); a new process had better join by itself, through open_entrance().
  Status attach(const std::string& path, pid_t pid) const;

  // A descriptor by which a process of one thread joins the group: it writes "0" into it. That
  // takes well under 0.1 ms, always.
  Result<Fd> open_entrance(const std::string& path) const;

 private:
  CgroupHierarchy(std::string controller, std::string directory, Fd fd)
      : controller_(std::move(controller)), directory_(std::move(directory)), fd_(std::move(fd)) {}

  std::string controller_;
  std::string directory_;
  Fd fd_;
};

}  // namespace base
