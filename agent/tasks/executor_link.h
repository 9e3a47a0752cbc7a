// The way from the agent to an executor. There are two kinds of executors: those that have
// subscribed by HTTP get events on their stream (event_stream.h), those made with the old driver
// get libprocess messages (driver_link.h).
#pragma once

#include <optional>
#include <string>

#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

struct Framework;

// Nothing here waits or fails: what cannot be delivered is lost, as the API has it. An executor
// that comes back says what it knows of.
class ExecutorLink {
 public:
  virtual ~ExecutorLink() = default;

  virtual void launch(const Framework& framework, const mesos::v1::TaskInfo& task) = 0;
  // Whether launch_group() can be called.
  virtual bool takes_groups() const { return true; }
  virtual void launch_group(const mesos::v1::TaskGroupInfo& group) = 0;
  virtual void kill(const mesos::v1::FrameworkID& framework, const mesos::v1::TaskID& task,
                    const std::optional<mesos::v1::KillPolicy>& policy) = 0;

  // The agent has the update, and will not lose it.
  virtual void acknowledge(const mesos::v1::FrameworkID& framework, const mesos::v1::TaskID& task,
                           const std::string& uuid) = 0;

  virtual void message(const mesos::v1::FrameworkID& framework,
                       const mesos::v1::ExecutorID& executor, const std::string& data) = 0;
  virtual void shut_down() = 0;

  // The process id of a driver; empty for others.
  virtual std::string pid() const { return {}; }
};

}  // namespace agent
