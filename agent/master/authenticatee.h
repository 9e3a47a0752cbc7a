// The agent proves to a master who it is.
#pragma once

#include <google/protobuf/message.h>

#include <memory>
#include <string>

#include "agent/master/sasl_client.h"
#include "base/sync.h"
#include "base/task.h"
#include "libprocess/message.h"
#include "libprocess/receiver.h"
#include "libprocess/sender.h"

namespace agent {

// One try. It is a process of its own, crammd5-authenticatee(n): the answers to an earlier try
// reach nobody.
class Authenticatee {
 public:
  struct Parts {
    libprocess::Receiver& receiver;
    libprocess::Sender& sender;
  };

  // Authenticates `agent`, the process that will register, with `master`.
  Authenticatee(Parts parts, std::unique_ptr<SaslClient> sasl, libprocess::Upid agent,
                libprocess::Upid master);
  Authenticatee(const Authenticatee&) = delete;
  Authenticatee& operator=(const Authenticatee&) = delete;
  ~Authenticatee();

  enum class End {
    kCompleted,
    kRefused,  // the master does not accept the credential: trying again is of no use
    kFailed,   // something else went wrong
  };
  struct Outcome {
    End end;
    std::string why;  // for people; empty if it is completed
  };

  // Asks the master to begin, and waits for the end. Once.
  base::Task<Outcome> run();

  // A message of the conversation. Everything from elsewhere than the master's address is dropped,
  // and whatever comes out of order.
  void receive(const libprocess::Message& message);

 private:
  void on_mechanisms(const libprocess::Message& message);
  void on_step(const libprocess::Message& message);
  void on_completed(const libprocess::Message& message);
  void on_failed(const libprocess::Message& message);
  void on_error(const libprocess::Message& message);
  void end(End how, std::string why) { outcome_.set({how, std::move(why)}); }
  void send(const libprocess::Upid& to, const google::protobuf::Message& message);

  Parts parts_;
  const libprocess::Upid agent_;
  const libprocess::Upid master_;
  const libprocess::Upid self_;
  const std::unique_ptr<SaslClient> sasl_;
  bool started_ = false;
  base::OneShot<Outcome> outcome_;
};

}  // namespace agent
