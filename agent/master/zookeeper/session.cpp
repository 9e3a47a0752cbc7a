#include "agent/master/zookeeper/session.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <array>
#include <climits>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "base/fd.h"
#include "base/strings.h"
#include "base/thread.h"

namespace agent {

using base::Error;
using base::ErrorKind;
using base::fail;
using base::Result;
using base::Status;
using base::Task;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

namespace {

constexpr size_t kStackSize = 256 * 1024;

// What the client says, of all sessions: it tells no callback which one it is about. Never
// destroyed, because its threads may outlive main().
struct Complaint {
  std::mutex mutex;
  std::string text;
};

Complaint& complaint() {
  static auto& instance = *new Complaint;
  return instance;
}

// "<time>:<pid>(<thread>):ZOO_ERROR@<function>@<line>: <what it is about>". Warnings are about
// delays, and would hide the reason.
void keep_complaint(const char* message) {
  std::string_view text = message;
  const size_t error = text.find("ZOO_ERROR@");
  if (error == std::string_view::npos) return;
  text.remove_prefix(error);
  if (const size_t colon = text.find(": "); colon != std::string_view::npos) {
    text.remove_prefix(colon + 2);
  }
  const std::lock_guard lock(complaint().mutex);
  complaint().text = base::trim(text);
}

struct Kind {
  int code;
  ErrorKind kind;
};
constexpr std::array kKinds = {
    Kind{ZNONODE, ErrorKind::kNotFound},         Kind{ZNODEEXISTS, ErrorKind::kAlreadyExists},
    Kind{ZNOAUTH, ErrorKind::kForbidden},        Kind{ZCONNECTIONLOSS, ErrorKind::kClosed},
    Kind{ZOPERATIONTIMEOUT, ErrorKind::kClosed}, Kind{ZSESSIONEXPIRED, ErrorKind::kClosed},
    Kind{ZSESSIONMOVED, ErrorKind::kClosed},     Kind{ZCLOSING, ErrorKind::kClosed},
    Kind{ZINVALIDSTATE, ErrorKind::kClosed},
};

Error error_of(int code) {
  const auto* known = std::ranges::find(kKinds, code, &Kind::code);
  return {known == kKinds.end() ? ErrorKind::kInternal : known->kind, zerror(code)};
}

}  // namespace

// What the loop and the client's threads have in common. Lives as long as both.
struct ZooKeeperSession::Shared {
  using Work = std::function<void(ZooKeeperSession&)>;

  Shared(std::string hosts, nanoseconds timeout)
      : servers(std::move(hosts)),
        timeout_ms(static_cast<int>(std::clamp<int64_t>(timeout / milliseconds(1), 1, INT_MAX))) {}

  // Has the loop do this, unless the session is destroyed before.
  void post(Work work) {
    const std::lock_guard lock(mutex);
    if (abandoned) return;
    posted.push_back(std::move(work));
    const uint64_t one = 1;
    // A full counter would still wake the loop, so the result does not matter.
    [[maybe_unused]] const ssize_t n = ::write(wake.get(), &one, sizeof(one));
  }

  std::vector<Work> take() {
    uint64_t count;
    [[maybe_unused]] const ssize_t n = ::read(wake.get(), &count, sizeof(count));
    const std::lock_guard lock(mutex);
    return std::exchange(posted, {});
  }

  void abandon() {
    std::vector<Work> dropped;
    {
      const std::lock_guard lock(mutex);
      abandoned = true;
      dropped.swap(posted);
    }
    ended.notify_all();
  }

  void wait_until_abandoned() {
    std::unique_lock lock(mutex);
    ended.wait(lock, [this] { return abandoned; });
  }

