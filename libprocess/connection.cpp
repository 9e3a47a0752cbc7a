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

constexpr std::chrono::seconds kLastWords{1};

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
  CO_TRY(base::Stream stream, co_await dialer_.connect(address_, limits_.connect_timeout));
  last_progress_ = Clock::now();
  auto end = co_await base::any_of(write_all(stream), read_answers(stream), watch_progress());
  auto status = std::visit([](auto& ended) { return std::move(ended); }, end);
  // Says over TLS that nothing follows. All has been written, so there is room for it.
  if (status) stream.shutdown_write();
  co_return status;
}

// Ends without an error when nobody is linked and nothing is left to do.
Task<Status> Sender::Connection::write_all(base::Stream& stream) {
  while (true) {
    changed_.clear();
    if (!queue_.empty()) {
      ++unanswered_;  // the answer can be faster than what comes after the last byte
      if (auto written = co_await stream.write_all(queue_.front()); !written) {
        // Before it has closed the connection the peer may have said why: with TLS 1.3, that it
        // does not accept our certificate. Who reads finds that, or the end.
        if (written.error().kind == ErrorKind::kClosed) co_await base::sleep_for(kLastWords);
        co_return written;
      }
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
    was_answered_ = true;
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
