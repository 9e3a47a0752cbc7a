// Where messages go out.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/scope.h"
#include "base/task.h"
#include "libprocess/dialer.h"
#include "libprocess/remarks.h"
#include "libprocess/upid.h"

namespace libprocess {

// Sends messages, at most once each: nobody is told that one was lost. All of a program's processes
// share one sender, and all processes behind one address the same connection.
//
// Messages to one address go out in their order, one after the other without waiting for answers.
// (Whoever unlinks and links again, or is linked to again after exited(), begins a new connection,
// and what goes over that can overtake what went before.) Nothing here blocks: what cannot be sent
// yet waits in memory.
class Sender {
 public:
  struct Limits {
    // What may wait for one address. A message that finds nothing waiting may be larger.
    size_t queue_bytes = 64 * 1024 * 1024;

    // With the handshake of TLS. Another such time may go into connecting without, if that fails
    // and may be done without.
    std::chrono::nanoseconds connect_timeout = std::chrono::seconds(30);

    // After the last message, and for what an unlinked connection still has to send: how long the
    // peer may take nothing and answer nothing. A linked connection may be idle for ever.
    std::chrono::nanoseconds stall_timeout = std::chrono::seconds(30);
  };

  Sender() : Sender(Limits()) {}
  explicit Sender(Limits limits) : limits_(limits) {}
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;
  ~Sender();

  // Whether TLS is spoken, and whose certificates count. For connections that are made from here
  // on.
  Dialer& dialer() { return dialer_; }

  // From here on there is a connection to the peer's address that stays, and all messages to that
  // address go over it. `exited` is called once, when the connection has ended, could not be made,
  // or broke; then the link is gone, and so is what was waiting. It is not called from within a
  // call of this class, and may make such calls. A peer that is linked already gets the new
  // `exited` in place of the old.
  void link(const Upid& peer, std::function<void()> exited);

  // The peer's `exited` will not be called any more. If nobody else is linked at its address, the
  // connection is closed when what waits was sent and answered; messages after this go over
  // another.
  void unlink(const Upid& peer);
  bool is_linked(const Upid& peer) const;

  // Sends a message. Without a link to the address it goes over a connection that is closed when
  // nothing is left to send and all answers have come. Why messages were not sent is logged, once
  // for each change of the cause at an address.
  void send(const Upid& from, const Upid& to, std::string_view name, std::string body);

  // Waits until everything is sent, and answered with 202 or not; or is given up; but not for
  // longer than `limit`. For who is about to end.
  base::Task<void> flush(std::chrono::nanoseconds limit = std::chrono::seconds(5));

 private:
  class Connection;

  std::shared_ptr<Connection> connection_to(const Address& address);
  base::Task<void> run(std::shared_ptr<Connection> connection);
  void forget(const Connection& connection);
  void report(const Connection& connection, const base::Error& error);

  const Limits limits_;
  Dialer dialer_;
  Remarks failures_;
  std::map<Address, std::shared_ptr<Connection>> connections_;
  base::Scope scope_;  // last: its tasks end before what they use
};

}  // namespace libprocess
