#include "bench/agent_session.h"

#include "base/strings.h"

namespace bench {

using base::concat;
using base::Result;
using base::Status;

Result<AgentSession> AgentSession::start(const AgentProcess& agent, const std::string& call,
                                         Encoding encoding) {
  TRY(Client output, Client::connect(agent.port()));
  AgentSession session(std::move(output), encoding);
  session.started_ = Clock::now();
  TRY_VOID(session.output_.send(call));
  TRY(const int status, session.output_.read_head());
  if (status == 200) return session;
  auto why = session.output_.read_some();
  return base::fail(concat("A session's launch answers ", status, ": ", why.value_or("")));
}

Status AgentSession::await_payload(uint64_t bytes) {
  while (meter_.payload() < bytes && !meter_.ended()) TRY_VOID(read());
  if (meter_.payload() < bytes) return base::fail("A session has ended early");
  return {};
}

Status AgentSession::await_end() {
  while (!meter_.ended()) TRY_VOID(read());
  return {};
}

Status AgentSession::read() {
  TRY(const auto bytes, output_.read_some());
  if (bytes.empty()) return base::fail("A session's connection has been closed");
  return meter_.feed(bytes);
}

Result<TypingSession> TypingSession::start(const AgentProcess& agent, const ContainerID& id,
                                           EchoKind kind) {
  const bool tty = kind == EchoKind::kTerminal;
  const std::vector<std::string> argv =
      tty ? std::vector<std::string>{"/bin/sleep", "100000"} : std::vector<std::string>{"/bin/cat"};
  TRY(AgentSession session,
      AgentSession::start(agent, request(launch_session(id, argv, tty), Encoding::kProtobuf),
                          Encoding::kProtobuf));
  TRY(Client input, Client::connect(agent.port()));
  TRY_VOID(input.send(attach_input_head() + input_id_chunk(id)));
  return TypingSession(std::move(session), std::move(input));
}

Result<double> TypingSession::send_key() {
  const auto start = Clock::now();
  TRY_VOID(input_.send(key_));
  TRY_VOID(session_.await_payload(++keys_));
  return milliseconds_since(start);
}

}  // namespace bench
