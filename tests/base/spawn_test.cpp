#include "base/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "base/fd_window.h"
#include "base/stream.h"
#include "base/strings.h"
#include "tests/base/process_fixture.h"
#include "tests/scratch.h"

namespace {

using base::concat;
using base::ErrorKind;
using base::Fd;
using base::Result;
using base::SpawnOptions;
using SpawnTest = tests::ProcessFixture;
using tests::shell;

TEST_F(SpawnTest, passes_arguments_and_environment_and_nothing_else) {
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

TEST_F(SpawnTest, says_why_it_cannot_start) {
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

TEST_F(SpawnTest, gives_the_child_its_descriptors_only) {
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
class SpawnFdsTest : public SpawnTest {
 protected:
  static constexpr int kFirst = 60;

  // Opens the files "0", "1"... under our numbers kFirst, kFirst + 1...
  SpawnFdsTest() {
    for (int i = 0; i < 4; ++i) {
      const std::string path = directory_ / std::to_string(i);
      Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
      fds_.emplace_back(fcntl(fd.get(), F_DUPFD_CLOEXEC, kFirst + i));
      EXPECT_EQ(fds_.back().get(), kFirst + i);
    }
  }
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

  const tests::ScratchDirectory directory_;
  std::vector<Fd> fds_;
};

TEST_F(SpawnFdsTest, takes_any_numbers) {
  EXPECT_EQ(seen({{60, 5}, {61, 6}}, {5, 6, 60, 61}), "01--");
  EXPECT_EQ(seen({{60, 5}, {60, 6}}, {5, 6}), "00");  // one of ours twice
}

TEST_F(SpawnFdsTest, takes_a_number_to_itself) {
  EXPECT_EQ(seen({{60, 60}}, {60, 61}), "0-");
  EXPECT_EQ(seen({{60, 60}, {60, 61}}, {60, 61}), "00");
  EXPECT_EQ(seen({{60, 61}, {60, 60}}, {60, 61}), "00");
}

TEST_F(SpawnFdsTest, takes_numbers_that_overlap) {
  EXPECT_EQ(seen({{60, 61}, {61, 60}}, {60, 61}), "10");
  EXPECT_EQ(seen({{60, 61}, {61, 62}, {62, 60}}, {60, 61, 62}), "201");
  EXPECT_EQ(seen({{60, 61}, {61, 62}}, {60, 61, 62}), "-01");
  EXPECT_EQ(seen({{61, 62}, {60, 61}}, {60, 61, 62}), "-01");
  EXPECT_EQ(seen({{60, 61}, {61, 62}, {62, 62 + 1}}, {60, 61, 62, 63}), "-012");
}

TEST_F(SpawnFdsTest, refuses_what_cannot_be) {
  EXPECT_EQ(base::spawn_process(shell("true", {{60, 5}, {61, 5}})).error().kind,
            ErrorKind::kInvalid);
  EXPECT_EQ(base::spawn_process(shell("true", {{60, -1}})).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(base::spawn_process(shell("true", {{60, base::FdWindow::kBegin}})).error().kind,
            ErrorKind::kInvalid);
  EXPECT_EQ(base::spawn_process(shell("true", {{-1, 5}})).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(base::spawn_process(shell("true", {{999, 5}})).error().code, EBADF);
  EXPECT_EQ(base::spawn_process(shell("true", {{5, 6}, {999, 5}})).error().code, EBADF);
}

TEST_F(SpawnTest, resets_signals) {
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

TEST_F(SpawnTest, blocks_signals_from_the_first_instruction_on) {
  SpawnOptions options = shell("exit 3");
  options.blocked_signals = {SIGTERM};
  auto pid = base::spawn_process(options);
  ASSERT_TRUE(pid.has_value());
  ASSERT_EQ(0, kill(*pid, SIGTERM));  // a shell has not unblocked it by then, or ever
  EXPECT_EQ(wait(pid), 3 << 8);
}

TEST_F(SpawnTest, makes_a_session) {
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

// Or a reader would wait for the end of what nobody else writes.
TEST(FdWindowTest, KeepsNothingOpenBeyondItsUse) {
  auto pipe = base::make_pipe();
  ASSERT_TRUE(pipe.has_value());
  {
    base::FdWindow window;
    const auto number = window.add(pipe->write_end.get());
    ASSERT_TRUE(number.has_value()) << number.error().message;
    EXPECT_GE(*number, base::FdWindow::kBegin);
    EXPECT_LT(*number, window.end());
    EXPECT_EQ(FD_CLOEXEC, fcntl(*number, F_GETFD));
    pipe->write_end.reset();
    ASSERT_EQ(1, write(*number, "x", 1));
  }
  char buffer[2];
  EXPECT_EQ(1, read(pipe->read_end.get(), buffer, sizeof(buffer)));
  EXPECT_EQ(0, read(pipe->read_end.get(), buffer, sizeof(buffer)));
}

TEST(FdWindowTest, HoldsSoManyAndNoMore) {
  base::FdWindow window;
  std::set<int> numbers;
  for (size_t i = 1; i < base::FdWindow::kSize; ++i) {
    const auto number = window.add(0);
    ASSERT_TRUE(number.has_value()) << number.error().message;
    numbers.insert(*number);
  }
  EXPECT_EQ(base::FdWindow::kSize - 1, numbers.size());
  EXPECT_FALSE(window.add(0).has_value());
}

}  // namespace
