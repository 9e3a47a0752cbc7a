// Cancellation at every kind of wait point: whoever is cancelled does not go on, whatever happens
// before, meanwhile or after, and what it holds is gone at once.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <latch>
#include <memory>

#include "base/fd_watch.h"
#include "base/process.h"
#include "base/scope.h"
#include "base/spawn.h"
#include "base/stream.h"
#include "base/sync.h"
#include "base/worker.h"
#include "tests/base/loop_test.h"

namespace {

using base::Event;
using base::Fd;
using base::FdWatch;
using base::Stream;
using base::Task;
using tests::Log;
using tests::Mark;
using namespace std::chrono_literals;

// What a wait point waits for and how that comes about.
class Setting {
 public:
  virtual ~Setting() = default;
  virtual Task<void> wait() = 0;
  virtual void trigger() = 0;
};

class Sleeping : public Setting {
 public:
  Task<void> wait() override { co_await base::sleep_for(5ms); }
  void trigger() override { usleep(20'000); }
};

class TakingATurn : public Setting {
 public:
  Task<void> wait() override { co_await base::next_turn(); }
  void trigger() override {}
};

class WithEvent : public Setting {
 public:
  void trigger() override { event_.set(); }

 protected:
  Event event_;
};

class AtEvent : public WithEvent {
 public:
  Task<void> wait() override { co_await event_.wait(); }
};

class AtOneShot : public Setting {
 public:
  Task<void> wait() override { co_await value_.wait(); }
  void trigger() override { value_.set(1); }

 private:
  base::OneShot<int> value_;
};

class AtChild : public WithEvent {
 public:
  Task<void> wait() override { co_await child(3); }

 private:
  Task<void> child(int levels) {
    if (levels == 0) co_await event_.wait();
    if (levels > 0) co_await child(levels - 1);
  }
};

class AtAnyOf : public WithEvent {
 public:
  Task<void> wait() override { co_await base::any_of(one(), base::sleep_task(1h), one()); }

 protected:
  Task<void> one() { co_await event_.wait(); }
};

class AtAllOf : public AtAnyOf {
 public:
  Task<void> wait() override { co_await base::all_of(one(), one()); }
};

class AtManyOf : public AtAnyOf {
 public:
  Task<void> wait() override {
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 5; ++i) tasks.push_back(one());
    co_await base::all_of(std::move(tasks));
  }
};

class AtTimeout : public AtAnyOf {
 public:
  Task<void> wait() override { co_await base::with_timeout(one(), 1h); }
};

class AtJoin : public AtAnyOf {
 public:
  Task<void> wait() override {
    scope_.spawn(one());
    scope_.spawn(one());
    co_await scope_.join();
  }

 private:
  base::Scope scope_;
};

class InScope : public AtAnyOf {
 public:
  Task<void> wait() override {
    base::Scope scope;
    scope.spawn(one());
    co_await event_.wait();
  }
};

class AtWorker : public Setting {
 public:
  ~AtWorker() override { trigger(); }
  Task<void> wait() override {
    co_await base::run_on_worker([go = go_] {
      go->wait();
      return 1;
    });
  }
  void trigger() override {
    if (!std::exchange(triggered_, true)) go_->count_down();
    usleep(5'000);  // the result is there before the loop turns
  }

 private:
  std::shared_ptr<std::latch> go_ = std::make_shared<std::latch>(1);
  bool triggered_ = false;
};

class WithSockets : public Setting {
 public:
  WithSockets() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    ours_ = Fd(fds[0]);
    theirs_ = Fd(fds[1]);
  }

 protected:
  void fill() {
    char block[4096] = {};
    while (::write(ours_.get(), block, sizeof(block)) > 0) {
    }
  }
  void drain() {
    char block[65536];
    while (::read(theirs_.get(), block, sizeof(block)) > 0) {
    }
  }

