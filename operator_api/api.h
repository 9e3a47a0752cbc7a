// POST /api/v1: from a request to the call's handler.
#pragma once

#include <string>
#include <string_view>

#include "operator_api/context.h"

namespace operator_api {

// Checks method, media types, body and call, in the order of Apache Mesos, then runs the call.
base::Task<void> handle_api_request(Context& context);

// 405 with the methods that are expected.
http::Response method_not_allowed(std::string_view expected, const std::string& received);

}  // namespace operator_api
