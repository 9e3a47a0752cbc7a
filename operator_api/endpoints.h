// The endpoints besides /api/v1, by subject. Each answers any method; router.cpp has their paths.
#pragma once

#include <string>

#include "operator_api/context.h"

namespace operator_api {

// JSON as a client of a GET wants it: with ?jsonp=NAME as a script that calls NAME.
http::Response json_response(const http::Request& request, std::string json);

// file_endpoints.cpp
base::Task<void> browse_files(Context& context);
base::Task<void> read_file_part(Context& context);
base::Task<void> debug_files(Context& context);

// download.cpp
base::Task<void> download_file(Context& context);

}  // namespace operator_api
