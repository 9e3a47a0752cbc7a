// The endpoints besides /api/v1, by subject. Each answers any method; routes.cpp has their paths.
#pragma once

#include <string>

#include "operator_api/context.h"

namespace operator_api {

// JSON as a client of a GET wants it: with ?jsonp=NAME as a script that calls NAME.
http::Response json_response(const http::Request& request, std::string json);

// agent_endpoints.cpp
base::Task<void> show_health(Context& context);
base::Task<void> show_version(Context& context);
base::Task<void> show_flags(Context& context);
base::Task<void> show_system(Context& context);
base::Task<void> show_metrics(Context& context);
base::Task<void> toggle_logging(Context& context);

// prometheus.cpp
base::Task<void> scrape_metrics(Context& context);

// state_endpoint.cpp
base::Task<void> show_state(Context& context);

// container_endpoints.cpp
base::Task<void> list_containers(Context& context);
base::Task<void> show_statistics(Context& context);
base::Task<void> debug_containerizer(Context& context);

// executor_endpoint.cpp
base::Task<void> handle_executor_request(Context& context);

// help.cpp
base::Task<void> show_help(Context& context);

// file_endpoints.cpp
base::Task<void> browse_files(Context& context);
base::Task<void> read_file_part(Context& context);
base::Task<void> debug_files(Context& context);

// download.cpp
base::Task<void> download_file(Context& context);

}  // namespace operator_api
