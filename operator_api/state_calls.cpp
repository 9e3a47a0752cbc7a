// The calls that show frameworks, executors, tasks and operations, and the agent itself.

#include "agent/state.h"
#include "operator_api/handlers.h"

namespace operator_api {

using agent::Executor;
using agent::Framework;
using agent::State;
using base::Task;
using mesos::v1::agent::Response;

namespace {

// `handle` gets every framework, active ones first.
template <typename Handle>
void for_each_framework(const State& state, Handle handle) {
  for (const auto& [id, framework] : state.frameworks) handle(framework);
  for (const auto& framework : state.completed_frameworks) handle(framework);
}

// `handle` gets every executor of a framework, active ones first.
template <typename Handle>
void for_each_executor(const Framework& framework, Handle handle) {
  for (const auto& [id, executor] : framework.executors) handle(executor);
  for (const auto& executor : framework.completed_executors) handle(executor);
}

void list_frameworks(const State& state, Response::GetFrameworks* list) {
  for (const auto& [id, framework] : state.frameworks) {
    *list->add_frameworks()->mutable_framework_info() = framework.info;
  }
  for (const auto& framework : state.completed_frameworks) {
    *list->add_completed_frameworks()->mutable_framework_info() = framework.info;
  }
}

void list_executors(const State& state, Response::GetExecutors* list) {
  for_each_framework(state, [list](const Framework& framework) {
    for (const auto& [id, executor] : framework.executors) {
      *list->add_executors()->mutable_executor_info() = executor.info;
    }
    for (const auto& executor : framework.completed_executors) {
      *list->add_completed_executors()->mutable_executor_info() = executor.info;
    }
  });
}

void list_tasks(const State& state, Response::GetTasks* list) {
  for_each_framework(state, [list](const Framework& framework) {
    for (const auto& task : framework.pending_tasks) {
      *list->add_pending_tasks() = agent::staging_task(task, framework.info.id());
    }
    for_each_executor(framework, [list, &framework](const Executor& executor) {
      for (const auto& task : executor.queued_tasks) {
        *list->add_queued_tasks() = agent::staging_task(task, framework.info.id());
      }
      for (const auto& task : executor.launched_tasks) *list->add_launched_tasks() = task;
      for (const auto& task : executor.terminated_tasks) *list->add_terminated_tasks() = task;
      for (const auto& task : executor.completed_tasks) *list->add_completed_tasks() = task;
    });
  });
}

}  // namespace

Task<void> get_agent(Exchange& exchange) {
  const State& state = exchange.agent.state;
  Response response;
  response.set_type(Response::GET_AGENT);
  auto* agent = response.mutable_get_agent();
  *agent->mutable_agent_info() = exchange.agent.info;
  if (state.drain_config) *agent->mutable_drain_config() = *state.drain_config;
  if (state.estimated_drain_start_time) {
    *agent->mutable_estimated_drain_start_time() = *state.estimated_drain_start_time;
  }
  co_await exchange.reply(response);
}

Task<void> get_state(Exchange& exchange) {
  const State& state = exchange.agent.state;
  Response response;
  response.set_type(Response::GET_STATE);
  auto* all = response.mutable_get_state();
  list_tasks(state, all->mutable_get_tasks());
  list_executors(state, all->mutable_get_executors());
  list_frameworks(state, all->mutable_get_frameworks());
  co_await exchange.reply(response);
}

Task<void> get_frameworks(Exchange& exchange) {
  Response response;
  response.set_type(Response::GET_FRAMEWORKS);
  list_frameworks(exchange.agent.state, response.mutable_get_frameworks());
  co_await exchange.reply(response);
}

Task<void> get_executors(Exchange& exchange) {
  Response response;
  response.set_type(Response::GET_EXECUTORS);
  list_executors(exchange.agent.state, response.mutable_get_executors());
  co_await exchange.reply(response);
}

Task<void> get_tasks(Exchange& exchange) {
  Response response;
  response.set_type(Response::GET_TASKS);
  list_tasks(exchange.agent.state, response.mutable_get_tasks());
  co_await exchange.reply(response);
}

Task<void> get_operations(Exchange& exchange) {
  Response response;
  response.set_type(Response::GET_OPERATIONS);
  const auto& operations = exchange.agent.state.operations;
  response.mutable_get_operations()->mutable_operations()->Add(operations.begin(),
                                                               operations.end());
  co_await exchange.reply(response);
}

}  // namespace operator_api
