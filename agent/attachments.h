// Which files of the host the files API shows, and under which virtual paths.
//
//   /slave/log                                              the agent's log
//   /frameworks/<fid>/executors/<eid>/runs/latest           an executor's sandbox
//   <work_dir>/slaves/<sid>/frameworks/.../runs/latest      the same
//   <work_dir>/slaves/<sid>/frameworks/.../runs/<cid>       the same, also of earlier runs
//   <work_dir>/containers/<cid>                             a standalone container's sandbox
//
// Nested containers' sandboxes are below their roots'. Below an executor's sandbox, as long as it
// runs, its persistent volumes are found under their container paths. All are found in the agent's
// state and on disk when they are asked for, so there is nothing to keep in step: with its
// directory a sandbox loses its virtual paths.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/agent.h"

namespace agent {

struct Attachment {
  std::string virtual_path;
  std::string real_path;
  bool is_log = false;  // a file, else a sandbox
  // Whose sandbox it is; empty for a standalone container's.
  std::string framework_id = {};
  std::string executor_id = {};
};

// All of them, by virtual path. Reads a directory.
std::vector<Attachment> list_attachments(const Agent& agent);

// A virtual path as far as it is known.
struct VirtualPath {
  Attachment attachment;
  std::string rest;  // below the attachment, without slashes around it
};

// The path in the form that comparing takes: one slash in front, none at the end.
std::string normalize_virtual_path(std::string_view path);

// The longest attachment that a normalized path is below. Whether the rest exists is not looked at.
// Nothing if there is none.
std::optional<VirtualPath> find_attachment(const Agent& agent, const std::string& path);

}  // namespace agent
