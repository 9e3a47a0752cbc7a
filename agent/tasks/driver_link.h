// An executor made with the old driver: it is posted messages, at its process id.
#pragma once

#include <functional>
#include <string>

#include "agent/tasks/executor_link.h"
#include "proto/mesos/internal/messages.pb.h"

namespace agent {

class DriverLink final : public ExecutorLink {
 public:
  using Post = std::function<void(const std::string& pid, const google::protobuf::Message&)>;

  DriverLink(std::string pid, mesos::v1::AgentID agent, Post post)
      : pid_(std::move(pid)), agent_(std::move(agent)), post_(std::move(post)) {}

  void launch(const Framework& framework, const mesos::v1::TaskInfo& task) override;
  bool takes_groups() const override { return false; }
  void launch_group(const mesos::v1::TaskGroupInfo& group) override;
  void kill(const mesos::v1::FrameworkID& framework, const mesos::v1::TaskID& task,
            const std::optional<mesos::v1::KillPolicy>& policy) override;
  void acknowledge(const mesos::v1::FrameworkID& framework, const mesos::v1::TaskID& task,
                   const std::string& uuid) override;
  void message(const mesos::v1::FrameworkID& framework, const mesos::v1::ExecutorID& executor,
               const std::string& data) override;
  void shut_down() override;
  std::string pid() const override { return pid_; }

 private:
  const std::string pid_;
  const mesos::v1::AgentID agent_;
  const Post post_;
};

}  // namespace agent
