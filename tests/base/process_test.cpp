#include "base/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/files.h"
#include "base/scope.h"
#include "base/stream.h"
#include "base/strings.h"
#include "tests/base/loop_test.h"

namespace {

using base::concat;
using base::ErrorKind;
using base::Fd;
using base::Result;
using base::SpawnOptions;
using base::Task;
using tests::Log;
using namespace std::chrono_literals;

SpawnOptions shell(std::string script, std::vector<std::pair<int, int>> fds = {}) {
  return {.path = "/bin/sh",
          .argv = {"sh", "-c", std::move(script)},
          .environment = {"PATH=/usr/bin:/bin"},
          .fds = std::move(fds)};
}

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

class ProcessTest : public tests::LoopTest {
 protected:
  // Its raw status.
  std::optional<int> wait(pid_t pid) {
    auto pidfd = base::open_pidfd(pid);
    EXPECT_TRUE(pidfd);
    auto status = run(base::wait_for_exit(pidfd->get()));
    EXPECT_TRUE(status);
    return *status;
  }

  std::optional<int> wait(const Result<pid_t>& pid) {
    EXPECT_TRUE(pid) << pid.error().message;
    return pid ? wait(*pid) : std::nullopt;
  }

  // What a shell script writes to its standard output, with more descriptors to its use.
  std::string output(std::string script, std::vector<std::pair<int, int>> fds = {}) {
    auto pipe = base::make_pipe();
    fds.emplace_back(pipe->write_end.get(), 1);
    auto pid = base::spawn_process(shell(std::move(script), std::move(fds)));
    EXPECT_TRUE(pid) << pid.error().message;
    pipe->write_end.reset();
    std::string all;
    char buffer[4096];
    ssize_t n;
    while ((n = ::read(pipe->read_end.get(), buffer, sizeof(buffer))) > 0) {
      all.append(buffer, static_cast<size_t>(n));
    }
    if (pid) waitpid(*pid, nullptr, 0);
    return all;
  }
};

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
  char directory[] = "/tmp/base_test.XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string script = concat("ulimit -c unlimited; cd ", directory, " && kill -ABRT $$");
  auto reference = base::spawn_process(shell(script));
  ASSERT_TRUE(reference);
  int expected = 0;
  ASSERT_EQ(waitpid(*reference, &expected, 0), *reference);
  auto status = wait(base::spawn_process(shell(script)));
  EXPECT_EQ(status, expected);
  EXPECT_TRUE(WIFSIGNALED(*status));
  EXPECT_EQ(WTERMSIG(*status), SIGABRT);
  std::filesystem::remove_all(directory);
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
  char directory[] = "/tmp/base_test.XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string name = concat(directory, "/a) R (b 1 2 3");
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
  std::filesystem::remove_all(directory);
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

TEST_F(ProcessTest, passes_arguments_and_environment_and_nothing_else) {
  auto pipe = base::make_pipe();
  setenv("SPAWN_TEST_LEAK", "1", 1);
  auto pid = base::spawn_process({.path = "/usr/bin/env",
                                  .argv = {"env"},
                                  .environment = {"A=1", "B=two words"},
                                  .fds = {{pipe->write_end.get(), 1}}});
  unsetenv("SPAWN_TEST_LEAK");
  ASSERT_TRUE(pid);
  pipe->write_end.reset();
  char buffer[1000];
  const ssize_t n = ::read(pipe->read_end.get(), buffer, sizeof(buffer));
  EXPECT_EQ(std::string_view(buffer, static_cast<size_t>(n)), "A=1\nB=two words\n");
  EXPECT_EQ(wait(*pid), 0);
}

TEST_F(ProcessTest, says_why_it_cannot_start) {
  auto missing =
      base::spawn_process({.path = "/nonexistent", .argv = {"x"}, .environment = {}, .fds = {}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
  EXPECT_EQ(missing.error().message, "Failed to start '/nonexistent': No such file or directory");
  EXPECT_EQ(base::spawn_process({.path = "/proc", .argv = {"x"}, .environment = {}, .fds = {}})
                .error()
                .code,
            EACCES);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);  // no zombie either
}

TEST_F(ProcessTest, gives_the_child_its_descriptors_only) {
  Fd leak(open("/dev/null", O_RDONLY));  // not close-on-exec
  Fd high(fcntl(leak.get(), F_DUPFD, 200));
  // The list includes that of ls itself for the directory that it reads.
  const std::string list =
      "for fd in 0 1 2 3 4 5 6 7 8 9 10 11 20 200; do "
      "if [ -e /proc/self/fd/$fd ]; then echo $fd; fi; done";
  EXPECT_EQ(output(list, {}), "0\n1\n2\n");
  EXPECT_EQ(output(list, {{leak.get(), 7}}), "0\n1\n2\n7\n");
  EXPECT_EQ(output("readlink /proc/self/fd/0 /proc/self/fd/2"), "/dev/null\n/dev/null\n");
}

// Files that tell which they are.
class FdMapping : public ProcessTest {
 protected:
  static constexpr int kFirst = 60;

  // Opens the files "0", "1"... under our numbers kFirst, kFirst + 1...
  FdMapping() {
    char name[] = "/tmp/base_test.XXXXXX";
    directory_ = mkdtemp(name);
    for (int i = 0; i < 4; ++i) {
      const std::string path = concat(directory_, "/", i);
      Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
      fds_.emplace_back(fcntl(fd.get(), F_DUPFD_CLOEXEC, kFirst + i));
      EXPECT_EQ(fds_.back().get(), kFirst + i);
    }
  }
  ~FdMapping() override { std::filesystem::remove_all(directory_); }

  // Which file the child finds under a number; "-" is none.
  std::string seen(const std::vector<std::pair<int, int>>& map, const std::vector<int>& numbers) {
    std::string script;
    for (int number : numbers) {
      script += concat("basename $(readlink /proc/self/fd/", number, " || echo -);");
    }
    std::string text = output(script, map);
    std::erase(text, '\n');
    return text;
  }

  std::string directory_;
  std::vector<Fd> fds_;
};

TEST_F(FdMapping, takes_any_numbers) {
  EXPECT_EQ(seen({{60, 5}, {61, 6}}, {5, 6, 60, 61}), "01--");
  EXPECT_EQ(seen({{60, 5}, {60, 6}}, {5, 6}), "00");  // one of ours twice
}

TEST_F(FdMapping, takes_a_number_to_itself) {
  EXPECT_EQ(seen({{60, 60}}, {60, 61}), "0-");
  EXPECT_EQ(seen({{60, 60}, {60, 61}}, {60, 61}), "00");
  EXPECT_EQ(seen({{60, 61}, {60, 60}}, {60, 61}), "00");
}

TEST_F(FdMapping, takes_numbers_that_overlap) {
  EXPECT_EQ(seen({{60, 61}, {61, 60}}, {60, 61}), "10");
  EXPECT_EQ(seen({{60, 61}, {61, 62}, {62, 60}}, {60, 61, 62}), "201");
  EXPECT_EQ(seen({{60, 61}, {61, 62}}, {60, 61, 62}), "-01");
  EXPECT_EQ(seen({{61, 62}, {60, 61}}, {60, 61, 62}), "-01");
  EXPECT_EQ(seen({{60, 61}, {61, 62}, {62, 62 + 1}}, {60, 61, 62, 63}), "-012");
}

TEST_F(FdMapping, refuses_what_cannot_be) {
  EXPECT_EQ(base::spawn_process(shell("true", {{60, 5}, {61, 5}})).error().kind,
            ErrorKind::kInvalid);
  EXPECT_EQ(base::spawn_process(shell("true", {{60, -1}})).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(base::spawn_process(shell("true", {{-1, 5}})).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(base::spawn_process(shell("true", {{99, 5}})).error().code, EBADF);
  EXPECT_EQ(base::spawn_process(shell("true", {{5, 6}, {99, 5}})).error().code, EBADF);
}

TEST_F(ProcessTest, resets_signals) {
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  signal(SIGUSR1, SIG_IGN);
  const std::string status = output("cat /proc/self/status");
  signal(SIGUSR1, SIG_DFL);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  auto mask = [&](std::string_view name) {
    const size_t at = status.find(name) + name.size();
    return base::parse_number<uint64_t>(std::string_view(status).substr(at, 16), 16);
  };
  EXPECT_EQ(mask("SigBlk:\t"), 0u);
  // glibc itself has its children ignore the two signals that its threads use, 32 and 33.
  EXPECT_EQ(mask("SigIgn:\t").value_or(1) & ~(uint64_t{3} << 31), 0u) << status;
}

TEST_F(ProcessTest, blocks_signals_from_the_first_instruction_on) {
  SpawnOptions options = shell("exit 3");
  options.blocked_signals = {SIGTERM};
  auto pid = base::spawn_process(options);
  ASSERT_TRUE(pid.has_value());
  ASSERT_EQ(0, kill(*pid, SIGTERM));  // a shell has not unblocked it by then, or ever
  EXPECT_EQ(wait(pid), 3 << 8);
}

TEST_F(ProcessTest, makes_a_session) {
  auto field = [&](bool new_session) {
    auto pipe = base::make_pipe();
    // The session is field 6.
    SpawnOptions options = shell("cut -d' ' -f6 /proc/$$/stat", {{pipe->write_end.get(), 1}});
    options.new_session = new_session;
    auto pid = base::spawn_process(options);
    pipe->write_end.reset();
    char buffer[100];
    const ssize_t n = ::read(pipe->read_end.get(), buffer, sizeof(buffer));
    wait(pid);
    auto session = base::parse_number<pid_t>(
        base::trim(std::string_view(buffer, static_cast<size_t>(std::max<ssize_t>(n, 0)))));
    return std::pair(pid.value_or(-1), session.value_or(-1));
  };
  auto [leader, its_session] = field(true);
  EXPECT_EQ(leader, its_session);
  auto [child, our_session] = field(false);
  EXPECT_EQ(our_session, getsid(0));
}

}  // namespace
