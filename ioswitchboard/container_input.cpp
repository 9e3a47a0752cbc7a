#include "ioswitchboard/container_input.h"

#include <sys/ioctl.h>
#include <termios.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/combine.h"
#include "base/strings.h"
#include "http/recordio.h"

namespace ioswitchboard {

namespace {

constexpr size_t kReadAhead = 64 * 1024;

// As large as a message that protobuf's own parsers take.
constexpr size_t kMaxRecord = 64 * 1024 * 1024;

// A client that ends one request and at once makes the next has done so in that order, but on two
// connections, so the end may arrive a moment later.
constexpr std::chrono::milliseconds kEndMayBeOnItsWay{500};

// What a client that has gone has sent before is still written, if the container takes it at once.
constexpr std::chrono::milliseconds kClientGoneGrace{20};

base::Task<void> wait_for(base::Event& event) { co_await event.wait(); }

base::Task<void> client_gone(http::ResponseWriter& client) {
  co_await client.client_gone();
  co_await base::sleep_for(kClientGoneGrace);
}

std::unexpected<base::Error> fail_write(std::string_view why) {
  return base::fail(base::concat("Failed writing to stdin: ", why));
}

}  // namespace

ContainerInput::Turn::~Turn() {
  if (input_.turn_ != this) return;
  input_.turn_ = nullptr;
  input_.turn_changed_.set();
}

base::Task<base::Status> ContainerInput::Turn::begin() {
  while (input_.turn_ != nullptr) {
    input_.turn_changed_.clear();
    if (input_.turn_->body_has_ended()) {
      co_await input_.turn_changed_.wait();
      continue;
    }
    co_await base::any_of(wait_for(input_.turn_changed_), base::sleep_task(kEndMayBeOnItsWay));
    if (input_.turn_ != nullptr && !input_.turn_->body_has_ended()) {
      co_return base::fail(base::ErrorKind::kConflict,
                           "Multiple input connections are not allowed");
    }
  }
  input_.turn_ = this;
  co_return {};
}

void ContainerInput::Turn::read_ahead() {
  if (ended_ || ahead_.size() >= kReadAhead) return;
  base::Result<ssize_t> n = 0;
  const size_t before = ahead_.size();
  ahead_.resize_and_overwrite(before + kReadAhead, [&](char* bytes, size_t) {
    n = body_.try_read({bytes + before, kReadAhead});
    return before + (n && *n > 0 ? static_cast<size_t>(*n) : 0);
  });
  if (n && *n != 0) return;
  if (!n) error_ = std::move(n).error();
  ended_ = true;
  input_.turn_changed_.set();
}

bool ContainerInput::Turn::body_has_ended() {
  // A turn that waits for its body has seen all that came.
  size_t before = ahead_.size() + 1;
  while (!waiting_ && before != ahead_.size()) {
    before = ahead_.size();
    read_ahead();
  }
  return ended_;
}

base::Task<base::Result<std::string_view>> ContainerInput::Turn::read() {
  current_ = std::string();
  while (true) {
    if (ahead_.empty()) read_ahead();
    if (!ahead_.empty()) {
      current_ = std::exchange(ahead_, {});
      co_return std::string_view(current_);
    }
    if (error_) co_return base::fail(*error_);
    if (ended_) co_return std::string_view();
    ahead_ = std::string();
    waiting_ = true;
    co_await body_.readable();
    waiting_ = false;
  }
}

base::Task<base::Status> ContainerInput::serve(Encoding encoding, http::BodyReader& body,
                                               http::ResponseWriter& client) {
  Turn turn(*this, body);
  CO_TRY_VOID(co_await turn.begin());
  http::RecordDecoder decoder(kMaxRecord);
  while (true) {
    CO_TRY(const std::string_view bytes, co_await turn.read());
    if (bytes.empty()) co_return {};
    decoder.feed(bytes);
    while (true) {
      auto record = decoder.next();
      if (!record) co_return base::fail(std::move(record).error().with_context("Decoder failure"));
      if (!*record) break;
      CO_TRY(InputRecord input, decode_input(encoding, **record));
      CO_TRY_VOID(co_await handle(std::move(input), client));
    }
  }
}

base::Task<base::Status> ContainerInput::handle(InputRecord record, http::ResponseWriter& client) {
  switch (record.kind) {
    case InputRecord::Kind::kHeartbeat:
      co_return {};
    case InputRecord::Kind::kTtyInfo:
      co_return resize(record);
    case InputRecord::Kind::kData:
      if (!record.data.empty()) co_return co_await write(record.data, client);
      // The end of stdin. A terminal has no such thing: its users send EOT.
      if (!tty_) stream_.reset();
      co_return {};
  }
  std::unreachable();
}

base::Task<base::Status> ContainerInput::write(std::string_view data,
                                               http::ResponseWriter& client) {
  if (stream_ == nullptr) co_return fail_write("it was closed before");
  auto result = co_await base::any_of(stream_->write_all(data), client_gone(client));
  if (result.index() == 1) {
    co_return base::fail(base::ErrorKind::kClosed, "The client has disconnected");
  }
  const base::Status& written = std::get<0>(result);
  if (!written) co_return fail_write(std::strerror(written.error().code));
  co_return {};
}

base::Status ContainerInput::resize(const InputRecord& record) {
  winsize size{};
  size.ws_row = static_cast<unsigned short>(std::min(record.rows, 0xffffu));
  size.ws_col = static_cast<unsigned short>(std::min(record.columns, 0xffffu));
  int code = ENOTTY;
  if (tty_) code = ioctl(stream_->fd(), TIOCSWINSZ, &size) == 0 ? 0 : errno;
  if (code == 0) return {};
  return base::fail(base::ErrorKind::kInvalid,
                    base::concat("Unable to set the window size: ", std::strerror(code)));
}

}  // namespace ioswitchboard
