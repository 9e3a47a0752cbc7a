// The file `status` in a container's runtime directory: what the launch helper writes at the
// command's end. The helper inherits it open, and locked (flock) by that very descriptor; the lock
// goes when the helper is dead, and says so even of a helper whose pid nobody has written down.
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace containerizer {

// Makes it, empty, with room for a status (also when the disk is full by then), and locked.
base::Result<base::Fd> create_status_file(const std::string& path);

// Whether a helper still has it.
bool has_helper(const std::string& path);

struct RecordedStatus {
  bool never_started = false;  // the helper was not released: the command never ran
  std::optional<int> status;   // as wait(2) gives it
};

// The helper's word, or what its silence means: it was killed before it could write.
RecordedStatus read_status_file(const std::string& path);

}  // namespace containerizer
