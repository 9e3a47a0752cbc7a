// The calls that show frameworks, executors, tasks and operations, and the agent itself.

#include "agent/state.h"
#include "operator_api/authorization.h"
#include "operator_api/handlers.h"

namespace operator_api {

using agent::Executor;
using agent::Framework;
using agent::State;
using base::Task;
using mesos::v1::agent::Response;

namespace {

// `handle` gets every framework that the sender may see, active ones first.
template <typename Handle>
void for_each_framework(const Context& context, Handle handle) {
  const State& state = context.agent.state;
  for (const auto& [id, framework] : state.frameworks) {
    if (may_view(context, framework)) handle(framework);
  }
  for (const auto& framework : state.completed_frameworks) {
    if (may_view(context, framework)) handle(framework);
  }
}

// `handle` gets every executor of a framework, active ones first.
template <typename Handle>
void for_each_executor(const Framework& framework, Handle handle) {
  for (const auto& [id, executor] : framework.executors) handle(executor);
  for (const auto& executor : framework.completed_executors) handle(executor);
}

void list_frameworks(const Context& context, Response::GetFrameworks* list) {
  const State& state = context.agent.state;
  for (const auto& [id, framework] : state.frameworks) {
    if (!may_view(context, framework)) continue;
    *list->add_frameworks()->mutable_framework_info() = framework.info;
  }
  for (const auto& framework : state.completed_frameworks) {
    if (!may_view(context, framework)) continue;
    *list->add_completed_frameworks()->mutable_framework_info() = framework.info;
  }
}

void list_executors(const Context& context, Response::GetExecutors* list) {
  for_each_framework(context, [&context, list](const Framework& framework) {
    for (const auto& [id, executor] : framework.executors) {
      if (!may_view(context, framework, executor)) continue;
      *list->add_executors()->mutable_executor_info() = executor.info;
    }
    for (const auto& executor : framework.completed_executors) {
      if (!may_view(context, framework, executor)) continue;
      *list->add_completed_executors()->mutable_executor_info() = executor.info;
    }
  });
}

void list_tasks(const Context& context, Response::GetTasks* list) {
  for_each_framework(context, [&context, list](const Framework& framework) {
    const auto add_known = [&](const auto& tasks, auto* to) {
      for (const auto& task : tasks) {
        if (may_view(context, framework, task)) *to->Add() = task;
      }
    };
    const auto add_staging = [&](const auto& tasks, auto* to) {
      for (const auto& task : tasks) {
        if (!may_view(context, framework, task)) continue;
        *to->Add() = agent::staging_task(task, framework.info.id());
      }
    };
    add_staging(framework.pending_tasks, list->mutable_pending_tasks());
    for_each_executor(framework, [&](const Executor& executor) {
      if (!may_view(context, framework, executor)) return;
      add_staging(executor.queued_tasks, list->mutable_queued_tasks());
      add_known(executor.launched_tasks, list->mutable_launched_tasks());
      add_known(executor.terminated_tasks, list->mutable_terminated_tasks());
      add_known(executor.completed_tasks, list->mutable_completed_tasks());
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
  Response response;
  response.set_type(Response::GET_STATE);
  auto* all = response.mutable_get_state();
  list_tasks(exchange, all->mutable_get_tasks());
  list_executors(exchange, all->mutable_get_executors());
  list_frameworks(exchange, all->mutable_get_frameworks());
  co_await exchange.reply(response);
}

Task<void> get_frameworks(Exchange& exchange) {
  Response response;
  response.set_type(Response::GET_FRAMEWORKS);
  list_frameworks(exchange, response.mutable_get_frameworks());
  co_await exchange.reply(response);
}

Task<void> get_executors(Exchange& exchange) {
  Response response;
  response.set_type(Response::GET_EXECUTORS);
  list_executors(exchange, response.mutable_get_executors());
  co_await exchange.reply(response);
}

Task<void> get_tasks(Exchange& exchange) {
  Response response;
  response.set_type(Response::GET_TASKS);
  list_tasks(exchange, response.mutable_get_tasks());
  co_await exchange.reply(response);
}

Task<void> get_operations(Exchange& exchange) {
  Response response;
  response.set_type(Response::GET_OPERATIONS);
  auto* list = response.mutable_get_operations();
  for (const auto& operation : exchange.agent.state.operations) {
    if (may_view(exchange, operation)) *list->add_operations() = operation;
  }
  co_await exchange.reply(response);
}

}  // namespace operator_api
