// What the launch helper is told to do, and its encoding on the pipe between agent and helper.
//
// Isolators add to one LaunchSpec; the launcher clones with its namespaces and writes the encoded
// rest into the helper's pipe. Sending it is what releases the container: the helper does nothing
// before the last byte has come, and exits if the pipe ends early (the agent died).
//
// The encoding is flat and cheap to read: strings stand NUL-terminated in the buffer, so that the
// helper points its argv and environment straight into it.
//
//   message   = magic:u32 size:u32 field*          size counts the whole message
//   string    = length:u32 byte* NUL
//   list<x>   = count:u32 x*
//
// Integers are in host byte order: both ends run on one machine, and the agent holds the helper
// that it was built with.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"

namespace isolators {

// One mount(2) in the container's mount namespace.
struct Mount {
  std::string source;
  std::string target;
  std::string type;
  std::string options;
  uint64_t flags = 0;  // MS_*
};

// Whom the container's process becomes. Resolved on the host, before any change of root.
struct Credentials {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary
};

struct LaunchSpec {
  // For the launcher, before the helper runs.
  int clone_namespaces = 0;  // CLONE_NEW* flags
  int enter_namespaces = 0;  // CLONE_NEW* flags: those of the parent container

  // The cgroups that the process joins before all else (base::CgroupHierarchy::open_entrance).
  std::vector<base::Fd> groups;

  // For the helper, in the order in which it does them.
  bool controlling_terminal = false;  // stdin is a terminal: make it the session's
  bool detach_mounts = false;         // no mount leaves the namespace (MS_SLAVE from the root down)
  std::vector<Mount> mounts;
  std::string working_directory;  // made if missing
  // How much of it, from its beginning, the operator has chosen. Below that, containers can put
  // links in the way, and none is followed.
  uint32_t trusted_prefix = 0;
  std::optional<Credentials> credentials;  // nothing: stay what the agent is
  std::string executable;
  std::vector<std::string> arguments;    // argv, argv[0] included
  std::vector<std::string> environment;  // "NAME=value", complete
};

// The helper's part of `spec`, encoded.
std::string encode_launch_spec(const LaunchSpec& spec);

// --- The helper's side: no exceptions, no standard containers. ---

struct MountView {
  const char* source;
  const char* target;
  const char* type;
  const char* options;
  uint64_t flags;
};

// Points into the buffer that it was decoded from.
struct LaunchSpecView {
  bool controlling_terminal;
  bool detach_mounts;
  MountView* mounts;
  uint32_t mount_count;
  char* working_directory;
  uint32_t trusted_prefix;
  bool has_credentials;
  uid_t uid;
  gid_t gid;
  gid_t* groups;
  uint32_t group_count;
  const char* executable;
  char** arguments;  // NULL-terminated
  char** environment;
};

inline constexpr size_t kLaunchSpecHeaderSize = 8;
inline constexpr uint32_t kMaxLaunchSpecSize = 16U << 20;

// The message's whole size by its first kLaunchSpecHeaderSize bytes; 0 if they are no header.
uint32_t launch_spec_size(const char* header);

// How many bytes of memory the arrays of a message need at most.
size_t launch_spec_room(size_t message_size);

// Decodes a whole message; `room` is where the arrays go, launch_spec_room(size) bytes aligned to
// 8. False if the message is malformed in any way.
bool decode_launch_spec(char* message, size_t size, char* room, LaunchSpecView* view);

}  // namespace isolators
