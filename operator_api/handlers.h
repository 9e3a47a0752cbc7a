// The handlers of the calls, by subject.
#pragma once

#include "base/task.h"
#include "operator_api/exchange.h"

namespace operator_api {

// introspection.cpp
base::Task<void> get_health(Exchange& exchange);
base::Task<void> get_version(Exchange& exchange);
base::Task<void> get_flags(Exchange& exchange);
base::Task<void> get_metrics(Exchange& exchange);
base::Task<void> get_logging_level(Exchange& exchange);
base::Task<void> set_logging_level(Exchange& exchange);
base::Task<void> get_containers(Exchange& exchange);

// file_calls.cpp
base::Task<void> list_files(Exchange& exchange);
base::Task<void> read_file(Exchange& exchange);

// state_calls.cpp
base::Task<void> get_agent(Exchange& exchange);
base::Task<void> get_state(Exchange& exchange);
base::Task<void> get_frameworks(Exchange& exchange);
base::Task<void> get_executors(Exchange& exchange);
base::Task<void> get_tasks(Exchange& exchange);
base::Task<void> get_operations(Exchange& exchange);

// resource_provider_calls.cpp
base::Task<void> get_resource_providers(Exchange& exchange);
base::Task<void> add_resource_provider_config(Exchange& exchange);
base::Task<void> update_resource_provider_config(Exchange& exchange);
base::Task<void> remove_resource_provider_config(Exchange& exchange);
base::Task<void> mark_resource_provider_gone(Exchange& exchange);

// container_calls.cpp
base::Task<void> launch_container(Exchange& exchange);
base::Task<void> launch_nested_container(Exchange& exchange);
base::Task<void> wait_container(Exchange& exchange);
base::Task<void> wait_nested_container(Exchange& exchange);
base::Task<void> kill_container(Exchange& exchange);
base::Task<void> kill_nested_container(Exchange& exchange);
base::Task<void> remove_container(Exchange& exchange);
base::Task<void> remove_nested_container(Exchange& exchange);
base::Task<void> prune_images(Exchange& exchange);

// stream_calls.cpp
base::Task<void> launch_nested_container_session(Exchange& exchange);
base::Task<void> attach_container_input(Exchange& exchange);
base::Task<void> attach_container_output(Exchange& exchange);

}  // namespace operator_api
