#include "agent/tasks/executor_control.h"

#include <glog/logging.h>

#include "agent/state.h"

namespace agent {

void shut_down(const Framework& framework, Executor& executor) {
  if (executor.state == Executor::State::kTerminating ||
      executor.state == Executor::State::kTerminated) {
    return;
  }
  LOG(INFO) << "Shutting down executor '" << executor.info.executor_id().value()
            << "' of framework " << framework.info.id().value();
  executor.state = Executor::State::kTerminating;
  if (executor.control->link) executor.control->link->shut_down();
  executor.control->shutting_down.set();
}

}  // namespace agent
