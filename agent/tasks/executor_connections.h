// Executors that come, or come back: by HTTP or with the driver. And the messages between them and
// their schedulers.
#pragma once

#include <memory>
#include <string>

#include "agent/agent.h"
#include "agent/tasks/event_stream.h"
#include "agent/tasks/executor_link.h"
#include "agent/tasks/frameworks.h"
#include "agent/tasks/status_updates.h"
#include "agent/tasks/task_checkpoints.h"
#include "agent/tasks/task_delivery.h"
#include "agent/tasks/task_services.h"
#include "proto/mesos/internal/messages.pb.h"
#include "proto/mesos/v1/executor/executor.pb.h"

namespace agent {

// Has no state: the link to an executor is in its ExecutorControl. Removes nothing. Whoever comes
// and is not expected is told to end.
class ExecutorConnections {
 public:
  // All must outlive this.
  ExecutorConnections(Agent& agent, const TaskServices& services, Frameworks& frameworks,
                      StatusUpdates& updates, TaskDelivery& delivery,
                      const TaskCheckpoints& checkpoints)
      : agent_(agent),
        services_(services),
        frameworks_(frameworks),
        updates_(updates),
        delivery_(delivery),
        checkpoints_(checkpoints) {}

  // By HTTP: its events will be on the stream.
  void subscribe(const mesos::v1::executor::Call& call, std::shared_ptr<EventStream> stream);

  // With the driver. `from` is its process id.
  void register_executor(const std::string& from,
                         const mesos::internal::RegisterExecutorMessage& message);
  void reregister_executor(const std::string& from,
                           const mesos::internal::ReregisterExecutorMessage& message);

  // Best effort, both ways.
  void message_to_executor(const mesos::internal::FrameworkToExecutorMessage& message);
  void message_from_executor(const mesos::internal::ExecutorToFrameworkMessage& message);

 private:
  void connect(const Framework& framework, Executor& executor, std::unique_ptr<ExecutorLink> link);
  void drop_unknown(const Framework& framework, const Executor& executor,
                    const google::protobuf::RepeatedPtrField<mesos::v1::TaskInfo>& known);

  Agent& agent_;
  const TaskServices& services_;
  Frameworks& frameworks_;
  StatusUpdates& updates_;
  TaskDelivery& delivery_;
  const TaskCheckpoints& checkpoints_;
};

}  // namespace agent
