#include "bench/cluster.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/strings.h"
#include "bench/http_client.h"

namespace bench {

using base::concat;
using base::Fd;
using base::Result;
using base::Status;
namespace internal = mesos::internal;

namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr std::string_view kPackage = "mesos.internal.";
constexpr char kMasterId[] = "bench-master";
constexpr double kPingTimeoutSeconds = 3600;  // no pings

std::optional<std::string_view> header(std::string_view head, std::string_view name) {
  const size_t at = head.find(concat("\r\n", name, ": "));
  if (at == std::string_view::npos) return std::nullopt;
  const size_t start = at + name.size() + 4;
  return head.substr(start, head.find("\r\n", start) - start);
}

mesos::v1::Resource scalar(const std::string& name, double value) {
  mesos::v1::Resource resource;
  resource.set_name(name);
  resource.set_type(mesos::v1::Value::SCALAR);
  resource.mutable_scalar()->set_value(value);
  resource.mutable_allocation_info()->set_role("*");
  return resource;
}

// The one request at the front of `input`, removed from it: its head and its body, which must come
// in one chunk or not at all. Nothing if it is not whole.
struct Request {
  std::string head;
  std::string body;
};
Result<std::optional<Request>> take_request(std::string& input) {
  const size_t end = input.find("\r\n\r\n");
  if (end == std::string::npos) return std::nullopt;
  Request request{input.substr(0, end + 2), ""};
  size_t at = end + 4;
  if (header(request.head, "Transfer-Encoding")) {
    const size_t line = input.find("\r\n", at);
    if (line == std::string::npos) return std::nullopt;
    size_t size = 0;
    if (std::from_chars(input.data() + at, input.data() + line, size, 16).ec != std::errc()) {
      return base::fail("The agent's request has no chunk size");
    }
    at = line + 2;
    constexpr std::string_view kEnd = "\r\n0\r\n\r\n";
    if (input.size() < at + size + kEnd.size()) return std::nullopt;
    if (input.compare(at + size, kEnd.size(), kEnd) != 0) {
      return base::fail("The agent's request is not of one chunk");
    }
    request.body = input.substr(at, size);
    at += size + kEnd.size();
  }
  input.erase(0, at);
  return request;
}

}  // namespace

Cluster::Cluster(Fd listener, uint16_t port) : listener_(std::move(listener)), port_(port) {
  framework_.set_user("root");
  framework_.set_name("bench");
  framework_.mutable_id()->set_value(concat(kMasterId, "-0000"));
  framework_.set_checkpoint(true);
  framework_.set_role("*");
  framework_.add_capabilities()->set_type(
      mesos::v1::FrameworkInfo::Capability::RESERVATION_REFINEMENT);
  framework_.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::PARTITION_AWARE);
}

Result<Cluster> Cluster::open() {
  TRY(Listener listener, listen_on_loopback());
  return Cluster(std::move(listener.fd), listener.port);
}

Status Cluster::serve_until(const std::function<bool()>& done, std::string_view what) {
  const auto deadline = Clock::now() + kPatience;
  while (!done()) {
    if (Clock::now() > deadline) return base::fail(concat("Not in time: ", what));
    std::vector<pollfd> polled{{listener_.get(), POLLIN, 0}};
    for (const Peer& peer : peers_) polled.push_back({peer.fd.get(), POLLIN, 0});
    if (agent_) polled.push_back({agent_.get(), POLLIN, 0});
    if (poll(polled.data(), polled.size(), 100) < 0) return base::fail_errno("poll");
    if (agent_ && polled.back().revents != 0) {
      std::array<char, 16384> answers{};  // 202s, which nobody reads
      if (read(agent_.get(), answers.data(), answers.size()) <= 0) agent_.reset();
    }
    for (size_t i = peers_.size(); i-- > 0;) {
      if (polled[i + 1].revents == 0) continue;
      TRY(const bool open, receive(peers_[i]));
      if (!open) peers_.erase(peers_.begin() + static_cast<ptrdiff_t>(i));
    }
    if (polled[0].revents != 0) TRY_VOID(accept_peer());
  }
  return {};
}

Status Cluster::accept_peer() {
  Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd) return base::fail_errno("accept");
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  peers_.push_back({std::move(fd), ""});
  return {};
}

Result<bool> Cluster::receive(Peer& peer) {
  std::array<char, 65536> buffer{};
  const ssize_t count = read(peer.fd.get(), buffer.data(), buffer.size());
  if (count <= 0) return false;
  peer.input.append(buffer.data(), static_cast<size_t>(count));
  while (true) {
    TRY(const auto request, take_request(peer.input));
    if (!request) return true;
    TRY_VOID(write_all(peer.fd.get(), "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"));
    TRY_VOID(handle(request->head, request->body));
  }
}

