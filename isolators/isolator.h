// What a feature of isolation looks like to the containerizer: one small class per feature, which
// knows neither the others nor who calls it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "base/task.h"
#include "isolators/container_id.h"
#include "isolators/launch_spec.h"
#include "proto/internal/checkpoint.pb.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace isolators {

using ContainerConfig = mesosagent::internal::ContainerConfig;
using ContainerTermination = mesosagent::internal::ContainerTermination;

inline bool is_debug(const ContainerConfig& config) {
  return config.container_class() == ContainerConfig::DEBUG;
}

// A limit that the container has run into; it is destroyed for it, and WAIT tells.
struct Limitation {
  mesos::v1::TaskStatus::Reason reason;
  std::string message;
  std::vector<mesos::v1::Resource> resources;
};

// Adds what a container uses, as it is when this is called; a value that cannot be read is left
// out. Needs nothing of the isolator's, so it may be called on any thread, and after the
// container's end.
using UsageReader = std::function<void(mesos::v1::ResourceStatistics*)>;

class Isolator {
 public:
  virtual ~Isolator() = default;

  // The name in --isolation.
  virtual std::string_view name() const = 0;

  // Whether it applies to containers with a parent, and to standalone roots (and all below them).
  // Where it does not, none of the following is called.
  virtual bool supports_nesting() const { return true; }
  virtual bool supports_standalone() const { return true; }

  // Before the process exists: makes what it needs, adds to `spec`. Called for one isolator after
  // the other in the order of the table in registry.cpp. A failure fails the launch with its text;
  // cleanup() is called then as well.
  virtual base::Task<base::Status> prepare(const ContainerId& id, const ContainerConfig& config,
                                           LaunchSpec* spec);

  // The container has this process: before isolate() and, if it still runs, after recover(). The
  // pidfd is the container's: who keeps it as a weak pointer sees when the container is given up
  // without cleanup(), because it could not be freed.
  virtual void set_process(const ContainerId& id, const ContainerConfig& config,
                           const std::shared_ptr<const base::Fd>& pidfd);

  // The process exists, but waits.
  virtual base::Task<base::Status> isolate(const ContainerId& id, pid_t pid);

  // What a running root may use has changed: `config` has the new resources and limits.
  virtual base::Status update(const ContainerId& id, const ContainerConfig& config);

  // A task that ends when the container has run into a limit, and is cancelled when the container
  // ends otherwise. Nothing: there is no limit to watch.
  virtual std::optional<base::Task<Limitation>> watch(const ContainerId& id);

  // After the end: a limit that the container ran into just then, if there is one. Without this a
  // container whose death is seen before the notification of its cause would end without a reason.
  virtual std::optional<Limitation> limitation_at_end(const ContainerId& id);

  // Empty: it measures nothing of this container.
  virtual UsageReader usage_reader(const ContainerId& id);

  // Adds what it knows.
  virtual void status(const ContainerId& id, mesos::v1::ContainerStatus* status);

  // After all processes are dead. Must accept containers that it does not know (or knows only in
  // part) and being called twice.
  virtual base::Task<base::Status> cleanup(const ContainerId& id);

  // At the agent's start, for each container that the agent takes up again.
  virtual base::Status recover(const ContainerId& id, const ContainerConfig& config);
};

// Ends with the first limitation that one of the watches reports.
base::Task<Limitation> first_limitation(std::vector<base::Task<Limitation>> watches);

}  // namespace isolators
