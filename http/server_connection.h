// One connection of the server: its life, from the first request to the last byte.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/own_frame.h"
#include "base/stream.h"
#include "base/sync.h"
#include "base/task.h"
#include "http/message_reader.h"
#include "http/response_writer.h"
#include "http/server.h"
#include "http/waiting_clients.h"

namespace http {

class ServerConnection {
 public:
  // All but the descriptor must outlive this.
  ServerConnection(base::Fd fd, const Handler& handler, const Limits& limits,
                   WaitingClients& waiting);
  ~ServerConnection() {
    if (kept_) waiting_.give_kept_back();
  }
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  // Greets, if there is a greeting, and serves one request after the other until the connection is
  // to be closed.
  base::Task<void> run(const Greeting* greeting);

 private:
  friend class ResponseWriter;

  // The body of the request that is being served.
  class Body final : public BodyReader {
   public:
    explicit Body(ServerConnection& connection) : connection_(connection) {}
    base::Result<ssize_t> try_read(std::span<char> buffer) override;
    base::Task<void> readable() override;
    void collect(bool whole) override { collected_ = whole; }

   private:
    ServerConnection& connection_;
    bool collected_ = false;
  };

  // While it exists the connection can be given up for another one.
  class Waiting {
   public:
    explicit Waiting(ServerConnection& connection) : place_(connection.stream_.fd()) {
      if (!connection.kept_) connection.waiting_.add(place_);
    }

   private:
    WaitingClient place_;
  };

  // All: false if the connection cannot be used any further.
  OWN_FRAME base::Task<bool> greet(const Greeting& greeting);
  OWN_FRAME base::Task<bool> read_head();
  OWN_FRAME base::Task<bool> serve_request();

  // Ends when the client has gone and the handler need not go on.
  base::Task<void> abandoned(ResponseWriter& writer);

  // Answers what never became a request; the connection is closed after it.
  OWN_FRAME base::Task<void> refuse(int status, std::string reason);

  // Lets the client read what was sent, then returns for the descriptor to be closed.
  OWN_FRAME base::Task<void> wind_down();
  base::Task<void> end_sending();

  // Drops what has arrived of the request's body.
  void drop_body();

  void send_continue();

  // Sends what is left of "100 Continue", as far as the kernel takes it; all of it.
  void try_flush_interim();
  base::Task<void> flush_interim();

  const Handler& handler_;
  const Limits& limits_;
  WaitingClients& waiting_;
  base::Stream stream_;
  MessageReader reader_;
  base::Event body_received_;
  bool kept_ = false;               // never gives way
  bool request_under_way_ = false;  // beside what the reader knows of it
  bool expects_continue_ = false;   // the client waits for "100 Continue" to send its body
  std::string_view interim_;        // what is left to send of it
};

}  // namespace http