  Fd ours_;
  Fd theirs_;
};

class AtReadable : public WithSockets {
 public:
  Task<void> wait() override {
    FdWatch watch(ours_.get(), FdWatch::kReadWrite);
    co_await watch.readable();
  }
  void trigger() override { EXPECT_EQ(::write(theirs_.get(), "x", 1), 1); }
};

class AtWritable : public WithSockets {
 public:
  Task<void> wait() override {
    fill();
    FdWatch watch(ours_.get(), FdWatch::kReadWrite);
    co_await watch.writable();
  }
  void trigger() override { drain(); }
};

class AtPeerClosed : public WithSockets {
 public:
  Task<void> wait() override {
    FdWatch watch(ours_.get(), FdWatch::kReadWrite);
    co_await watch.peer_closed();
  }
  void trigger() override { theirs_.reset(); }
};

class AtPeerGone : public WithSockets {
 public:
  Task<void> wait() override {
    FdWatch watch(ours_.get(), FdWatch::kReadWrite);
    co_await watch.peer_gone();
  }
  void trigger() override { theirs_.reset(); }
};

class AtRead : public WithSockets {
 public:
  Task<void> wait() override {
    Stream stream(Fd(dup(ours_.get())));
    char buffer[10];
    auto n = co_await stream.read_some(buffer);
    EXPECT_EQ(n, 1u);
  }
  void trigger() override { EXPECT_EQ(::write(theirs_.get(), "x", 1), 1); }
};

class AtWrite : public WithSockets {
 public:
  Task<void> wait() override {
    fill();
    Stream stream(Fd(dup(ours_.get())));
    EXPECT_TRUE(co_await stream.write_all("x"));
  }
  void trigger() override { drain(); }
};

class AtAccept : public Setting {
 public:
  Task<void> wait() override {
    auto listening = base::listen_tcp("127.0.0.1", 0, 5);
    FdWatch watch(listening->get(), FdWatch::kRead);
    port_ = *base::local_port(listening->get());
    auto fd = co_await base::accept_one(listening->get(), watch);
    EXPECT_TRUE(fd);
  }
  void trigger() override { scope_.spawn(connect()); }

 private:
  Task<void> connect() { (void)co_await base::connect_tcp("127.0.0.1", port_); }

  uint16_t port_ = 0;
  base::Scope scope_;
};

class AtExit : public Setting {
 public:
  AtExit() {
    auto pipe = base::make_pipe();
    input_ = std::move(pipe->write_end);
    auto pid = base::spawn_process({.path = "/bin/cat",
                                    .argv = {"cat"},
                                    .environment = {},
                                    .fds = {{pipe->read_end.get(), 0}}});
    EXPECT_TRUE(pid);
    pid_ = *pid;
  }
  ~AtExit() override {
    input_.reset();
    waitpid(pid_, nullptr, 0);  // unless wait_for_exit did
  }
  Task<void> wait() override {
    auto pidfd = base::open_pidfd(pid_);
    auto status = co_await base::wait_for_exit(pidfd->get());
    EXPECT_EQ(status, 0);
  }
  void trigger() override {
    input_.reset();
    siginfo_t info;
    waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
  }

 private:
  Fd input_;
  pid_t pid_ = -1;
};

struct Kind {
  const char* name;
  std::unique_ptr<Setting> (*make)();
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

template <typename T>
Kind kind(const char* name) {
  return {name, [] -> std::unique_ptr<Setting> { return std::make_unique<T>(); }};
}

class WaitPoint : public tests::LoopTest, public testing::WithParamInterface<Kind> {
 protected:
  // A task that waits there, holding something.
  Task<void> waiter(Setting& setting, Mark) {
    co_await setting.wait();
    log_.push_back("went on");
    if (then_) then_();
  }

