// The file `status` in a container's runtime directory: what the launch helper, which inherits it
// open, writes at the command's end.
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace containerizer {

// Makes it, empty, with room for a status (also when the disk is full by then).
base::Result<base::Fd> create_status_file(const std::string& path);

struct RecordedStatus {
  bool never_started = false;  // the helper was not released: the command never ran
  std::optional<int> status;   // as wait(2) gives it
};

// The helper's word, or what its silence means: it was killed before it could write. Nothing if
// there is no such file; an error if it cannot be read now.
base::Result<RecordedStatus> read_status_file(const std::string& path);

}  // namespace containerizer
