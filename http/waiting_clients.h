// The clients that a server waits for: for a request, for the rest of a body that is read as a
// whole, or to take a whole response. When there are as many connections as there may be, the one
// that has been waited for longest gives way to who comes next, so that nobody can keep others out
// by connecting and doing nothing. Who is served, or has a stream, is not among them.
#pragma once

#include "base/intrusive_list.h"
#include "base/sync.h"

namespace http {

// One connection's place among them. Leaves by being destroyed.
class WaitingClient : public base::ListLink {
 public:
  explicit WaitingClient(int fd) : fd_(fd) {}

 private:
  friend class WaitingClients;
  const int fd_;
};

class WaitingClients {
 public:
  // Whoever is added is the last to give way, wherever it stood before.
  void add(WaitingClient& client) {
    clients_.push_back(client);
    added_.set();
  }

  // Shuts the connection of the first down, which then ends as if its client had closed it. False
  // if there is none.
  bool give_up_first();

  // Set by add(), for who clears it.
  base::Event& added() { return added_; }

 private:
  base::IntrusiveList<WaitingClient> clients_;
  base::Event added_;
};

}  // namespace http