  const std::string servers;
  const int timeout_ms;
  const base::Fd wake{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex;
  std::condition_variable ended;
  std::vector<Work> posted;
  bool abandoned = false;
};

// A request and its answer. The client has one reference until it has answered.
struct ZooKeeperSession::Call {
  Shared* shared = nullptr;
  base::Event* answered = nullptr;  // for the loop's thread; nobody waits any more: nullptr
  int code = ZOK;
  std::vector<std::string> names;
  std::string content;
};

// What the client calls, in its threads.
struct ZooKeeperCallbacks {
  using Session = ZooKeeperSession;
  using Call = Session::Call;
  using Shared = Session::Shared;

  static void on_session(zhandle_t*, int type, int state, const char*, void* shared) {
    if (type != ZOO_SESSION_EVENT) return;
    static_cast<Shared*>(shared)->post([state](Session& session) { session.state_changed(state); });
  }

  // Watches are told of the session's events too.
  static void on_change(zhandle_t*, int type, int, const char*, void* shared) {
    if (type == ZOO_SESSION_EVENT) return;
    static_cast<Shared*>(shared)->post([](Session& session) { session.changed_.set(); });
  }

  static std::shared_ptr<Call> take(const void* data, int code) {
    const std::unique_ptr<std::shared_ptr<Call>> owned(
        static_cast<std::shared_ptr<Call>*>(const_cast<void*>(data)));
    (*owned)->code = code;
    return *owned;
  }
  static void answer(std::shared_ptr<Call> call) {
    Shared* shared = call->shared;
    shared->post([call = std::move(call)](Session&) {
      if (call->answered != nullptr) call->answered->set();
    });
  }

  static void on_done(int code, const void* data) { answer(take(data, code)); }
  static void on_created(int code, const char*, const void* data) { answer(take(data, code)); }
  static void on_children(int code, const String_vector* names, const void* data) {
    auto call = take(data, code);
    if (code == ZOK) call->names.assign(names->data, names->data + names->count);
    answer(std::move(call));
  }
  static void on_content(int code, const char* content, int size, const Stat*, const void* data) {
    auto call = take(data, code);
    if (code == ZOK && size > 0) call->content.assign(content, static_cast<size_t>(size));
    answer(std::move(call));
  }

