// What running tasks needs of the rest of the agent.
#pragma once

#include <google/protobuf/message.h>

#include <functional>
#include <string>

#include "base/task.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

// Posts to the master. False: the agent is not registered, nothing was sent.
using ToMaster = std::function<bool(const google::protobuf::Message&)>;

// Posts to a process: the scheduler or executor of a driver. What cannot be sent is lost.
using ToProcess = std::function<void(const std::string& pid, const google::protobuf::Message&)>;

struct TaskServices {
  ToMaster to_master;
  ToProcess to_process;

  // Whether all these resources are the agent's, as far as they are reserved dynamically or
  // persistent volumes.
  std::function<bool(const google::protobuf::RepeatedPtrField<mesos::v1::Resource>&)> has_resources;

  // Waits for what may still make such resources: operations that have come before.
  std::function<base::Task<void>()> operations_settled;

  // The version of the agent's own resources that offers are based on: 16 bytes.
  std::string resource_version;
};

}  // namespace agent
