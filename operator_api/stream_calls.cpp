// Sessions and attach. The switchboard speaks the client's encoding; here its bytes only pass by.

#include "base/strings.h"
#include "ioswitchboard/client.h"
#include "operator_api/authorization.h"
#include "operator_api/handlers.h"
#include "operator_api/launch.h"

namespace operator_api {

using base::concat;
using base::ErrorKind;
using base::Result;
using base::Task;
using isolators::ContainerId;

namespace {

// The parameter of the request's target by which a client asks for recent output as well.
constexpr std::string_view kReplayParameter = "replay";

ioswitchboard::Encoding encoding_of(Encoding encoding) {
  return encoding == Encoding::kJson ? ioswitchboard::Encoding::kJson
                                     : ioswitchboard::Encoding::kProtobuf;
}

// The container's switchboard, or why it cannot be had. As Apache Mesos: 404 only if the whole tree
// is unknown, which is told even to those who may not attach.
Result<std::string> find_switchboard(const Context& context, Action action, const ContainerId& id) {
  auto& containers = context.agent.containers;
  const bool known = containers.find(id.root()) != nullptr || containers.find(id) != nullptr;
  if (known && !may_use_container(context, action, id)) {
    return base::fail(ErrorKind::kForbidden, "");
  }
  auto directory = containers.find_switchboard(id);
  if (directory) return directory;
  base::Error error = std::move(directory).error();
  if (error.kind == ErrorKind::kNotFound) {
    if (containers.find(id.root()) == nullptr) {
      return base::fail(ErrorKind::kNotFound,
                        concat("Container ", id.to_string(), " cannot be found"));
    }
    error.kind = ErrorKind::kInternal;
  }
  return base::fail(std::move(error));
}

Task<void> stream_output(Exchange& exchange, const ContainerId& id) {
  auto directory = find_switchboard(exchange, Action::kAttachContainerOutput, id);
  if (!directory) {
    co_await exchange.reply(http::error_response(directory.error()));
    co_return;
  }
  const std::string* replay = exchange.request.query.find(kReplayParameter);
  auto attached = co_await ioswitchboard::attach_output(
      *std::move(directory),
      {encoding_of(exchange.media.response), exchange.media.streaming_response},
      replay != nullptr && *replay != "false");
  if (!attached) {
    co_await exchange.reply(http::error_response(attached.error()));
    co_return;
  }
  (void)co_await ioswitchboard::pass_on(*attached, exchange.writer);
}

// A session's container lives as long as its stream: whichever way that ends, it ends. Not by its
// id, which can be another container's by then.
class Session {
 public:
  explicit Session(std::shared_ptr<containerizer::Container> container)
      : container_(std::move(container)) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    if (container_ != nullptr) container_->request_destroy();
  }

 private:
  const std::shared_ptr<containerizer::Container> container_;  // none: it has ended already
};

}  // namespace

Task<void> launch_nested_container_session(Exchange& exchange) {
  auto parameters = launch_parameters(exchange.call.launch_nested_container_session());
  parameters.container_class = isolators::ContainerConfig::DEBUG;
  const ContainerId id = parameters.id;
  // Known before anything runs. Mesos launches first and then destroys what may not be attached to.
  if (!may_use_container(exchange, Action::kAttachContainerOutput, id)) {
    co_await exchange.reply(http::error_response(403));
    co_return;
  }
  auto launched = co_await exchange.agent.containers.launch(std::move(parameters));
  if (!launched) {
    co_await exchange.reply(launch_response(exchange.agent, launched));
    co_return;
  }
  Session session(exchange.agent.containers.find(id));
  co_await stream_output(exchange, id);
}

Task<void> attach_container_output(Exchange& exchange) {
  co_await stream_output(
      exchange, ContainerId::from_message(exchange.call.attach_container_output().container_id()));
}

Task<void> attach_container_input(Exchange& exchange) {
  const auto& input = exchange.call.attach_container_input();
  if (input.type() != Call::AttachContainerInput::CONTAINER_ID) {
    co_await exchange.reply(
        http::error_response(400, "Expecting 'attach_container_input.type' to be CONTAINER_ID"));
    co_return;
  }
  auto directory = find_switchboard(exchange, Action::kAttachContainerInput,
                                    ContainerId::from_message(input.container_id()));
  if (!directory) {
    co_await exchange.reply(http::error_response(directory.error()));
    co_return;
  }
  auto response = co_await ioswitchboard::attach_input(
      *std::move(directory), encoding_of(exchange.media.request), exchange.body_read_ahead,
      exchange.request.body, exchange.writer);
  co_await exchange.reply(response ? *std::move(response) : http::error_response(response.error()));
}

}  // namespace operator_api
