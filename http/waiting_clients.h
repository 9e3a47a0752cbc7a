// The clients that a server waits for: for a request, for the rest of a body that is read as a
// whole, or to take a whole response. When there are as many connections as there may be, the one
// that has been waited for longest gives way to who comes next, so that nobody can keep others out
// by connecting and doing nothing. Who is served, or has a stream, is not among them, nor who is
// kept (ResponseWriter::keep_connection).
#pragma once

#include <cstddef>

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
  // So many may be kept: kept ones must not be able to keep all others out either.
  explicit WaitingClients(size_t may_be_kept) : may_be_kept_(may_be_kept) {}

  // Whoever is added is the last to give way, wherever it stood before.
  void add(WaitingClient& client) {
    clients_.push_back(client);
    added_.set();
  }

  // Shuts the connection of the first down, which then ends as if its client had closed it. False
  // if there is none.
  bool give_up_first();

  // Takes one of the places of those that are kept, until it is given back. False if there is none.
  bool keep_one() {
    if (kept_ >= may_be_kept_) return false;
    ++kept_;
    return true;
  }
  void give_kept_back() { --kept_; }

  // Set by add(), for who clears it.
  base::Event& added() { return added_; }

 private:
  const size_t may_be_kept_;
  size_t kept_ = 0;
  base::IntrusiveList<WaitingClient> clients_;
  base::Event added_;
};

}  // namespace http
