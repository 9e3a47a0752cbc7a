// A byte stream over a descriptor: socket, pipe end or pty. The descriptor is read and written
// directly (one system call moves as much as the kernel has), libevent only tells when.
#pragma once

#include <sys/uio.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/fd_watch.h"
#include "base/result.h"
#include "base/task.h"

namespace base {

// What may stand between a stream's user and its descriptor: encryption. Both directions may be
// used at the same time, each by one user.
class StreamLayer {
 public:
  virtual ~StreamLayer() = default;

  // As Stream's.
  virtual Result<ssize_t> try_read(std::span<char> buffer) = 0;
  virtual Result<ssize_t> try_write(std::span<const iovec> parts) = 0;

  // What try_read, try_write could not go on without, when they last gave kWouldBlock: it can be
  // the other direction of the descriptor.
  virtual bool read_needs_write() const = 0;
  virtual bool write_needs_read() const = 0;

  // An upper bound of the bytes that it has read from the descriptor and not given out.
  virtual size_t held() const = 0;

  // Tells the peer that nothing follows. False if the descriptor does not take that now.
  virtual bool try_end() = 0;
};

// It may be moved while nobody reads or writes. What is read into and written from belongs to the
// caller and must stay until the call has ended. Reading and writing let the rest of the program
// have its turn now and then, also if they never have to wait.
class Stream {
 public:
  // Takes the descriptor over and makes it non-blocking (for all processes that share its open
  // file). A pipe end is watched in its own direction only, all others in both.
  explicit Stream(Fd fd, FdWatch::Direction direction = FdWatch::kReadWrite);
  Stream(Stream&&) = default;
  Stream& operator=(Stream&& other) noexcept;

  // From here on everything goes through the layer, which uses fd(). Once.
  void put_layer(std::unique_ptr<StreamLayer> layer) { layer_ = std::move(layer); }
  bool has_layer() const { return layer_ != nullptr; }

  // Reads what there is, at most `buffer.size()` bytes; waits if there is nothing. 0 is the end of
  // the stream. The end of a pty (EIO after the last slave was closed) is an end like any other.
  // Cancelled, it has read nothing. One reader at a time.
  Task<Result<size_t>> read_some(std::span<char> buffer);

  // Writes everything, waiting whenever the peer does not take it: this is where backpressure
  // comes from. One writer at a time. An error of kind kClosed: the peer is gone. Cancelled, any
  // part may have been written.
  Task<Status> write_all(std::string_view data);
  Task<Status> write_all(std::span<iovec> parts);  // consumes `parts`

  // Without waiting: the bytes read or written; kWouldBlock if none can be now.
  static constexpr ssize_t kWouldBlock = -1;
  Result<ssize_t> try_read(std::span<char> buffer);
  Result<ssize_t> try_write(std::span<const iovec> parts);

  // Awaited: after kWouldBlock, until it is worth trying again.
  auto readable() {
    return layer_ && layer_->read_needs_write() ? watch_->writable() : watch_->readable();
  }
  auto writable() {
    return layer_ && layer_->write_needs_read() ? watch_->readable() : watch_->writable();
  }

  // Of a socket: how many bytes have arrived that were not read. With a layer it is an upper bound.
  size_t arrived() const;

  // The descriptor itself, whatever layer is on it.
  FdWatch& watch() { return *watch_; }
  int fd() const { return fd_.get(); }

  // Closes the sending side of a socket. False if a layer must say so first, and could not yet: to
  // be called again when it is writable().
  bool shutdown_write();

  // Has the kernel ask a silent TCP peer so often whether it is there, and end the connection if it
  // is not. On other descriptors it does nothing.
  void keep_alive(std::chrono::seconds interval);

  // Gives the descriptor up (it stays non-blocking).
  Fd release() &&;

 private:
  // Awaited before each operation: waits for the loop's next turn after many that did not wait.
  struct FairTurn {
    Stream& stream;
    NextTurnAwaiter turn{};

    bool await_ready() const;
    void await_suspend(std::coroutine_handle<> handle) { turn.await_suspend(handle); }
    void await_resume() const {}
  };

  Fd fd_;
  std::unique_ptr<FdWatch> watch_;  // after fd_: destroyed first
  std::unique_ptr<StreamLayer> layer_;
  int without_waiting_ = 0;  // operations since the last that waited
};

// Two ends of a pipe, both close-on-exec.
struct Pipe {
  Fd read_end;
  Fd write_end;
};
Result<Pipe> make_pipe();

// A listening socket, non-blocking. `path` of a unix socket must be shorter than 108 bytes and not
// exist; `ip` is a numeric address of either family; port 0 lets the kernel choose (local_port).
Result<Fd> listen_tcp(const std::string& ip, uint16_t port, int backlog);
Result<Fd> listen_unix(const std::string& path, int backlog);
Result<uint16_t> local_port(int fd);

// Waits for the next connection on a listening descriptor (non-blocking, watched by `watch`). After
// an error (EMFILE, say) the connection still is there: wait a little before trying again.
Task<Result<Fd>> accept_one(int listen_fd, FdWatch& watch);

// A connected socket, non-blocking. There is no limit of time but the kernel's: a unix server whose
// queue is full is tried again until it has room.
Task<Result<Fd>> connect_unix(std::string path);
Task<Result<Fd>> connect_tcp(std::string ip, uint16_t port);

}  // namespace base
