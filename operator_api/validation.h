// What calls must fulfil, beyond what their messages' types say.
#pragma once

#include "base/result.h"
#include "operator_api/exchange.h"

namespace operator_api {

base::Status validate_launch_nested_container(const Call& call);
base::Status validate_wait_nested_container(const Call& call);
base::Status validate_kill_nested_container(const Call& call);
base::Status validate_remove_nested_container(const Call& call);
base::Status validate_launch_nested_container_session(const Call& call);
base::Status validate_launch_container(const Call& call);
base::Status validate_wait_container(const Call& call);
base::Status validate_kill_container(const Call& call);
base::Status validate_remove_container(const Call& call);
base::Status validate_attach_container_input(const Call& call);
base::Status validate_attach_container_output(const Call& call);
base::Status validate_add_resource_provider_config(const Call& call);
base::Status validate_update_resource_provider_config(const Call& call);

}  // namespace operator_api
