#include "executors/connection.h"

#include <fcntl.h>
#include <sys/random.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include "base/combine.h"
#include "base/stream.h"
#include "base/strings.h"
#include "executors/wait.h"
#include "http/client.h"
#include "http/recordio.h"
#include "http/scratch.h"

namespace executors {

using base::concat;
using base::ErrorKind;
using base::Status;
using base::Task;

namespace {

constexpr char kMediaType[] = "application/x-protobuf";

// An event with a task in it, which carries whatever its framework put there.
constexpr size_t kMaxRecord = 256 * 1024 * 1024;

// Pauses before another try begin with a part of this. An agent that is restarted is back in less
// than a second, and does not register before its executors are back.
constexpr std::chrono::milliseconds kFirstBackoff{100};

// Of a refusal's text.
constexpr size_t kMaxText = 4 * 1024;

// Longer paths do not fit into a socket's address.
constexpr size_t kMaxSocketPath = 107;

// Errors of the conversation by what follows from them. kClosed, and all others: the connection is
// lost.
constexpr ErrorKind kLater = ErrorKind::kConflict;     // the agent is not ready yet
constexpr ErrorKind kRefused = ErrorKind::kForbidden;  // there is no point in trying again

// A random part of `most`, so that the executors of a restarted agent do not all come at once.
Duration random_part(Duration most) {
  uint64_t bits = 0;
  if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != sizeof(bits)) return most;
  return Duration(static_cast<int64_t>(bits % (static_cast<uint64_t>(most.count()) + 1)));
}

Task<void> closed(http::ClientConnection& connection) { co_await connection.server_closed(); }

// What a response other than the expected one means.
Task<Status> refusal(http::ClientResponse& response, std::string_view call) {
  constexpr int kNotFound = 404;            // the agent's routes are not there yet
  constexpr int kServiceUnavailable = 503;  // it is recovering
  const std::string status = concat(response.status, " ", response.reason);
  const bool later = response.status == kNotFound || response.status == kServiceUnavailable;
  const auto text = co_await http::read_all(response, kMaxText);
  co_return base::fail(later ? kLater : kRefused, concat("Received unexpected '", status, "' (",
                                                         text ? *text : "", ") for ", call));
}

}  // namespace

struct Connection::Session {
  http::ClientConnection events;
  std::optional<http::ClientConnection> calls;  // once there is something to send
  std::optional<http::ClientResponse> response;
  http::RecordDecoder decoder{kMaxRecord};
};

Task<base::Error> Connection::run() {
  if (!options_.checkpoint) co_return co_await keep_connected();
  away_.set();
  auto end = co_await base::any_of(keep_connected(), recovery_expired());
  if (end.index() == 0) co_return std::get<0>(std::move(end));
  co_return base::Error(ErrorKind::kTimeout, "The agent has not come back in time");
}

Task<base::Error> Connection::keep_connected() {
  Duration backoff{};
  while (true) {
    auto end = co_await converse();
    const bool was_subscribed = subscribed_.is_set();
    disconnect();
    base::Error error = end ? base::Error(ErrorKind::kClosed, "The agent ended the conversation")
                            : std::move(end).error();
    if (error.kind == kRefused) co_return error;
    if (!options_.checkpoint && error.kind != kLater) co_return error;
    backoff = was_subscribed ? kFirstBackoff : std::max<Duration>(2 * backoff, kFirstBackoff);
    backoff = std::min(backoff, options_.backoff_max);
    co_await base::sleep_for(random_part(backoff));
  }
}

// Ends when the agent has been away for too long, counted from when it went.
Task<void> Connection::recovery_expired() {
  while (true) {
    co_await away_.wait();
    auto end =
        co_await base::any_of(wait_for(subscribed_), base::sleep_task(options_.recovery_timeout));
    if (end.index() == 1) co_return;
  }
}