  // The session's thread: what blocks.
  static void* keep_open(void* data) {
    const std::unique_ptr<std::shared_ptr<Shared>> owned(
        static_cast<std::shared_ptr<Shared>*>(data));
    Shared& shared = **owned;
    zhandle_t* handle = zookeeper_init2(shared.servers.c_str(), on_session, shared.timeout_ms,
                                        nullptr, &shared, ZOO_NO_LOG_CLIENTENV, keep_complaint);
    const int code = errno;
    shared.post([handle, code](Session& session) {
      session.handle_ = handle;
      if (handle == nullptr) session.ended_.set(Error::from_errno("zookeeper_init", code));
      if (handle != nullptr) {
        session.opened_.set();
        session.state_changed(zoo_state(handle));
      }
    });
    shared.wait_until_abandoned();
    if (handle != nullptr) zookeeper_close(handle);
    return nullptr;
  }
};

ZooKeeperSession::ZooKeeperSession(std::string servers, nanoseconds timeout)
    : timeout_(timeout),
      shared_(std::make_shared<Shared>(std::move(servers), timeout)),
      wake_(shared_->wake.get(), base::FdWatch::kRead) {
  zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
  disconnected_.set();
  scope_.spawn(deliver());
  auto* reference = new std::shared_ptr<Shared>(shared_);
  auto thread = base::start_thread(kStackSize, ZooKeeperCallbacks::keep_open, reference);
  if (thread) {
    pthread_detach(*thread);
  } else {
    delete reference;
    ended_.set(std::move(thread).error());
  }
}

ZooKeeperSession::~ZooKeeperSession() { shared_->abandon(); }

Task<void> ZooKeeperSession::deliver() {
  while (true) {
    for (const auto& work : shared_->take()) work(*this);
    co_await wake_.readable();
  }
}

void ZooKeeperSession::state_changed(int state) {
  if (state == ZOO_CONNECTED_STATE && handle_ != nullptr) {
    timeout_ = milliseconds(zoo_recv_timeout(static_cast<zhandle_t*>(handle_)));
    connected_.set();
    disconnected_.clear();
  } else if (state != ZOO_CONNECTED_STATE) {
    connected_.clear();
    disconnected_.set();
  }
  if (state == ZOO_EXPIRED_SESSION_STATE) {
    ended_.set(Error(ErrorKind::kClosed, "the session has expired"));
  } else if (state == ZOO_AUTH_FAILED_STATE) {
    ended_.set(Error(ErrorKind::kForbidden, "the server refuses the credentials"));
  }
}

Task<void> ZooKeeperSession::opened() { co_await opened_.wait(); }
Task<void> ZooKeeperSession::connected() { co_await connected_.wait(); }
Task<void> ZooKeeperSession::disconnected() { co_await disconnected_.wait(); }
Task<void> ZooKeeperSession::changed() { co_await changed_.wait(); }
Task<Error> ZooKeeperSession::ended() { co_return co_await ended_.wait(); }

std::string ZooKeeperSession::last_complaint() {
  const std::lock_guard lock(complaint().mutex);
  return complaint().text;
}

// --- Requests ---

Task<Status> ZooKeeperSession::ask(std::shared_ptr<Call> call,
                                   std::function<int(void* data)> request) {
  if (handle_ == nullptr) co_return fail(error_of(ZINVALIDSTATE));
  base::Event answered;
  call->shared = shared_.get();
  call->answered = &answered;
  struct Detach {
    Call& call;
    ~Detach() { call.answered = nullptr; }
  } detach{*call};
  auto* reference = new std::shared_ptr<Call>(call);
  if (const int code = request(reference); code != ZOK) {
    delete reference;
    co_return fail(error_of(code));
  }
  co_await answered.wait();
  if (call->code != ZOK) co_return fail(error_of(call->code));
  co_return Status{};
}

Task<Status> ZooKeeperSession::authenticate(std::string credentials) {
  co_return co_await ask(std::make_shared<Call>(), [&](void* data) {
    return zoo_add_auth(static_cast<zhandle_t*>(handle_), "digest", credentials.data(),
                        static_cast<int>(credentials.size()), ZooKeeperCallbacks::on_done, data);
  });
}

Task<Status> ZooKeeperSession::create(std::string path, bool owned) {
  ACL entries[] = {{ZOO_PERM_READ, ZOO_ANYONE_ID_UNSAFE}, {ZOO_PERM_ALL, ZOO_AUTH_IDS}};
  const ACL_vector creators{2, entries};
  const ACL_vector& acl = owned ? creators : ZOO_OPEN_ACL_UNSAFE;
  co_return co_await ask(std::make_shared<Call>(), [&](void* data) {
    return zoo_acreate(static_cast<zhandle_t*>(handle_), path.c_str(), "", 0, &acl, 0,
                       ZooKeeperCallbacks::on_created, data);
  });
}

Task<Result<std::vector<std::string>>> ZooKeeperSession::children(std::string path) {
  changed_.clear();
  auto call = std::make_shared<Call>();
  CO_TRY_VOID(co_await ask(call, [&](void* data) {
    return zoo_awget_children(static_cast<zhandle_t*>(handle_), path.c_str(),
                              ZooKeeperCallbacks::on_change, shared_.get(),
                              ZooKeeperCallbacks::on_children, data);
  }));
  co_return std::move(call->names);
}

Task<Result<std::string>> ZooKeeperSession::read(std::string path) {
  auto call = std::make_shared<Call>();
  CO_TRY_VOID(co_await ask(call, [&](void* data) {
    return zoo_aget(static_cast<zhandle_t*>(handle_), path.c_str(), 0,
                    ZooKeeperCallbacks::on_content, data);
  }));
  co_return std::move(call->content);
}

}  // namespace agent
