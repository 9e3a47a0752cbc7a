// One connection of a Sender: what waits, what was sent and not answered, who is linked.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/stream.h"
#include "base/sync.h"
#include "base/task.h"
#include "http/message_reader.h"
#include "libprocess/sender.h"

namespace libprocess {

class Sender::Connection {
 public:
  Connection(Address address, const Limits& limits, Dialer& dialer)
      : address_(address), limits_(limits), dialer_(dialer) {}

  const Address& address() const { return address_; }

  void link(const Upid& peer, std::function<void()> exited) {
    links_.insert_or_assign(peer, std::move(exited));
  }
  bool unlink(const Upid& peer) {
    const bool was_linked = links_.erase(peer) > 0;
    last_progress_ = std::chrono::steady_clock::now();
    changed_.set();
    must_progress_.set();
    return was_linked;
  }
  bool has_link(const Upid& peer) const { return links_.contains(peer); }
  bool linked() const { return !links_.empty(); }

  // False if there is no room for it.
  bool push(std::string request);

  // Connects, sends and reads answers until there is nothing more to do (a success) or the peer has
  // gone.
  base::Task<base::Status> run();

  // Whether everything was sent and answered.
  bool idle() const { return queue_.empty() && unanswered_ == 0; }
  base::Event& became_idle() { return became_idle_; }

  size_t unsent() const { return queue_.size(); }

  // Whether the peer has ever answered.
  bool was_answered() const { return was_answered_; }

  // After run(): whom to tell. None are linked any more.
  std::vector<std::function<void()>> take_exits();

 private:
  base::Task<base::Status> write_all(base::Stream& stream);
  base::Task<base::Status> read_answers(base::Stream& stream);
  base::Task<base::Status> watch_progress();
  bool must_progress() const { return !linked() && !idle(); }
  void progress();

  const Address address_;
  const Limits& limits_;
  Dialer& dialer_;
  std::map<Upid, std::function<void()>> links_;

  std::deque<std::string> queue_;  // whole requests; the first is being written
  size_t queue_bytes_ = 0;
  size_t unanswered_ = 0;
  bool counts_answers_ = true;
  bool was_answered_ = false;
  base::Event changed_;        // something was queued, or a link is gone
  base::Event must_progress_;  // perhaps: something is to be done, and nobody is linked
  base::Event became_idle_;
  std::chrono::steady_clock::time_point last_progress_ = std::chrono::steady_clock::now();
};

}  // namespace libprocess
