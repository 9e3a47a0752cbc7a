#include "operator_api/exchange.h"

#include <google/protobuf/descriptor.h>

#include "proto/json_write.h"

namespace operator_api {

using base::Task;
using mesos::v1::agent::Response;

namespace {

std::string serialize(const Response& message, Encoding encoding) {
  std::string body;
  if (encoding == Encoding::kProtobuf) {
    message.AppendPartialToString(&body);
    return body;
  }
  // The lists that Apache Mesos writes even when they are empty.
  static const google::protobuf::Descriptor* const kWithEmptyLists[] = {
      Response::GetFrameworks::descriptor(), Response::GetExecutors::descriptor(),
      Response::GetTasks::descriptor(), Response::GetMetrics::descriptor()};
  proto::append_json(message, &body, {.with_empty_lists = kWithEmptyLists});
  return body;
}

}  // namespace

Task<void> Exchange::reply(const Response& message) {
  http::Response response;
  response.headers.set("Content-Type", name_of(media.response));
  response.body = serialize(message, media.response);
  co_await reply(std::move(response));
}

Task<void> Exchange::reply(int status) {
  http::Response response;
  response.status = status;
  co_await reply(std::move(response));
}

Task<void> Exchange::reply(const base::Status& status) {
  if (status) {
    co_await reply(200);
  } else {
    co_await reply(http::error_response(status.error()));
  }
}

}  // namespace operator_api
