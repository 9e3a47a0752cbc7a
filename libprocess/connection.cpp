#include "libprocess/connection.h"

#include <utility>

#include "base/combine.h"
#include "base/strings.h"
#include "http/scratch.h"

namespace libprocess {

using base::ErrorKind;
using base::fail;
using base::Status;
using base::Task;
using Clock = std::chrono::steady_clock;

namespace {

base::Result<ssize_t> drop_piece(http::MessageReader& reader) {
  http::ScratchBuffer buffer;
  return reader.try_read_body(buffer.span());
}

}  // namespace

bool Sender::Connection::push(std::string request) {
  if (!queue_.empty() && queue_bytes_ + request.size() > limits_.queue_bytes) return false;
  if (idle()) last_progress_ = Clock::now();
  queue_bytes_ += request.size();
  queue_.push_back(std::move(request));
  became_idle_.clear();
  changed_.set();
  if (!linked()) must_progress_.set();
  return true;
}

std::vector<std::function<void()>> Sender::Connection::take_exits() {
  std::vector<std::function<void()>> exits;
  for (auto& [peer, exited] : std::exchange(links_, {})) exits.push_back(std::move(exited));
  return exits;
}

Task<Status> Sender::Connection::run() {
  auto connected = co_await base::with_timeout(base::connect_tcp(address_.ip_text(), address_.port),
                                               limits_.connect_timeout);
  if (!connected) co_return fail(ErrorKind::kTimeout, "connecting takes too long");
  if (!*connected) co_return fail(std::move(*connected).error());
  base::Stream stream(**std::move(connected));
  last_progress_ = Clock::now();
  auto end = co_await base::any_of(write_all(stream), read_answers(stream), watch_progress());
  co_return std::visit([](auto& status) { return std::move(status); }, end);
}

// Ends without an error when nobody is linked and nothing is left to do.
Task<Status> Sender::Connection::write_all(base::Stream& stream) {
  while (true) {
    changed_.clear();
    if (!queue_.empty()) {
      ++unanswered_;  // the answer can be faster than what comes after the last byte
      CO_TRY_VOID(co_await stream.write_all(queue_.front()));
      queue_bytes_ -= queue_.front().size();
      queue_.pop_front();
      progress();
    } else if (!linked() && unanswered_ == 0) {
      co_return {};
    } else {
      co_await changed_.wait();
    }
  }
}

// Nobody looks at the answers, but a peer whose answers are not read stops reading.
Task<Status> Sender::Connection::read_answers(base::Stream& stream) {
  http::MessageReader reader(stream, http::MessageParser::Kind::kResponse);
  while (counts_answers_) {
    const auto state = reader.try_read_head();
    if (!state && state.error().kind == ErrorKind::kInvalid) break;
    if (!state) co_return fail(state.error());
    if (*state == http::MessageReader::HeadState::kClosed) {
      co_return fail(ErrorKind::kClosed, "the peer has closed the connection");
    }
    if (*state == http::MessageReader::HeadState::kIncomplete) {
      co_await reader.readable();
      continue;
    }
    const bool interim = reader.take_head().status / 100 == 1;
    while (!reader.complete()) {
      const auto n = drop_piece(reader);
      if (!n) co_return fail(n.error());
      if (*n == http::MessageReader::kWouldBlock) co_await reader.readable();
    }
    reader.next_message();
    if (interim || unanswered_ == 0) continue;
    --unanswered_;
    progress();
  }
  // What comes is no answer. It may be a peer's that takes messages nevertheless.
  counts_answers_ = false;
  unanswered_ = 0;
  progress();
  while (true) {
    const auto n = reader.discard();
    if (!n) co_return fail(n.error());
    if (*n == 0) co_return fail(ErrorKind::kClosed, "the peer has closed the connection");
    if (*n == base::Stream::kWouldBlock) co_await reader.readable();
  }
}

// While there is a link the peer's end is all that ends it: a master that takes nothing is found
// silent by who waits for its pings.
Task<Status> Sender::Connection::watch_progress() {
  while (true) {
    must_progress_.clear();
    if (!must_progress()) {
      co_await must_progress_.wait();
      continue;
    }
    const auto deadline = last_progress_ + limits_.stall_timeout;
    if (Clock::now() >= deadline) {
      co_return fail(ErrorKind::kTimeout, "the peer takes nothing, or does not answer");
    }
    co_await base::sleep_for(deadline - Clock::now());
  }
}

void Sender::Connection::progress() {
  last_progress_ = Clock::now();
  if (!counts_answers_) unanswered_ = 0;
  changed_.set();
  if (idle()) became_idle_.set();
}

}  // namespace libprocess
