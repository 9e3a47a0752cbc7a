// One cgroup v1 controller as the cgroups isolator uses it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/cgroup.h"
#include "isolators/isolator.h"

namespace isolators {

class Subsystem {
 public:
  explicit Subsystem(base::CgroupHierarchy hierarchy)
      : hierarchy_(std::make_shared<const base::CgroupHierarchy>(std::move(hierarchy))) {}
  virtual ~Subsystem() = default;

  const base::CgroupHierarchy& hierarchy() const { return *hierarchy_; }
  const std::string& controller() const { return hierarchy_->controller(); }

  // Writes the limits that the request asks for into the group.
  virtual base::Status update(const std::string& group, const ContainerConfig& config);

  // The group was made, now or by an earlier run of the agent: starts what counts in it.
  virtual void start_counting(const std::string& group);

  // The group is removed.
  virtual void stop_counting(const std::string& group);

  // The process is about to run in the group.
  virtual base::Status isolate(const ContainerId& id, const ContainerConfig& config, pid_t pid);

  // See Isolator.
  virtual UsageReader usage_reader(const std::string& group);

  virtual std::optional<base::Task<Limitation>> watch(const std::string& group);
  virtual std::optional<Limitation> limitation_at_end(const std::string& group);

 protected:
  // For what may outlive the subsystem.
  std::shared_ptr<const base::CgroupHierarchy> shared_hierarchy() const { return hierarchy_; }

 private:
  const std::shared_ptr<const base::CgroupHierarchy> hierarchy_;
};

}  // namespace isolators
