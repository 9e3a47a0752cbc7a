// The sandbox: the directory that belongs to a container. Its owner is the container's user, who
// may put anything there, symbolic links included; so the agent (root) walks it component by
// component and never follows a link (CVE-2021-30465 and its kin).
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "isolators/container_id.h"
#include "isolators/launch_spec.h"

namespace containerizer {

using isolators::ContainerId;

// Uid, gid and supplementary groups of a user of the host. Reads the user database, which may be
// slow: for a worker thread. kInvalid with "No such user '<name>'" if there is none.
base::Result<isolators::Credentials> find_user(const std::string& name);

class Sandbox {
 public:
  // Makes the directory `path` and those above it, up to `work_dir`, as far as they are missing. A
  // sandbox that was made now has mode 0750 and is given to `owner`, if there is one; if that
  // fails, it is deleted again. The directories between sandboxes stay the agent's. `path` is what
  // path_of(), child_path() or an executor's run directory is, see below; anything else is
  // kInvalid.
  static base::Result<Sandbox> create(const std::string& work_dir, const std::string& path,
                                      const std::optional<isolators::Credentials>& owner);

  // Of a standalone container and those nested in it:
  // <work_dir>/containers/<root>[/containers/<child>...]
  static std::string path_of(const std::string& work_dir, const ContainerId& id);

  // Of a container nested in the one whose sandbox is `parent`, which may also be an executor's:
  // <work_dir>/slaves/<agent>/frameworks/<framework>/executors/<executor>/runs/<root>
  static std::string child_path(const std::string& parent, std::string_view child);

  const std::string& path() const { return path_; }

  // Whether create() has made it; otherwise an earlier container of this id has left it.
  bool is_new() const { return is_new_; }

  // An empty file in the sandbox to append to, given to `owner`. Fails if what has that name is
  // anything but a regular file with no other name.
  base::Result<base::Fd> open_output(const char* name,
                                     const std::optional<isolators::Credentials>& owner) const;

  // Of the directory. Borrowed.
  int fd() const { return fd_.get(); }

  // A path of a file in it that leads there whatever becomes of the directories above. For this
  // process, as long as this object lives.
  std::string safe_path(std::string_view name) const;

  // Deletes a sandbox and all in it. Fine if there is none. For a worker thread.
  static base::Status remove(const std::string& work_dir, const std::string& path);

 private:
  Sandbox(std::string path, base::Fd fd, bool is_new)
      : path_(std::move(path)), fd_(std::move(fd)), is_new_(is_new) {}

  std::string path_;
  base::Fd fd_;
  bool is_new_;
};

}  // namespace containerizer
