// Frameworks, executors, tasks, operations and resource providers, as far as this agent knows them:
// what the operator API and the metrics read. Whoever talks to the master and to executors writes
// it; a standalone agent's is empty.
#pragma once

#include <sys/types.h>

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolators/container_id.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

struct ExecutorControl;  // agent/tasks/executor_control.h

struct Executor {
  enum class State { kRegistering, kRunning, kTerminating, kTerminated };

  mesos::v1::ExecutorInfo info;
  isolators::ContainerId container_id;  // a root
  std::string sandbox;                  // on the host
  uid_t sandbox_owner = 0;              // who may speak for it, by a socket that tells the user
  State state = State::kRegistering;

  // Made by the agent to run one command task: the master knows nothing of it.
  bool is_command_executor = false;

  // What runs it. Nothing: it is only told about.
  std::shared_ptr<ExecutorControl> control;

  // Of queued tasks, those that are delivered, and killed, together.
  std::vector<mesos::v1::TaskGroupInfo> queued_groups;

  // Each task is in one of these: not yet sent to the executor; sent; ended, with an update that is
  // not acknowledged yet; done.
  std::vector<mesos::v1::TaskInfo> queued_tasks;
  std::vector<mesos::v1::Task> launched_tasks;
  std::vector<mesos::v1::Task> terminated_tasks;
  std::list<mesos::v1::Task> completed_tasks;
};

struct Framework {
  mesos::v1::FrameworkInfo info;
  std::string pid;           // of a driver's scheduler; empty: it is reached through the master
  bool terminating = false;  // nobody wants to hear of its tasks any more
  std::vector<mesos::v1::TaskInfo> pending_tasks;        // not yet given to an executor
  std::vector<mesos::v1::TaskGroupInfo> pending_groups;  // whose tasks are killed together
  std::map<std::string, Executor> executors;             // by executor id
  std::deque<Executor> completed_executors;              // the oldest first
};

struct ResourceProvider {
  mesos::v1::ResourceProviderInfo info;
  std::vector<mesos::v1::Resource> total_resources;
};

struct State {
  bool registered = false;                       // with a master, at present
  bool recovering = false;                       // executors are waited for that were there before
  bool terminating = false;                      // the agent ends all it runs
  std::string master_hostname;                   // empty: none
  std::map<std::string, Framework> frameworks;   // by framework id
  std::deque<Framework> completed_frameworks;    // the oldest first
  std::vector<mesos::v1::Operation> operations;  // on the agent's and its providers' resources
  std::vector<ResourceProvider> resource_providers;

  // While the agent is being drained.
  std::optional<mesos::v1::DrainConfig> drain_config;
  std::optional<mesos::v1::TimeInfo> estimated_drain_start_time;

  // What has happened since the agent's start.
  struct Counters {
    uint64_t tasks_finished = 0;
    uint64_t tasks_failed = 0;
    uint64_t tasks_killed = 0;
    uint64_t tasks_lost = 0;
    uint64_t tasks_gone = 0;
    uint64_t executors_terminated = 0;
    uint64_t executors_preempted = 0;
    uint64_t valid_status_updates = 0;
    uint64_t invalid_status_updates = 0;
    uint64_t valid_framework_messages = 0;
    uint64_t invalid_framework_messages = 0;
    uint64_t recovery_errors = 0;
    uint64_t resource_provider_subscriptions = 0;
    uint64_t resource_provider_disconnections = 0;
  } counters;
};

// An executor and whose it is.
struct ExecutorOf {
  const Framework* framework = nullptr;
  const Executor* executor = nullptr;
  explicit operator bool() const { return executor != nullptr; }
};

// The executor of an active framework that has not ended and whose container has this root.
ExecutorOf find_executor(const State& state, const isolators::ContainerId& container);

// What an executor and the tasks that it has not finished hold.
std::vector<mesos::v1::Resource> allocated_resources(const Executor& executor);

// What all executors of active frameworks hold, and tasks that have no executor yet. A shared
// resource that several hold is there once.
std::vector<mesos::v1::Resource> allocated_resources(const State& state);

// A task that its executor does not know yet, in the form of those that it does: TASK_STAGING.
mesos::v1::Task staging_task(const mesos::v1::TaskInfo& info,
                             const mesos::v1::FrameworkID& framework);

}  // namespace agent
