// A small cluster's worth of state: one active framework with one active and one completed
// executor, a task in every list, and one completed framework.
#pragma once

#include <string>
#include <utility>

#include "agent/state.h"

namespace tests {

template <typename Holder>
void add_cpus(Holder* holder, double cpus) {
  auto* resource = holder->add_resources();
  resource->set_name("cpus");
  resource->set_type(mesos::v1::Value::SCALAR);
  resource->mutable_scalar()->set_value(cpus);
  resource->mutable_allocation_info()->set_role("role");
}

inline mesos::v1::TaskInfo make_task_info(const std::string& id, double cpus) {
  mesos::v1::TaskInfo task;
  task.set_name("name of " + id);
  task.mutable_task_id()->set_value(id);
  task.mutable_agent_id()->set_value("agent-1");
  task.mutable_command()->set_value("sleep 1000");
  add_cpus(&task, cpus);
  return task;
}

inline mesos::v1::Task make_task(const std::string& id, mesos::v1::TaskState state, double cpus) {
  mesos::v1::FrameworkID framework;
  framework.set_value("framework-1");
  mesos::v1::Task task = agent::staging_task(make_task_info(id, cpus), framework);
  task.set_state(state);
  auto* status = task.add_statuses();
  status->mutable_task_id()->set_value(id);
  status->set_state(state);
  status->set_source(mesos::v1::TaskStatus::SOURCE_AGENT);
  status->set_reason(mesos::v1::TaskStatus::REASON_AGENT_RESTARTED);
  status->set_timestamp(1.5);
  status->set_healthy(true);
  return task;
}

inline agent::Executor make_executor(const std::string& id, const std::string& container,
                                     const std::string& sandbox) {
  agent::Executor executor;
  executor.info.mutable_executor_id()->set_value(id);
  executor.info.mutable_framework_id()->set_value("framework-1");
  executor.info.set_name("name of " + id);
  executor.info.set_source("source of " + id);
  executor.info.set_type(mesos::v1::ExecutorInfo::CUSTOM);
  add_cpus(&executor.info, 0.1);
  executor.container_id = isolators::ContainerId::root_of(container);
  executor.sandbox = sandbox;
  executor.state = agent::Executor::State::kRunning;
  return executor;
}

inline agent::Framework make_framework(const std::string& id) {
  agent::Framework framework;
  framework.info.mutable_id()->set_value(id);
  framework.info.set_user("root");
  framework.info.set_name("name of " + id);
  framework.info.add_roles("role");
  framework.info.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::MULTI_ROLE);
  return framework;
}

// `sandboxes`: the directory in which the executors' sandboxes are.
inline agent::State make_state(const std::string& sandboxes = "/sandboxes") {
  using mesos::v1::TASK_FINISHED;
  using mesos::v1::TASK_RUNNING;
  agent::State state;
  state.registered = true;
  agent::Framework framework = make_framework("framework-1");
  framework.pending_tasks.push_back(make_task_info("pending", 1));

  agent::Executor executor = make_executor("executor-1", "container-1", sandboxes + "/container-1");
  executor.queued_tasks.push_back(make_task_info("queued", 0.25));
  executor.launched_tasks.push_back(make_task("launched", TASK_RUNNING, 0.5));
  executor.terminated_tasks.push_back(make_task("terminated", TASK_FINISHED, 4));
  executor.completed_tasks.push_back(make_task("completed", TASK_FINISHED, 8));
  framework.executors.emplace("executor-1", std::move(executor));

  executor = make_executor("executor-0", "container-0", sandboxes + "/container-0");
  executor.state = agent::Executor::State::kTerminated;
  executor.completed_tasks.push_back(make_task("completed-0", TASK_FINISHED, 8));
  framework.completed_executors.push_back(std::move(executor));
  state.frameworks.emplace("framework-1", std::move(framework));
  state.completed_frameworks.push_back(make_framework("framework-0"));
  return state;
}

}  // namespace tests
