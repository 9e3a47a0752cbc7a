// Who deletes the sandboxes of containers that have ended, some day.
#pragma once

#include <string>

#include "base/result.h"
#include "base/task.h"

namespace containerizer {

class SandboxCollector {
 public:
  // How old what is discarded is.
  enum class Age {
    kFromNow,   // nothing: it was in use until now
    kAsOnDisk,  // as old as the directory's last change
  };

  virtual ~SandboxCollector() = default;

  // Nothing needs the directory any more. Fine if there is none.
  virtual void schedule(const std::string& path, Age age) = 0;

  // The directory is to be used again. Waits if it is being deleted right now; kTimeout if that
  // takes too long, and it must not be used then. False: it was deleted meanwhile.
  virtual base::Task<base::Result<bool>> reclaim(std::string path) = 0;

  // The directory is gone, with all that is below.
  virtual void forget(const std::string& path) = 0;
};

}  // namespace containerizer
