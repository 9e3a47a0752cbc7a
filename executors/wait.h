// Waiting for an event as a task, for any_of and its kin.
#pragma once

#include "base/sync.h"
#include "base/task.h"

namespace executors {

inline base::Task<void> wait_for(base::Event& event) { co_await event.wait(); }

}  // namespace executors
