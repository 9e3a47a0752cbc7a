// Sessions of the agent's, as clients see them.
#pragma once

#include <string>

#include "bench/agent_process.h"
#include "bench/echo_floor.h"
#include "bench/http_client.h"
#include "bench/operator_calls.h"
#include "bench/samples.h"
#include "bench/stream_meter.h"

namespace bench {

// A session's stream. Its input, if it is opened, has a connection of its own.
class AgentSession {
 public:
  // `call` is a whole request.
  static base::Result<AgentSession> start(const AgentProcess& agent, const std::string& call,
                                          Encoding encoding);

  Clock::time_point started() const { return started_; }
  uint64_t payload() const { return meter_.payload(); }

  // Waits until `bytes` bytes of the container's have come in all.
  base::Status await_payload(uint64_t bytes);

  // Waits for the last chunk.
  base::Status await_end();

 private:
  AgentSession(Client output, Encoding encoding) : output_(std::move(output)), meter_(encoding) {}

  base::Status read();

  Client output_;
  StreamMeter meter_;
  Clock::time_point started_;
};

// A session to type into: a terminal, or `cat` behind pipes.
class TypingSession {
 public:
  static base::Result<TypingSession> start(const AgentProcess& agent, const ContainerID& id,
                                           EchoKind kind);

  // One byte, and waits for it to come back; milliseconds.
  base::Result<double> send_key();

 private:
  TypingSession(AgentSession session, Client input)
      : session_(std::move(session)), input_(std::move(input)) {}

  AgentSession session_;
  Client input_;
  const std::string key_ = input_data_chunk("x");
  uint64_t keys_ = 0;
};

}  // namespace bench