  Log log_;
  std::function<void()> then_;
};

TEST_P(WaitPoint, is_left_when_its_time_has_come) {
  auto setting = GetParam().make();
  base::Scope scope;
  scope.spawn(waiter(*setting, Mark(log_, "gone")));
  EXPECT_EQ(log_, Log());
  setting->trigger();
  EXPECT_EQ(log_, Log());  // never in place
  run(scope.join());
  EXPECT_EQ(log_, (Log{"went on", "gone"}));
}

TEST_P(WaitPoint, is_cancelled_before_its_time) {
  auto setting = GetParam().make();
  base::Scope scope;
  scope.spawn(waiter(*setting, Mark(log_, "gone")));
  scope.cancel();
  EXPECT_EQ(log_, Log{"gone"});
  setting->trigger();
  settle();
  EXPECT_EQ(log_, Log{"gone"});
}

TEST_P(WaitPoint, is_cancelled_before_its_time_after_turns_of_the_loop) {
  auto setting = GetParam().make();
  base::Scope scope;
  scope.spawn(waiter(*setting, Mark(log_, "gone")));
  const bool goes_by_itself =
      std::string(GetParam().name) == "sleep" || std::string(GetParam().name) == "next_turn";
  if (goes_by_itself) return;
  settle();
  scope.cancel();
  EXPECT_EQ(log_, Log{"gone"});
  setting->trigger();
  settle();
  EXPECT_EQ(log_, Log{"gone"});
}

TEST_P(WaitPoint, is_cancelled_when_its_time_has_come) {
  auto setting = GetParam().make();
  base::Scope scope;
  scope.spawn(waiter(*setting, Mark(log_, "gone")));
  setting->trigger();
  scope.cancel();
  EXPECT_EQ(log_, Log{"gone"});
  settle();
  EXPECT_EQ(log_, Log{"gone"});
}

// Both are due in one turn; whoever is first cancels the other, which then must not go on.
TEST_P(WaitPoint, is_cancelled_in_the_turn_in_which_it_is_due) {
  auto one = GetParam().make();
  auto two = GetParam().make();
  base::Scope first, second;
  auto cancel_other = [&](Setting& setting, base::Scope& other, std::string name) -> Task<void> {
    Mark mark(log_, name);
    co_await setting.wait();
    log_.push_back("went on");
    other.cancel();
  };
  first.spawn(cancel_other(*one, second, "gone"));
  second.spawn(cancel_other(*two, first, "gone"));
  one->trigger();
  two->trigger();
  auto both = [&]() -> Task<void> {
    co_await first.join();
    co_await second.join();
  };
  run(both());
  settle();
  EXPECT_EQ(log_, (Log{"went on", "gone", "gone"}));
}

// The same with everything that the wait point is about destroyed along.
TEST_P(WaitPoint, is_destroyed_in_the_turn_in_which_it_is_due) {
  struct Place {
    std::unique_ptr<Setting> setting;
    base::Scope scope;
  };
  std::vector<std::unique_ptr<Place>> places;
  base::Scope killers;
  auto wait = [&](size_t mine) -> Task<void> {
    co_await places[mine]->setting->wait();
    log_.push_back("went on");
    // All but this one, within which the code runs.
    for (size_t i = 0; i < places.size(); ++i) {
      if (i != mine) places[i].reset();
    }
  };
  for (size_t i = 0; i < 2; ++i) {
    places.push_back(std::make_unique<Place>());
    places[i]->setting = GetParam().make();
  }
  for (size_t i = 0; i < 2; ++i) places[i]->scope.spawn(wait(i));
  for (size_t i = 0; i < 2; ++i) places[i]->setting->trigger();
  settle();
  EXPECT_EQ(log_, Log{"went on"});
}

INSTANTIATE_TEST_SUITE_P(All, WaitPoint,
                         testing::Values(kind<Sleeping>("sleep"), kind<TakingATurn>("next_turn"),
                                         kind<AtEvent>("event"), kind<AtOneShot>("one_shot"),
                                         kind<AtChild>("child"), kind<AtAnyOf>("any_of"),
                                         kind<AtAllOf>("all_of"), kind<AtManyOf>("all_of_many"),
                                         kind<AtTimeout>("with_timeout"), kind<AtJoin>("join"),
                                         kind<InScope>("in_scope"), kind<AtWorker>("worker"),
                                         kind<AtReadable>("readable"), kind<AtWritable>("writable"),
                                         kind<AtPeerClosed>("peer_closed"),
                                         kind<AtPeerGone>("peer_gone"), kind<AtRead>("read_some"),
                                         kind<AtWrite>("write_all"), kind<AtAccept>("accept_one"),
                                         kind<AtExit>("wait_for_exit")),
                         [](const auto& param) { return std::string(param.param.name); });

}  // namespace
