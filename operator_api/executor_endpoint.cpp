// POST /api/v1/executor: the order of checks, the stream of events, and what executors report.

#include <sys/types.h>

#include <algorithm>
#include <expected>
#include <memory>

#include "agent/tasks/event_stream.h"
#include "agent/tasks/tasks.h"
#include "base/combine.h"
#include "base/own_frame.h"
#include "base/strings.h"
#include "http/recordio.h"
#include "operator_api/api.h"
#include "operator_api/endpoints.h"
#include "operator_api/executor_validation.h"
#include "operator_api/media.h"
#include "proto/json_read.h"
#include "proto/json_write.h"
#include "proto/mesos/v1/executor/executor.pb.h"

namespace operator_api {

using agent::EventStream;
using agent::Executor;
using base::concat;
using base::Task;
using http::error_response;
using Call = mesos::v1::executor::Call;
using Event = mesos::v1::executor::Event;

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

// Whether a local client may speak for the executor: root, and who owns its sandbox.
bool is_user_of(uid_t user, const Executor& executor) {
  return user == 0 || user == executor.sandbox_owner;
}

// Whether there is any that it may speak for.
bool is_user_of_any(uid_t user, const agent::State& state) {
  return user == 0 || std::ranges::any_of(state.frameworks, [user](const auto& framework) {
           return std::ranges::any_of(framework.second.executors, [user](const auto& executor) {
             return is_user_of(user, executor.second);
           });
         });
}

// The answer to a local client of which no call would be taken, which is found out before its body
// is read.
std::optional<http::Response> refuse_user(const Context& context) {
  const agent::State& state = context.agent.state;
  if (!context.local_user || is_user_of_any(*context.local_user, state)) return std::nullopt;
  if (state.recovering) return error_response(503, "Agent has not finished recovery");
  return error_response(
      403, concat("No executor runs as the user ", *context.local_user, ", who calls"));
}

// The answer, if there is one before the call is carried out.
std::optional<http::Response> look_up(const Context& context, const Call& call) {
  if (call.type() == Call::HEARTBEAT) return http::Response{.status = 202};
  const auto& state = context.agent.state;
  const bool subscribes = call.type() == Call::SUBSCRIBE;
  if (!subscribes && state.recovering) {
    return error_response(503, "Agent has not finished recovery");
  }
  const auto framework = state.frameworks.find(call.framework_id().value());
  if (framework == state.frameworks.end()) return error_response(400, "Framework cannot be found");
  const auto& executors = framework->second.executors;
  const auto executor = executors.find(call.executor_id().value());
  if (executor == executors.end()) return error_response(400, "Executor cannot be found");
  if (context.principal) {
    const auto reason = check_claims(*context.principal, call, executor->second);
    if (!reason.empty()) return error_response(403, reason);
  }
  if (context.local_user && !is_user_of(*context.local_user, executor->second)) {
    return error_response(
        403, concat("The executor does not run as the user ", *context.local_user, ", who calls"));
  }
  if (!subscribes && executor->second.state == Executor::State::kRegistering) {
    return error_response(403, "Executor is not subscribed");
  }
  if (context.agent.tasks == nullptr) return error_response(503, "This agent runs no executors");
  if (call.type() == Call::UNKNOWN) {
    return error_response(501, "The call UNKNOWN is not implemented");
  }
  return std::nullopt;
}

// The connection's end of a stream of events.
class Taker {
 public:
  Taker(std::shared_ptr<EventStream> stream, std::chrono::nanoseconds heartbeat_interval)
      : stream_(std::move(stream)), heartbeat_interval_(heartbeat_interval) {}
  Taker(Taker&&) = default;
  Taker& operator=(Taker&&) = delete;
  ~Taker() {
    if (stream_ != nullptr) stream_->abandon();
  }

  // The next event, or a heartbeat if there is none for long; nothing at the end.
  Task<std::optional<Event>> next() {
    auto event = co_await base::with_timeout(stream_->take(), heartbeat_interval_);
    if (event) co_return *std::move(event);
    Event heartbeat;
    heartbeat.set_type(Event::HEARTBEAT);
    co_return heartbeat;
  }

