// A session with ZooKeeper on the event loop.
//
// ZooKeeper's C client answers in threads of its own, and two of its calls block: zookeeper_init()
// asks the resolver, zookeeper_close() waits for the server and for those threads. So each session
// has one more thread, which does these two and sleeps between them. Nobody waits for it: a session
// that is destroyed is closed behind our back, and what is still answered is dropped. Should the
// process end before, the server ends the session after its timeout.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fd_watch.h"
#include "base/result.h"
#include "base/scope.h"
#include "base/sync.h"
#include "base/task.h"

namespace agent {

// One at a time of each of the tasks. They must have ended, or been cancelled, when it is
// destroyed.
class ZooKeeperSession {
 public:
  // "host:port,host:port". Without a connection for `timeout` the server forgets the session.
  ZooKeeperSession(std::string servers, std::chrono::nanoseconds timeout);
  ZooKeeperSession(const ZooKeeperSession&) = delete;
  ZooKeeperSession& operator=(const ZooKeeperSession&) = delete;
  ~ZooKeeperSession();

  // Waits until the servers' names are resolved, from when on it tries to connect. For ever if
  // the session could not be begun.
  base::Task<void> opened();

  // Waits until there is a connection. The client goes from server to server by itself.
  base::Task<void> connected();

  // Waits until there is none.
  base::Task<void> disconnected();

  // Waits for the end of the session: the server has forgotten it, or refuses it, or it could not
  // be begun. The error says which.
  base::Task<base::Error> ended();

  // How long the server keeps the session without a connection, as agreed with it.
  std::chrono::nanoseconds timeout() const { return timeout_; }

  // What the client has complained of last, such as "Connection refused", with the server's
  // address; empty if it had no reason to. Of any session of the process.
  static std::string last_complaint();

  // --- Requests. kClosed: there is no connection, or the session has ended; the rest as named. ---

  // Proves to be who the credentials ("user:password") say, by the scheme digest; also after each
  // reconnection. ZooKeeper does not check them here: it compares them with a node's ACL.
  base::Task<base::Status> authenticate(std::string credentials);

  // Makes a node without content; kAlreadyExists, kNotFound (its parent), kForbidden. Everybody may
  // read it; unless `owned`, everybody may do everything, else only who has authenticated like us.
  base::Task<base::Status> create(std::string path, bool owned);

  // The names of a node's children; kNotFound, kForbidden. From then on changed() tells of changes.
  base::Task<base::Result<std::vector<std::string>>> children(std::string path);

  // Waits until the children are others than children() has given last, or may be.
  base::Task<void> changed();

  // The content of a node; kNotFound, kForbidden.
  base::Task<base::Result<std::string>> read(std::string path);

 private:
  struct Shared;
  struct Call;
  friend struct ZooKeeperCallbacks;

  base::Task<void> deliver();
  void state_changed(int state);
  base::Task<base::Status> ask(std::shared_ptr<Call> call, std::function<int(void* data)> request);

  std::chrono::nanoseconds timeout_;
  const std::shared_ptr<Shared> shared_;
  void* handle_ = nullptr;  // zhandle_t*; none until it was opened. shared_'s thread closes it
  base::Event opened_;
  base::Event connected_;
  base::Event disconnected_;
  base::OneShot<base::Error> ended_;
  base::Event changed_;
  base::FdWatch wake_;
  base::Scope scope_;  // last: its tasks end before what they use
};

}  // namespace agent
