#include "base/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"
#include "base/scope.h"
#include "base/stream.h"
#include "base/strings.h"
#include "tests/base/process_fixture.h"
#include "tests/scratch.h"

namespace {

using ProcessTest = tests::ProcessFixture;
using base::concat;
using base::ErrorKind;
using base::Fd;
using base::Result;
using base::Task;
using tests::Log;
using tests::shell;
using namespace std::chrono_literals;

TEST(SpareDescriptorsTest, AreWhatCanStillBeOpened) {
  const auto before = base::spare_descriptors();
  ASSERT_TRUE(before.has_value()) << before.error().message;
  const Fd one(open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(*before - 1, base::spare_descriptors().value());

  rlimit limit{};
  ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
  const rlimit few{.rlim_cur = limit.rlim_cur - *before + 3, .rlim_max = limit.rlim_max};
  ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &few));
  EXPECT_EQ(2U, base::spare_descriptors().value());
  const rlimit none{.rlim_cur = 1, .rlim_max = limit.rlim_max};
  ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
  EXPECT_EQ(0U, base::spare_descriptors().value());
  ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
}

TEST_F(ProcessTest, gives_the_status_of_an_exit) {
  for (int code : {0, 1, 42, 255}) {
    auto status = wait(base::spawn_process(shell(concat("exit ", code))));
    ASSERT_TRUE(status);
    EXPECT_TRUE(WIFEXITED(*status));
    EXPECT_EQ(WEXITSTATUS(*status), code);
  }
}

TEST_F(ProcessTest, gives_the_status_of_a_signal) {
  for (int signal : {SIGTERM, SIGKILL, SIGPIPE, SIGUSR1}) {
    auto status = wait(base::spawn_process(shell(concat("kill -", signal, " $$"))));
    ASSERT_TRUE(status);
    EXPECT_TRUE(WIFSIGNALED(*status));
    EXPECT_EQ(WTERMSIG(*status), signal);
    EXPECT_FALSE(WCOREDUMP(*status));
  }
}

TEST_F(ProcessTest, gives_the_same_status_as_waitpid_for_a_core) {
  // Whether there is a core depends on the host: so compare. The kernel passes no core to anybody
  // who has not asked for one, except through a pipe.
  const tests::ScratchDirectory directory;
  const std::string script =
      concat("ulimit -c unlimited; cd ", directory.path(), " && kill -ABRT $$");
  auto reference = base::spawn_process(shell(script));
  ASSERT_TRUE(reference);
  int expected = 0;
  ASSERT_EQ(waitpid(*reference, &expected, 0), *reference);
  auto status = wait(base::spawn_process(shell(script)));
  EXPECT_EQ(status, expected);
  EXPECT_TRUE(WIFSIGNALED(*status));
  EXPECT_EQ(WTERMSIG(*status), SIGABRT);
}

TEST_F(ProcessTest, waits_for_a_process_that_runs) {
  auto pipe = base::make_pipe();
  auto pid = base::spawn_process(shell("read line; exit 3", {{pipe->read_end.get(), 0}}));
  ASSERT_TRUE(pid);
  auto pidfd = base::open_pidfd(*pid);
  std::optional<int> status;
  auto body = [&]() -> Task<void> {
    auto got = co_await base::wait_for_exit(pidfd->get());
    EXPECT_TRUE(got);
    status = *got;
  };
  base::Scope scope;
  scope.spawn(body());
  settle();
  EXPECT_FALSE(status);
  pipe->write_end.reset();
  run(scope.join());
  EXPECT_EQ(status, 3 << 8);
  EXPECT_EQ(waitpid(*pid, nullptr, WNOHANG), -1);  // it is reaped
}

TEST_F(ProcessTest, waits_for_many) {
  std::vector<Task<void>> tasks;
  auto body = [](int code) -> Task<void> {
    auto pid = base::spawn_process(shell(concat("exit ", code)));
    EXPECT_TRUE(pid);
    auto pidfd = base::open_pidfd(*pid);
    auto status = co_await base::wait_for_exit(pidfd->get());
    EXPECT_EQ(*status, code << 8);
  };
  for (int i = 0; i < 50; ++i) tasks.push_back(body(i));
  run(base::all_of(std::move(tasks)));
}

