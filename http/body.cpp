#include "http/body.h"

#include <cerrno>

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

base::Task<base::Result<std::string>> read_all(BodyReader& body, size_t limit) {
  std::string all;
  while (true) {
    // Grows by doubling from a small start: most bodies are small.
    constexpr size_t kStart = 1024;
    const size_t have = all.size();
    all.resize(std::max(kStart, 2 * have));
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
