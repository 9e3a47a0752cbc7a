// The verbosity of the log (glog's -v), which operators may raise for a while.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/scope.h"

namespace agent {

class LoggingLevel {
 public:
  // Takes the level that is set now as the one to go back to.
  LoggingLevel();

  uint32_t get() const;

  // The level of the agent's start, to which every change goes back.
  uint32_t initial() const { return initial_; }

  // Sets the level; after `duration` it goes back to the initial one. A later call takes the place
  // of an earlier one.
  void set(uint32_t level, std::chrono::nanoseconds duration);

 private:
  base::Task<void> revert_after(std::chrono::nanoseconds duration);

  const uint32_t initial_;
  base::Scope reverting_;
};

}  // namespace agent