 private:
  std::shared_ptr<EventStream> stream_;
  std::chrono::nanoseconds heartbeat_interval_;
};

std::string encode(const Event& event, Encoding encoding) {
  std::string text;
  if (encoding == Encoding::kProtobuf) {
    event.SerializePartialToString(&text);
  } else {
    proto::append_json(event, &text);
  }
  return text;
}

// Who has subscribed.
struct Subscriber {
  Taker events;
  Encoding encoding;
};

// False at the end of the events, and if the executor has gone.
OWN_FRAME Task<bool> write_event(http::ResponseWriter& writer, std::optional<Event> event,
                                 Encoding encoding) {
  if (!event) {
    (void)co_await writer.finish();
    co_return false;
  }
  std::string record;
  http::append_record(encode(*event, encoding), &record);
  event.reset();
  const auto sent = co_await writer.write(record);
  co_return sent.has_value();
}

OWN_FRAME Task<bool> start_events(http::ResponseWriter& writer, Encoding encoding) {
  http::Headers headers;
  headers.set("Content-Type", name_of(encoding));
  const auto sent = co_await writer.start_stream(200, std::move(headers));
  co_return sent.has_value();
}

Task<void> serve_events(http::ResponseWriter& writer, Subscriber& subscriber) {
  bool goes_on = co_await start_events(writer, subscriber.encoding);
  while (goes_on) {
    goes_on = co_await write_event(writer, co_await subscriber.events.next(), subscriber.encoding);
  }
}

// What cannot be taken now the executor has to keep.
http::Response carry_out(agent::Tasks& tasks, const Call& call) {
  if (call.type() == Call::UPDATE) {
    if (auto taken = tasks.update(call); !taken) {
      return error_response(503, taken.error().message);
    }
    return {.status = 202};
  }
  mesos::internal::ExecutorToFrameworkMessage message;
  *message.mutable_framework_id() = call.framework_id();
  *message.mutable_executor_id() = call.executor_id();
  message.set_data(call.message().data());
  tasks.message_from_executor(message);
  return {.status = 202};
}

// Answers the request, unless it subscribes.
OWN_FRAME Task<std::optional<Subscriber>> take_call(Context& context) {
  const http::Request& request = context.request;
  if (request.method != "POST") {
    co_await context.reply(method_not_allowed("POST", request.method));
    co_return std::nullopt;
  }
  if (auto refusal = refuse_user(context)) {
    co_await context.reply(*std::move(refusal));
    co_return std::nullopt;
  }
  const std::string* type = request.headers.find("Content-Type");
  if (type == nullptr) {
    co_await context.reply(error_response(400, "Expecting 'Content-Type' to be present"));
    co_return std::nullopt;
  }
  const auto encoding = body_encoding(*type);
  if (!encoding) {
    co_await context.reply(error_response(
        415, "Expecting 'Content-Type' of application/json or application/x-protobuf"));
    co_return std::nullopt;
  }
  http::BodyBudget::Share share(context.agent.request_bodies);
  auto text =
      co_await http::read_all(request.body, context.agent.flags.max_request_size.count(), &share);
  if (!text) {
    co_await context.reply(text.error().code == ENOMEM ? error_response(503, text.error().message)
                                                       : error_response(text.error()));
    co_return std::nullopt;
  }
  const auto call = parse_call(*text, *encoding);
  std::string().swap(*text);
  share.release();
  if (!call) {
    co_await context.reply(call.error());
    co_return std::nullopt;
  }
  if (const auto wrong = validate_executor_call(*call); !wrong.empty()) {
    co_await context.reply(
        error_response(400, concat("Failed to validate Executor::Call: ", wrong)));
    co_return std::nullopt;
  }
  std::optional<Encoding> events;
  if (call->type() == Call::SUBSCRIBE) {
    events = accepted_encoding(request.headers.find("Accept"));
    if (!events) {
      co_await context.reply(error_response(
          406, "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'"));
      co_return std::nullopt;
    }
  }
  if (auto answer = look_up(context, *call)) {
    co_await context.reply(*std::move(answer));
    co_return std::nullopt;
  }
  // An executor takes the loss of either of its connections for the loss of its agent.
  context.writer.keep_connection();
  if (events) {
    const auto stream = std::make_shared<EventStream>();
    Subscriber subscriber{Taker(stream, context.agent.executor_heartbeat_interval), *events};
    context.agent.tasks->subscribe(*call, stream);
    co_return std::move(subscriber);
  }
  // What is sent next sees what came of this, whoever sends it.
  auto answer = carry_out(*context.agent.tasks, *call);
  co_await context.reply(std::move(answer));
  co_return std::nullopt;
}

}  // namespace

Task<void> handle_executor_request(Context& context) {
  auto subscriber = co_await take_call(context);
  if (subscriber) co_await serve_events(context.writer, *subscriber);
}

}  // namespace operator_api
