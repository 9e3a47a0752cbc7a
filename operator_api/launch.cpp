#include "operator_api/launch.h"

namespace operator_api {

http::Response launch_response(agent::Agent& agent, const base::Status& launched) {
  http::Response response;
  if (launched) return response;
  if (launched.error().kind == base::ErrorKind::kAlreadyExists) {
    response.status = 202;
    return response;
  }
  ++agent.container_launch_errors;
  return http::error_response(launched.error());
}

}  // namespace operator_api
