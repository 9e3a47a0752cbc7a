// A message body as it comes in.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>

#include "base/result.h"
#include "base/task.h"
#include "http/turns.h"

namespace http {

// Reads a body whose end the transfer coding or Content-Length marks; the reader gets neither chunk
// sizes nor trailers (which are tolerated and dropped). Belongs to whoever gave it out and ends
// with the exchange. One reader at a time; a read that is cancelled loses nothing.
//
// Failures are for good, every later read gives the same: kClosed if the body was cut short (the
// peer closed before its last chunk, or before Content-Length was reached), kInvalid if it is not
// what HTTP or gzip says.
class BodyReader {
 public:
  static constexpr ssize_t kWouldBlock = -1;

  virtual ~BodyReader() = default;

  // Without waiting: the bytes put into `buffer` (which must not be empty), 0 at the end of the
  // body, kWouldBlock if nothing can be read now.
  virtual base::Result<ssize_t> try_read(std::span<char> buffer) = 0;

  // After kWouldBlock: waits until it is worth trying again. Holds no buffer, so a stream that is
  // idle for hours need not have one: get it after this.
  virtual base::Task<void> readable() = 0;

  // Says that the body, or its beginning, is read as a whole before anything is done with it: while
  // it does not come, a server may give the connection up for another one (WaitingClients).
  virtual void collect(bool /*whole*/) {}

  // Waits for something to read: at least one byte, or 0 at the end of the body.
  base::Task<base::Result<size_t>> read_some(std::span<char> buffer);

 private:
  Turns turns_;
};

// What bodies that are read as a whole may take together, so that many clients who each send a
// large one, slowly, do not take all memory.
class BodyBudget {
 public:
  explicit BodyBudget(size_t bytes) : left_(bytes) {}
  BodyBudget(const BodyBudget&) = delete;
  BodyBudget& operator=(const BodyBudget&) = delete;

  // One body's part of it, given back when destroyed. Every body has a little for nothing, so that
  // whoever holds the rest keeps nobody from asking for something small.
  class Share {
   public:
    explicit Share(BodyBudget& budget) : budget_(budget) {}
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    ~Share() { release(); }

    // False if there is not as much; then the part is what it was.
    bool grow_to(size_t bytes);
    void release();

   private:
    BodyBudget& budget_;
    size_t taken_ = 0;
  };

 private:
  size_t left_;
};

// The rest of the body. A body of more than `limit` bytes (after inflating) is kInvalid with code
// EMSGSIZE; what had been read of it is dropped. One for which `share`, if there is any, has no
// room left is kInternal with code ENOMEM.
base::Task<base::Result<std::string>> read_all(BodyReader& body, size_t limit,
                                               BodyBudget::Share* share = nullptr);

}  // namespace http
