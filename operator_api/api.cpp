#include "operator_api/api.h"

#include <algorithm>
#include <cerrno>
#include <expected>
#include <optional>

#include "base/strings.h"
#include "http/recordio.h"
#include "operator_api/authorization.h"
#include "operator_api/call_table.h"
#include "operator_api/media.h"
#include "proto/json_read.h"

namespace operator_api {

using base::concat;
using base::Task;
using http::error_response;

namespace {

template <typename T>
using OrResponse = std::expected<T, http::Response>;

std::unexpected<http::Response> refuse(int status, std::string text = {}) {
  return std::unexpected(error_response(status, std::move(text)));
}

// Of a streaming request: it names a container.
constexpr size_t kMaxFirstRecord = 64 * 1024;

// What arrives of a body, as far as the call is known from it.
struct CallText {
  std::string call;
  // Of a streaming request: what came with the first record, beyond it.
  std::string read_ahead;
};

Task<OrResponse<CallText>> read_first_record(http::BodyReader& body, size_t limit) {
  http::RecordDecoder decoder(limit);
  body.collect(true);
  std::string received;
  std::string piece(16384, '\0');
  while (true) {
    auto n = co_await body.read_some(piece);
    if (!n) co_return std::unexpected(error_response(n.error()));
    if (*n == 0) co_return refuse(400, "Received EOF while reading request body");
    decoder.feed(std::string_view(piece).substr(0, *n));
    received.append(piece, 0, *n);
    auto record = decoder.next();
    if (!record) co_return refuse(500, "Decoder failure: " + record.error().message);
    if (!*record) continue;
    body.collect(false);
    CallText text;
    text.call = **record;
    text.read_ahead = received.substr(received.find('\n') + 1 + text.call.size());
    co_return text;
  }
}

Task<OrResponse<CallText>> read_call_text(http::BodyReader& body, bool streaming, size_t limit,
                                          http::BodyBudget::Share& share) {
  if (streaming) co_return co_await read_first_record(body, std::min(limit, kMaxFirstRecord));
  auto text = co_await http::read_all(body, limit, &share);
  if (!text && text.error().code == ENOMEM) co_return refuse(503, text.error().message);
  if (!text) co_return std::unexpected(error_response(text.error()));
  co_return CallText{*std::move(text), {}};
}

OrResponse<Call> parse_call(const std::string& text, Encoding encoding) {
  Call call;
  if (encoding == Encoding::kProtobuf) {
    if (!call.ParseFromString(text)) {
      return refuse(400, "Failed to parse body into a protobuf object");
    }
    return call;
  }
  if (auto parsed = proto::parse_json(text, &call); !parsed) {
    const bool syntax = parsed.error().kind == proto::JsonErrorKind::kSyntax;
    return refuse(400,
                  concat(syntax ? "Failed to parse body into JSON: " : "", parsed.error().message));
  }
  return call;
}

// Whether the call may come and be answered in these media types.
std::optional<http::Response> check_streaming(const CallRules& rules, const Media& media) {
  const std::string& name = Call::Type_Name(rules.type);
  if (media.streaming_request && !rules.streams_request) {
    return error_response(
        415, concat("Streaming 'Content-Type' application/recordio is not supported for ", name,
                    " call"));
  }
  if (!media.streaming_request && rules.streams_request) {
    return error_response(
        415, concat("Expecting 'Content-Type' to be application/recordio for ", name, " call"));
  }
  if (media.streaming_response && !rules.streams_response) {
    return error_response(406, concat("Streaming response is not supported for ", name, " call"));
  }
  return std::nullopt;
}

// The response to a call that cannot be handled.
std::optional<http::Response> check_call(const Call& call, const Media& media) {
  if (!call.has_type()) {
    return error_response(400, "Failed to validate agent::Call: Expecting 'type' to be present");
  }
  const CallRules* known = find_rules(call.type());
  const CallRules rules = known != nullptr ? *known : CallRules{.type = call.type()};
  if (auto valid = validate_call(call, rules); !valid) {
    return error_response(400, "Failed to validate agent::Call: " + valid.error().message);
  }
  if (auto refusal = check_streaming(rules, media)) return refusal;
  if (known == nullptr) return error_response(501);
  if (rules.handle == nullptr) {
    return error_response(501, concat("The call ", Call::Type_Name(call.type()),
                                      " is not implemented by this version of mesos-agent"));
  }
  return std::nullopt;
}

}  // namespace

http::Response method_not_allowed(std::string_view expected, const std::string& received) {
  auto response = error_response(405, concat("405 Method Not Allowed. Expecting one of { '",
                                             expected, "' }, but received '", received, "'."));
  response.headers.set("Allow", expected);
  return response;
}

Task<void> handle_api_request(Context& context) {
  const http::Request& request = context.request;
  if (request.method != "POST") {
    co_await context.reply(method_not_allowed("POST", request.method));
    co_return;
  }
  auto media = negotiate(request.headers);
  if (!media) {
    co_await context.reply(std::move(media).error());
    co_return;
  }
  http::BodyBudget::Share share(context.agent.request_bodies);
  auto text = co_await read_call_text(request.body, media->streaming_request,
                                      context.agent.flags.max_request_size.count(), share);
  if (!text) {
    co_await context.reply(std::move(text).error());
    co_return;
  }
  auto call = parse_call(text->call, media->request);
  // The call may take long; what it came in is not needed any more.
  std::string().swap(text->call);
  share.release();
  if (!call) {
    co_await context.reply(std::move(call).error());
    co_return;
  }
  if (auto refusal = check_call(*call, *media)) {
    co_await context.reply(*std::move(refusal));
    co_return;
  }
  const CallRules& rules = *find_rules(call->type());
  if (!may_call(context, rules, *call)) {
    co_await context.reply(error_response(403));
    co_return;
  }
  Exchange exchange(context, *call, *media);
  exchange.body_read_ahead = std::move(text->read_ahead);
  co_await rules.handle(exchange);
}

}  // namespace operator_api
