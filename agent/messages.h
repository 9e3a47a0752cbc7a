// The messages that others send to the agent's process: one table, in messages.cpp, says from whom
// and when each is accepted, and what is done with it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "agent/master/master_link.h"
#include "agent/operations/operations.h"
#include "agent/tasks/tasks.h"
#include "base/scope.h"
#include "libprocess/message.h"
#include "libprocess/receiver.h"

namespace agent {

// What handlers work with. Must outlive the Messages.
struct MessageContext {
  MasterLink& link;
  Tasks& tasks;
  Operations& operations;
  // The agent cannot go on and is to be started again.
  std::function<void(base::Error)> fail;
  // Of handlers that wait.
  std::unique_ptr<base::Scope> scope = std::make_unique<base::Scope>();
};

// Who may send a message.
enum class Senders {
  kAnybody,
  kMaster,            // the one that was detected, by id, address and port
  kMasterIfSoCalled,  // a sender whose id begins with "master" must be that one; all others may
};

// The states in which a message is accepted: a bit for each.
using LinkStates = uint8_t;
constexpr LinkStates in(LinkState state) {
  return static_cast<LinkStates>(1U << static_cast<unsigned>(state));
}

struct MessageSpec {
  std::string_view name;  // on the wire
  Senders senders;
  LinkStates states;

  // Decodes the message and does what it asks for. False if it cannot be decoded.
  bool (*handle)(MessageContext& context, const libprocess::Message& message);
};

// All rows, sorted by name.
std::span<const MessageSpec> message_table();

// Takes what is sent to link.self() while it exists, and does what the table says. What the table
// does not accept is dropped with a line in the log: as everybody may send everything, such lines
// come once a second at most.
class Messages {
 public:
  Messages(libprocess::Receiver& receiver, MessageContext context);
  Messages(const Messages&) = delete;
  Messages& operator=(const Messages&) = delete;
  ~Messages();

  void receive(const libprocess::Message& message);

 private:
  libprocess::Receiver& receiver_;
  MessageContext context_;  // with what its scope's tasks use
};

}  // namespace agent