TEST_F(ProcessTest, gives_no_status_of_a_process_that_is_not_our_child) {
  // The shell's child writes its pid and waits for the end of its input.
  auto in = base::make_pipe();
  auto out = base::make_pipe();
  auto parent = base::spawn_process(shell("sh -c 'echo $$; exec cat' <&5 >&6 & exec 6>&-; wait",
                                          {{in->read_end.get(), 5}, {out->write_end.get(), 6}}));
  ASSERT_TRUE(parent);
  out->write_end.reset();
  char buffer[100] = {};
  ASSERT_GT(::read(out->read_end.get(), buffer, sizeof(buffer) - 1), 0);
  const auto grandchild = base::parse_number<pid_t>(base::trim(buffer));
  ASSERT_TRUE(grandchild);
  auto pidfd = base::open_pidfd(*grandchild);
  ASSERT_TRUE(pidfd);

  bool ended = false;
  auto body = [&]() -> Task<void> {
    auto status = co_await base::wait_for_exit(pidfd->get());
    EXPECT_TRUE(status);
    EXPECT_EQ(*status, std::nullopt);
    ended = true;
  };
  base::Scope scope;
  scope.spawn(body());
  settle();
  EXPECT_FALSE(ended);
  in->write_end.reset();
  run(scope.join());
  EXPECT_TRUE(ended);
  EXPECT_EQ(wait(*parent), 0);
  // Also when it has ended before.
  auto status = run(base::wait_for_exit(pidfd->get()));
  ASSERT_TRUE(status);
  EXPECT_EQ(*status, std::nullopt);
}

TEST_F(ProcessTest, lets_several_wait) {
  auto pid = base::spawn_process(shell("sleep 0.02; exit 7"));
  auto pidfd = base::open_pidfd(*pid);
  auto body = [&]() -> Task<void> {
    auto [a, b] =
        co_await base::all_of(base::wait_for_exit(pidfd->get()), base::wait_for_exit(pidfd->get()));
    EXPECT_TRUE(a && b);
    EXPECT_NE(a->has_value(), b->has_value());
    EXPECT_EQ(a->value_or(0) + b->value_or(0), 7 << 8);
  };
  run(body());
}

TEST_F(ProcessTest, reaps_no_process_whose_waiter_is_cancelled) {
  auto pid = base::spawn_process(shell("exec sleep 1000"));
  auto pidfd = base::open_pidfd(*pid);
  base::Scope scope;
  auto body = [&]() -> Task<void> { (void)co_await base::wait_for_exit(pidfd->get()); };
  scope.spawn(body());
  scope.cancel();
  EXPECT_TRUE(base::send_signal(pidfd->get(), SIGKILL));
  settle();
  EXPECT_EQ(wait(*pid), SIGKILL);
}

TEST_F(ProcessTest, sends_signals) {
  auto pid = base::spawn_process(shell("exec sleep 1000"));
  auto pidfd = base::open_pidfd(*pid);
  EXPECT_TRUE(base::send_signal(pidfd->get(), 0));
  EXPECT_EQ(base::send_signal(pidfd->get(), 1000).error().code, EINVAL);
  EXPECT_TRUE(base::send_signal(pidfd->get(), SIGKILL));
  EXPECT_EQ(run(base::wait_for_exit(pidfd->get())), SIGKILL);
  EXPECT_EQ(base::send_signal(pidfd->get(), SIGKILL).error().kind, ErrorKind::kNotFound);
}

TEST_F(ProcessTest, knows_when_a_process_started) {
  auto ours = base::process_start_time(getpid());
  ASSERT_TRUE(ours) << ours.error().message;
  EXPECT_EQ(*base::process_start_time(getpid()), *ours);

  // A name that looks like more fields must not confuse it.
  const tests::ScratchDirectory directory;
  const std::string name = directory / "a) R (b 1 2 3";
  ASSERT_EQ(symlink("/bin/sleep", name.c_str()), 0);
  auto pid =
      base::spawn_process({.path = name, .argv = {"sleep", "1000"}, .environment = {}, .fds = {}});
  ASSERT_TRUE(pid) << pid.error().message;
  auto theirs = base::process_start_time(*pid);
  ASSERT_TRUE(theirs) << theirs.error().message;
  EXPECT_GE(*theirs, *ours);
  EXPECT_LT(*theirs, *ours + static_cast<uint64_t>(sysconf(_SC_CLK_TCK)) * 3600);

  kill(*pid, SIGKILL);
  siginfo_t info;
  waitid(P_PID, static_cast<id_t>(*pid), &info, WEXITED | WNOWAIT);
  EXPECT_EQ(*base::process_start_time(*pid), *theirs);  // not reaped yet
  waitpid(*pid, nullptr, 0);
  EXPECT_EQ(base::process_start_time(*pid).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(base::open_pidfd(*pid).error().kind, ErrorKind::kNotFound);
}

TEST_F(ProcessTest, does_not_call_a_process_gone_because_it_could_not_look) {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = 0;
  setrlimit(RLIMIT_NOFILE, &none);
  auto time = base::process_start_time(getpid());
  setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_FALSE(time);
  EXPECT_EQ(time.error().code, EMFILE);
  EXPECT_EQ(time.error().kind, ErrorKind::kInternal);
}

}  // namespace
