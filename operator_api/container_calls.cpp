// Launch, wait, kill, remove; images. Each of the older calls, which have NESTED in their names,
// does what the newer one does; they differ in what validation lets through and in the reply's
// member.

#include <signal.h>

#include "base/strings.h"
#include "operator_api/handlers.h"
#include "operator_api/launch.h"

namespace operator_api {

using base::Task;
using isolators::ContainerId;
using mesos::v1::agent::Response;

namespace {

// A reply to WAIT_CONTAINER or WAIT_NESTED_CONTAINER: `Ended` is the member's type.
template <typename Ended>
void describe_end(const isolators::ContainerTermination& termination, Ended* ended) {
  if (termination.has_status()) ended->set_exit_status(termination.status());
  if (termination.has_state()) ended->set_state(termination.state());
  if (termination.has_reason()) ended->set_reason(termination.reason());
  if (termination.has_message()) ended->set_message(termination.message());
  if (termination.limited_resources_size() > 0) {
    *ended->mutable_limitation()->mutable_resources() = termination.limited_resources();
  }
}

Task<void> wait_for(Exchange& exchange, const mesos::v1::ContainerID& id, Response::Type type) {
  auto termination = co_await exchange.agent.containers.wait(ContainerId::from_message(id));
  if (!termination) {
    co_await exchange.reply(http::error_response(termination.error()));
    co_return;
  }
  Response response;
  response.set_type(type);
  if (type == Response::WAIT_CONTAINER) {
    describe_end(*termination, response.mutable_wait_container());
  } else {
    describe_end(*termination, response.mutable_wait_nested_container());
  }
  co_await exchange.reply(response);
}

template <typename Wanted>
Task<void> kill(Exchange& exchange, const Wanted& wanted) {
  const int signal = wanted.has_signal() ? wanted.signal() : SIGKILL;
  co_await exchange.reply(
      exchange.agent.containers.kill(ContainerId::from_message(wanted.container_id()), signal));
}

Task<void> remove(Exchange& exchange, const mesos::v1::ContainerID& id) {
  co_await exchange.reply(co_await exchange.agent.containers.remove(ContainerId::from_message(id)));
}

Task<void> launch(Exchange& exchange, containerizer::LaunchParameters parameters) {
  auto launched = co_await exchange.agent.containers.launch(std::move(parameters));
  co_await exchange.reply(launch_response(exchange.agent, launched));
}

}  // namespace

Task<void> launch_container(Exchange& exchange) {
  const auto& wanted = exchange.call.launch_container();
  auto parameters = launch_parameters(wanted);
  auto& allocation = parameters.allocation;
  allocation.resources.assign(wanted.resources().begin(), wanted.resources().end());
  for (const auto& [name, value] : wanted.limits()) allocation.limits[name] = value.value();
  co_await launch(exchange, std::move(parameters));
}

Task<void> launch_nested_container(Exchange& exchange) {
  co_await launch(exchange, launch_parameters(exchange.call.launch_nested_container()));
}

Task<void> wait_container(Exchange& exchange) {
  co_await wait_for(exchange, exchange.call.wait_container().container_id(),
                    Response::WAIT_CONTAINER);
}

Task<void> wait_nested_container(Exchange& exchange) {
  co_await wait_for(exchange, exchange.call.wait_nested_container().container_id(),
                    Response::WAIT_NESTED_CONTAINER);
}

Task<void> kill_container(Exchange& exchange) {
  co_await kill(exchange, exchange.call.kill_container());
}

Task<void> kill_nested_container(Exchange& exchange) {
  co_await kill(exchange, exchange.call.kill_nested_container());
}

Task<void> remove_container(Exchange& exchange) {
  co_await remove(exchange, exchange.call.remove_container().container_id());
}

Task<void> remove_nested_container(Exchange& exchange) {
  co_await remove(exchange, exchange.call.remove_nested_container().container_id());
}

// Containers cannot have images yet, so no image is stored: whatever is to be kept, all others are
// gone.
Task<void> prune_images(Exchange& exchange) { co_await exchange.reply(200); }

}  // namespace operator_api
