#include "http/body.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/strings.h"

namespace http {

base::Task<base::Result<size_t>> BodyReader::read_some(std::span<char> buffer) {
  // Before the read: whoever is cancelled while waiting for the turn must not lose bytes.
  if (turns_.due()) co_await turns_.yield();
  while (true) {
    CO_TRY(const ssize_t n, try_read(buffer));
    if (n != kWouldBlock) {
      turns_.moved(static_cast<size_t>(n));
      co_return static_cast<size_t>(n);
    }
    co_await readable();
  }
}

bool BodyBudget::Share::grow_to(size_t bytes) {
  constexpr size_t kFree = 16 * 1024;
  const size_t wanted = bytes > kFree ? bytes : 0;
  if (wanted <= taken_) return true;
  if (wanted - taken_ > budget_.left_) return false;
  budget_.left_ -= wanted - taken_;
  taken_ = wanted;
  return true;
}

void BodyBudget::Share::release() { budget_.left_ += std::exchange(taken_, 0); }

base::Task<base::Result<std::string>> read_all(BodyReader& body, size_t limit,
                                               BodyBudget::Share* share) {
  std::string all;
  body.collect(true);
  while (true) {
    // Grows by doubling from a small start: most bodies are small.
    constexpr size_t kStart = 1024;
    const size_t have = all.size();
    const size_t room = std::max(kStart, 2 * have);
    if (share != nullptr && !share->grow_to(room)) {
      base::Error error(base::ErrorKind::kInternal, "Too many large requests at once");
      error.code = ENOMEM;
      co_return base::fail(std::move(error));
    }
    all.resize(room);
    const auto n = co_await body.read_some(std::span(all).subspan(have));
    if (!n) co_return base::fail(n.error());
    all.resize(have + *n);
    if (*n == 0) co_return all;
    if (all.size() > limit) {
      base::Error error(base::ErrorKind::kInvalid,
                        base::concat("The body is larger than ", limit, " bytes"));
      error.code = EMSGSIZE;
      co_return base::fail(std::move(error));
    }
  }
}

}  // namespace http
