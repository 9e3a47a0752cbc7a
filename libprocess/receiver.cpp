#include "libprocess/receiver.h"

#include <glog/logging.h>

#include <utility>

#include "base/strings.h"

namespace libprocess {

namespace {

base::Task<void> reply(http::ResponseWriter& writer, http::Response response) {
  // Senders close without reading the answer; they have no use for it.
  (void)co_await writer.send(std::move(response));
}

}  // namespace

void Receiver::install(std::string id, Handler handler) {
  handlers_.insert_or_assign(std::move(id), std::move(handler));
}

void Receiver::remove(const std::string& id) { handlers_.erase(id); }

base::Task<void> Receiver::handle(http::Request& request, http::ResponseWriter& writer) {
  auto message = parse_message(request.path, request.headers);
  if (!message) {
    co_await reply(writer, http::error_response(500, message.error().message));
    co_return;
  }
  if (!handlers_.contains(message->to)) {
    co_await reply(
        writer, http::error_response(404, base::concat("There is no process '", message->to, "'")));
    co_return;
  }
  writer.keep_connection();
  http::BodyBudget::Share share(bodies_);
  auto body = co_await http::read_all(request.body, max_body_, &share);
  if (!body) {
    LOG_EVERY_T(WARNING, 1) << "A " << message->name << " from " << message->from.to_string()
                            << " is dropped: " << body.error().message;
    co_await reply(writer, http::error_response(body.error()));
    co_return;
  }
  message->body = *std::move(body);
  // It may have left while the body came.
  if (const auto found = handlers_.find(message->to); found != handlers_.end()) {
    const Handler handler = found->second;  // which may remove itself
    handler(*std::move(message));
  }
  co_await reply(writer, {.status = 202});
}

}  // namespace libprocess
