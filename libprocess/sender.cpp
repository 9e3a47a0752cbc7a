#include "libprocess/sender.h"

#include <glog/logging.h>

#include <chrono>
#include <utility>
#include <vector>

#include "base/combine.h"
#include "libprocess/connection.h"
#include "libprocess/message.h"

namespace libprocess {

using base::Task;

Sender::~Sender() = default;

void Sender::link(const Upid& peer, std::function<void()> exited) {
  connection_to(peer.address())->link(peer, std::move(exited));
}

void Sender::unlink(const Upid& peer) {
  const auto found = connections_.find(peer.address());
  if (found == connections_.end()) return;
  // It goes on by itself, and no new message finds it.
  if (found->second->unlink(peer) && !found->second->linked()) connections_.erase(found);
}

bool Sender::is_linked(const Upid& peer) const {
  const auto found = connections_.find(peer.address());
  return found != connections_.end() && found->second->has_link(peer);
}

void Sender::send(const Upid& from, const Upid& to, std::string_view name, std::string body) {
  if (to.id.empty() || to.port == 0) {
    LOG(WARNING) << "A " << name << " is not sent: '" << to.to_string() << "' is nobody";
    return;
  }
  if (!connection_to(to.address())->push(encode_message(from, to, name, body))) {
    LOG_EVERY_T(WARNING, 1) << "A " << name << " to " << to.to_string()
                            << " is not sent: too much waits for this address";
  }
}

Task<void> Sender::flush(std::chrono::nanoseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  const std::vector<std::shared_ptr<Connection>> connections = [this] {
    std::vector<std::shared_ptr<Connection>> all;
    for (const auto& [address, connection] : connections_) all.push_back(connection);
    return all;
  }();
  for (const auto& connection : connections) {
    if (connection->idle()) continue;
    auto wait = [](Connection& waiting) -> Task<void> { co_await waiting.became_idle().wait(); };
    co_await base::with_timeout(wait(*connection), deadline - std::chrono::steady_clock::now());
  }
}

std::shared_ptr<Sender::Connection> Sender::connection_to(const Address& address) {
  auto& connection = connections_[address];
  if (connection == nullptr) {
    connection = std::make_shared<Connection>(address, limits_, dialer_);
    scope_.spawn(run(connection));
  }
  return connection;
}

Task<void> Sender::run(std::shared_ptr<Connection> connection) {
  // What is known without waiting must not be told from within link() or send().
  co_await base::next_turn();
  const auto end = co_await connection->run();
  forget(*connection);
  if (connection->was_answered()) failures_.forget(connection->address());
  if (!end) report(*connection, end.error());
  connection->became_idle().set();
  for (const auto& exited : connection->take_exits()) exited();
}

void Sender::report(const Connection& connection, const base::Error& error) {
  if (!failures_.is_new(connection.address(), error.message)) return;
  const size_t unsent = connection.unsent();
  LOG(WARNING) << "The connection to " << connection.address().to_string()
               << " has ended: " << error.message
               << (unsent > 0 ? "; messages that are dropped: " + std::to_string(unsent) : "");
}

void Sender::forget(const Connection& connection) {
  const auto found = connections_.find(connection.address());
  if (found != connections_.end() && found->second.get() == &connection) connections_.erase(found);
}

}  // namespace libprocess