Status Cluster::handle(std::string_view head, const std::string& body) {
  const size_t at = head.find(kPackage);
  if (at == std::string_view::npos) return base::fail("The agent sends no message");
  const size_t start = at + kPackage.size();
  const std::string_view name = head.substr(start, head.find(' ', start) - start);
  if (name == "RegisterSlaveMessage") return on_register(head);
  if (name == "ReregisterSlaveMessage") return on_reregister(head, body);
  if (name == "StatusUpdateMessage") return on_update(body);
  if (name == "UpdateSlaveMessage") ++updates_of_agent_;
  return {};
}

Status Cluster::connect_agent(std::string_view head) {
  const auto from = header(head, "Libprocess-From");
  if (!from) return base::fail("A registration does not say whose it is");
  agent_pid_ = *from;
  const auto port = base::parse_number<uint16_t>(agent_pid_.substr(agent_pid_.rfind(':') + 1));
  if (!port) return base::fail(concat("A registration comes from '", agent_pid_, "'"));
  TRY(agent_, connect_to_loopback(*port));
  return {};
}

Status Cluster::on_register(std::string_view head) {
  TRY_VOID(connect_agent(head));
  agent_id_.set_value(concat(kMasterId, "-S0"));
  internal::SlaveRegisteredMessage message;
  *message.mutable_slave_id() = agent_id_;
  message.mutable_connection()->set_total_ping_timeout_seconds(kPingTimeoutSeconds);
  return send("SlaveRegisteredMessage", message);
}

Status Cluster::on_reregister(std::string_view head, const std::string& body) {
  internal::ReregisterSlaveMessage asked;
  if (!asked.ParseFromString(body)) return base::fail("A re-registration is not readable");
  TRY_VOID(connect_agent(head));
  internal::SlaveReregisteredMessage message;
  *message.mutable_slave_id() = asked.slave().id();
  message.mutable_connection()->set_total_ping_timeout_seconds(kPingTimeoutSeconds);
  return send("SlaveReregisteredMessage", message);
}

Status Cluster::on_update(const std::string& body) {
  internal::StatusUpdateMessage message;
  if (!message.ParseFromString(body)) return base::fail("A status update is not readable");
  const auto& update = message.update();
  const auto& status = update.status();
  const auto now = Clock::now();
  auto& task = tasks_[status.task_id().value()];
  if (status.state() == mesos::v1::TASK_RUNNING) {
    if (!task.running) ++running_;
    task.running = now;
  } else if (status.state() != mesos::v1::TASK_STARTING &&
             status.state() != mesos::v1::TASK_KILLING && !task.ended) {
    if (task.running) --running_;
    ++ended_;
    task.ended = now;
    task.finished = status.state() == mesos::v1::TASK_FINISHED;
  }
  internal::StatusUpdateAcknowledgementMessage acknowledgement;
  *acknowledgement.mutable_slave_id() = update.slave_id();
  *acknowledgement.mutable_framework_id() = update.framework_id();
  *acknowledgement.mutable_task_id() = status.task_id();
  acknowledgement.set_uuid(update.uuid());
  return send("StatusUpdateAcknowledgementMessage", acknowledgement);
}

Status Cluster::run_task(const std::string& id, const std::string& command) {
  internal::RunTaskMessage message;
  *message.mutable_framework() = framework_;
  message.set_pid("@0.0.0.0:0");
  message.set_launch_executor(true);
  auto& task = *message.mutable_task();
  task.set_name(id);
  task.mutable_task_id()->set_value(id);
  *task.mutable_agent_id() = agent_id_;
  *task.add_resources() = scalar("cpus", 0.01);
  *task.add_resources() = scalar("mem", 32);
  task.mutable_command()->set_value(command);
  task.mutable_command()->set_shell(true);
  tasks_[id] = {.launched = Clock::now(), .running = std::nullopt, .ended = std::nullopt};
  return send("RunTaskMessage", message);
}

Status Cluster::kill_task(const std::string& id) {
  internal::KillTaskMessage message;
  *message.mutable_framework_id() = framework_.id();
  message.mutable_task_id()->set_value(id);
  return send("KillTaskMessage", message);
}

Status Cluster::send(std::string_view name, const google::protobuf::Message& message) {
  const std::string body = message.SerializeAsString();
  std::array<char, 16> size{};
  const auto end = std::to_chars(size.data(), size.data() + size.size(), body.size(), 16).ptr;
  const std::string self = concat("master@127.0.0.1:", port_);
  return write_all(
      agent_.get(),
      concat("POST /slave(1)/", kPackage, name, " HTTP/1.1\r\nUser-Agent: libprocess/", self,
             "\r\nLibprocess-From: ", self, "\r\nConnection: Keep-Alive\r\nHost: ",
             agent_pid_.substr(agent_pid_.find('@') + 1), "\r\nTransfer-Encoding: chunked\r\n\r\n",
             std::string_view(size.data(), static_cast<size_t>(end - size.data())), "\r\n", body,
             "\r\n0\r\n\r\n"));
}

}  // namespace bench
