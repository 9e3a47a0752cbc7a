// POST /api/v1/executor. There are no executors yet that could subscribe, so of the executor API
// this is what comes before: the order of checks, and that a token is good for its own executor
// only.

#include <expected>

#include "base/strings.h"
#include "operator_api/api.h"
#include "operator_api/endpoints.h"
#include "operator_api/media.h"
#include "proto/json_read.h"
#include "proto/mesos/v1/executor/executor.pb.h"

namespace operator_api {

using agent::Executor;
using base::concat;
using base::Task;
using http::error_response;
using Call = mesos::v1::executor::Call;

namespace {

std::expected<Call, http::Response> parse_call(const std::string& text, Encoding encoding) {
  const auto refuse = [](std::string reason) {
    return std::unexpected(error_response(400, std::move(reason)));
  };
  Call call;
  if (encoding == Encoding::kProtobuf) {
    if (!call.ParseFromString(text)) return refuse("Failed to parse body into Call protobuf");
  } else if (auto parsed = proto::parse_json(text, &call); !parsed) {
    const bool syntax = parsed.error().kind == proto::JsonErrorKind::kSyntax;
    return refuse(concat(
        syntax ? "Failed to parse body into JSON: " : "Failed to convert JSON into Call protobuf: ",
        parsed.error().message));
  }
  return call;
}

// What is wrong with the call; empty if nothing is.
std::string check_call(const Call& call) {
  const struct {
    Call::Type type;
    std::string_view member;
    bool present;
  } kMembers[] = {{Call::SUBSCRIBE, "subscribe", call.has_subscribe()},
                  {Call::UPDATE, "update", call.has_update()},
                  {Call::MESSAGE, "message", call.has_message()}};
  if (!call.has_type()) return "Expecting 'type' to be present";
  for (const auto& [type, member, present] : kMembers) {
    if (call.type() == type && !present) return concat("Expecting '", member, "' to be present");
  }
  return "";
}

// Why the sender may not speak for the executor; empty if it may.
std::string check_claims(const http::Principal& principal, const Call& call,
                         const Executor& executor) {
  const auto claims = [&principal](const std::string& name, const std::string& value) {
    const auto claim = principal.claims.find(name);
    return claim != principal.claims.end() && claim->second == value;
  };
  const std::string whose = concat("Authenticated principal '", principal.to_string(), "' ");
  if (!claims("fid", call.framework_id().value())) {
    return concat(whose, "does not contain an 'fid' claim with the framework ID ",
                  call.framework_id().value(), ", which is set in the call");
  }
  if (!claims("eid", call.executor_id().value())) {
    return concat(whose, "does not contain an 'eid' claim with the executor ID ",
                  call.executor_id().value(), ", which is set in the call");
  }
  if (!claims("cid", executor.container_id.to_string())) {
    return concat(whose, "does not contain a 'cid' claim with the correct active ContainerID");
  }
  return "";
}

http::Response respond(const Context& context, const Call& call) {
  if (call.type() == Call::HEARTBEAT) return {.status = 202};
  const auto& frameworks = context.agent.state.frameworks;
  const auto framework = frameworks.find(call.framework_id().value());
  if (framework == frameworks.end()) return error_response(400, "Framework cannot be found");
  const auto& executors = framework->second.executors;
  const auto executor = executors.find(call.executor_id().value());
  if (executor == executors.end()) return error_response(400, "Executor cannot be found");
  if (context.principal) {
    const auto reason = check_claims(*context.principal, call, executor->second);
    if (!reason.empty()) return error_response(403, reason);
  }
  return error_response(501, concat("The call ", Call::Type_Name(call.type()),
                                    " is not implemented by this version of mesos-agent"));
}

}  // namespace

Task<void> handle_executor_request(Context& context) {
  const http::Request& request = context.request;
  if (request.method != "POST") {
    co_await context.reply(method_not_allowed("POST", request.method));
    co_return;
  }
  const std::string* type = request.headers.find("Content-Type");
  if (type == nullptr) {
    co_await context.reply(error_response(400, "Expecting 'Content-Type' to be present"));
    co_return;
  }
  const auto encoding = body_encoding(*type);
  if (!encoding) {
    co_await context.reply(error_response(
        415, "Expecting 'Content-Type' of application/json or application/x-protobuf"));
    co_return;
  }
  http::BodyBudget::Share share(context.agent.request_bodies);
  auto text =
      co_await http::read_all(request.body, context.agent.flags.max_request_size.count(), &share);
  if (!text) {
    co_await context.reply(text.error().code == ENOMEM ? error_response(503, text.error().message)
                                                       : error_response(text.error()));
    co_return;
  }
  const auto call = parse_call(*text, *encoding);
  std::string().swap(*text);
  share.release();
  if (!call) {
    co_await context.reply(call.error());
    co_return;
  }
  if (const auto wrong = check_call(*call); !wrong.empty()) {
    co_await context.reply(
        error_response(400, concat("Failed to validate Executor::Call: ", wrong)));
    co_return;
  }
  co_await context.reply(respond(context, *call));
}

}  // namespace operator_api
