#include <algorithm>

#include "base/strings.h"
#include "operator_api/endpoints.h"

namespace operator_api {

namespace {

// A function's name and nothing else: the answer is run as a script by whoever embeds it.
bool is_function(std::string_view name) {
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_$.[]").find(c) != std::string_view::npos;
  });
}

}  // namespace

http::Response json_response(const http::Request& request, std::string json) {
  const std::string* function = request.query.find("jsonp");
  if (function == nullptr) {
    return {200, {{"Content-Type", "application/json"}}, std::move(json)};
  }
  if (!is_function(*function)) {
    return http::error_response(400, "Expecting 'jsonp' to be the name of a function\n");
  }
  return {200, {{"Content-Type", "text/javascript"}}, base::concat(*function, "(", json, ")")};
}

}  // namespace operator_api
