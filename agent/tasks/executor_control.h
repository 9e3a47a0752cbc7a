// What belongs to an executor that runs, besides what the API shows of it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/tasks/executor_link.h"
#include "base/sync.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

struct Executor;
struct Framework;

// Why an executor ends, as its tasks' terminal updates say if its container does not know better.
struct EndCause {
  mesos::v1::TaskState state = mesos::v1::TASK_FAILED;
  mesos::v1::TaskStatus::Reason reason = mesos::v1::TaskStatus::REASON_EXECUTOR_TERMINATED;
  std::string message;
};

struct ExecutorControl {
  // How it is reached; none as long as it has not subscribed.
  std::unique_ptr<ExecutorLink> link;

  // Set when it subscribes, or registers, in this run of the agent.
  base::Event subscribed;

  // Set when it is known whether it lives on after a restart of the agent: it has come back, or its
  // container has ended.
  base::Event settled;

  // Set when it has been asked to end.
  base::Event shutting_down;

  // The last cause counts.
  std::optional<EndCause> cause;
};

// Asks an executor to end, unless it is ending. Its container is destroyed when its time to do that
// is over (ExecutorContainers).
void shut_down(const Framework& framework, Executor& executor);

}  // namespace agent
