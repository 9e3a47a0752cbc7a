// What the calls that launch have in common.
#pragma once

#include "agent/agent.h"
#include "http/message.h"

namespace operator_api {

// Id, command and container of a launch call's message.
template <typename Wanted>
containerizer::LaunchParameters launch_parameters(const Wanted& wanted) {
  containerizer::LaunchParameters parameters;
  parameters.id = isolators::ContainerId::from_message(wanted.container_id());
  parameters.command = wanted.command();
  if (wanted.has_container()) parameters.container = wanted.container();
  return parameters;
}

// 200 for a launch that succeeded, 202 if the id is in use, else the error; counts failures.
http::Response launch_response(agent::Agent& agent, const base::Status& launched);

}  // namespace operator_api