Task<base::Result<base::Fd>> Connection::connect() const {
  if (options_.domain_socket.empty()) {
    co_return co_await base::connect_tcp(options_.ip, options_.port);
  }
  const std::string& path = options_.domain_socket;
  if (path.size() <= kMaxSocketPath) co_return co_await base::connect_unix(path);
  const size_t slash = path.rfind('/');
  const base::Fd directory(
      open(path.substr(0, slash + 1).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) co_return base::fail_errno(concat("open the directory of '", path, "'"));
  co_return co_await base::connect_unix(
      concat("/proc/self/fd/", directory.get(), "/", path.substr(slash + 1)));
}

Task<Status> Connection::converse() {
  CO_TRY(auto events, co_await connect());
  Session session{.events = http::ClientConnection(std::move(events)),
                  .calls = std::nullopt,
                  .response = std::nullopt};
  CO_TRY_VOID(co_await subscribe(session));
  auto end = co_await base::any_of(read_events(session), send_calls(session));
  co_return end.index() == 0 ? std::get<0>(std::move(end)) : std::get<1>(std::move(end));
}

http::Headers Connection::headers() const {
  http::Headers headers{{"Accept", kMediaType}, {"Content-Type", kMediaType}};
  if (options_.domain_socket.empty()) headers.set("Host", concat(options_.ip, ":", options_.port));
  if (!options_.token.empty()) headers.set("Authorization", concat("Bearer ", options_.token));
  return headers;
}

Task<Status> Connection::subscribe(Session& session) {
  std::vector<std::string_view> tasks;
  std::vector<std::string_view> statuses;
  for (const auto& task : tasks_) tasks.emplace_back(task.second);
  for (Update& update : updates_) {
    update.sent = true;
    statuses.emplace_back(update.status);
  }
  const std::string body =
      encode_subscribe({options_.executor_id, options_.framework_id}, tasks, statuses);
  CO_TRY_VOID(co_await session.events.send("POST", options_.target, headers(), body));
  CO_TRY(session.response, co_await session.events.read_response());
  if (session.response->status != 200) co_return co_await refusal(*session.response, "SUBSCRIBE");
  co_return {};
}

Task<Status> Connection::read_events(Session& session) {
  while (true) {
    {
      http::ScratchBuffer buffer;
      CO_TRY(const ssize_t n, session.response->try_read(buffer.span()));
      if (n == 0) co_return base::fail(ErrorKind::kClosed, "The agent ended the stream of events");
      if (n > 0) {
        session.decoder.feed({buffer.span().data(), static_cast<size_t>(n)});
        while (true) {
          CO_TRY(const auto record, session.decoder.next());
          if (!record) break;
          CO_TRY_VOID(handle_record(*record));
        }
        continue;
      }
    }
    co_await session.response->readable();
  }
}

Status Connection::handle_record(std::string_view record) {
  TRY(Event event, parse_event(record));
  if (event.type == Event::Type::kHeartbeat) return {};
  if (event.type == Event::Type::kSubscribed) {
    away_.clear();
    subscribed_.set();
    unsent_.set();
  }
  if (event.type == Event::Type::kAcknowledged) acknowledge(event);
  listener_.on_event(std::move(event));
  return {};
}

void Connection::acknowledge(const Event& event) {
  std::erase_if(updates_, [&](const Update& update) { return update.uuid == event.uuid; });
  std::erase_if(tasks_, [&](const auto& task) { return task.first == event.task_id; });
}

void Connection::disconnect() {
  away_.set();
  if (!subscribed_.is_set()) return;
  subscribed_.clear();
  listener_.on_disconnected();
}

void Connection::send(const TaskStatus& status) {
  updates_.push_back({.uuid = status.uuid, .status = encode_status(status)});
  unsent_.set();
}

Task<Status> Connection::send_calls(Session& session) {
  using Clock = std::chrono::steady_clock;
  co_await subscribed_.wait();
  const CallHeader header{options_.executor_id, options_.framework_id};
  auto heartbeat = Clock::now() + options_.heartbeat_interval;
  while (true) {
    unsent_.clear();
    const auto update = std::ranges::find(updates_, false, &Update::sent);
    if (update == updates_.end()) {
      CO_TRY_VOID(co_await idle(session, heartbeat - Clock::now()));
      if (unsent_.is_set() || Clock::now() < heartbeat) continue;
      CO_TRY_VOID(co_await post(session, "HEARTBEAT", encode_heartbeat(header)));
      heartbeat = Clock::now() + options_.heartbeat_interval;
      continue;
    }
    const std::string uuid = update->uuid;
    update->sent = true;
    auto status = co_await post(session, "UPDATE", encode_update(header, update->status));
    if (status) continue;
    if (status.error().kind != kLater) co_return status;
    // An agent that recovers takes subscriptions before it takes updates.
    co_await base::sleep_for(random_part(options_.backoff_max));
    const auto again = std::ranges::find(updates_, uuid, &Update::uuid);
    if (again != updates_.end()) again->sent = false;
  }
}

// Until there is an update to send, for `limit` at most; an error if the agent closes meanwhile.
Task<Status> Connection::idle(Session& session, Duration limit) {
  if (!session.calls) {
    co_await base::any_of(wait_for(unsent_), base::sleep_task(limit));
    co_return {};
  }
  const auto end =
      co_await base::any_of(wait_for(unsent_), base::sleep_task(limit), closed(*session.calls));
  if (end.index() < 2) co_return {};
  co_return base::fail(ErrorKind::kClosed, "The agent closed a connection");
}

Task<Status> Connection::post(Session& session, const char* type, std::string body) {
  if (!session.calls) {
    CO_TRY(auto calls, co_await connect());
    session.calls.emplace(std::move(calls));
  }
  CO_TRY_VOID(co_await session.calls->send("POST", options_.target, headers(), body));
  CO_TRY(auto response, co_await session.calls->read_response());
  if (response.status != 202) co_return co_await refusal(response, type);
  // The connection is free for another call when the response has been read to its end.
  CO_TRY_VOID(co_await http::read_all(response, kMaxText));
  co_return {};
}

}  // namespace executors
