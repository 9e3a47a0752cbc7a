// What starting a switchboard makes, and what it leaves when it fails.
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd_window.h"
#include "tests/ioswitchboard/support.h"

namespace ioswitchboard_test {
namespace {

class LaunchTest : public SwitchboardTest {
 protected:
  static std::vector<std::string> open_descriptors() {
    return base::list_directory("/proc/self/fd").value();
  }

  static mode_t mode(const std::string& path) {
    struct stat info{};
    return stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
  }
};

TEST_F(LaunchTest, MakesWhatOnlyTheAgentCanReach) {
  const mode_t before = umask(0);
  Container& container = start(switchboard_options());
  umask(before);
  EXPECT_EQ(mode(container.directory), 0700u);
  EXPECT_EQ(mode(container.directory + "/socket"), 0600u);
  EXPECT_EQ(mode(container.directory + ".stdout"), 0644u);
  EXPECT_EQ(mode(container.directory + ".stderr"), 0644u);
}

TEST_F(LaunchTest, GivesTheProcessWhatItNeedsAndNoMore) {
  const base::Fd leak(open("/dev/null", O_RDONLY));  // not close-on-exec
  Container& pipes = start(switchboard_options());
  Container& tty = start(switchboard_options(terminal()));
  run(base::sleep_task(50ms));
  // What the event loop has opened for itself comes after these.
  const auto inherited = [](const Container& container) {
    std::string text;
    const std::string path = base::concat("/proc/", container.switchboard->pid(), "/fd/");
    for (int fd = 0; fd < 40; ++fd) {
      std::error_code error;
      const std::string target = std::filesystem::read_symlink(path + std::to_string(fd), error);
      const bool own = target.starts_with("anon_inode:") || (fd > 6 && target.starts_with("pipe:"));
      if (!error && !own) text += base::concat(fd, " ", target.substr(0, target.find('[')), "\n");
    }
    return text;
  };
  const auto files = [](const Container& container) {
    return "0 /dev/null\n1 " + container.directory + ".stdout\n2 " + container.directory +
           ".stderr\n3 socket:\n";
  };
  EXPECT_EQ(inherited(pipes), files(pipes) + "4 pipe:\n5 pipe:\n6 pipe:\n");
  EXPECT_TRUE(inherited(tty).starts_with(files(tty) + "4 /dev/p")) << inherited(tty);
  EXPECT_EQ(inherited(tty).find("/dev/null", 12), std::string::npos) << inherited(tty);
  // Its own session, no environment, nobody's directory.
  EXPECT_EQ(getsid(pipes.switchboard->pid()), pipes.switchboard->pid());
  const std::string proc = base::concat("/proc/", pipes.switchboard->pid());
  EXPECT_EQ(base::read_file(proc + "/environ").value(), "");
  EXPECT_EQ(std::filesystem::read_symlink(proc + "/cwd"), "/");
}

TEST_F(LaunchTest, AppendsToTheSandbox) {
  SwitchboardOptions options = switchboard_options();
  ASSERT_TRUE(base::write_file(options.stdout_path, "before\n").has_value());
  Container& container = start(options, "echo after");
  run(finish(container));
  EXPECT_EQ(container.out(), "before\nafter\n");
}

TEST_F(LaunchTest, WorksInDirectoriesWithLongNames) {
  SwitchboardOptions options = switchboard_options();
  std::string parent = scratch_;
  for (int i = 0; i < 5; ++i) parent += "/" + std::string(200, 'd');
  ASSERT_TRUE(base::make_directories(parent).has_value());
  options.server.directory = parent + "/io_switchboard";
  options.server.wait_for_connection = true;
  options.stdout_path = options.server.directory + ".stdout";
  options.stderr_path = options.server.directory + ".stderr";
  Container& container = start(options, "echo far");
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container);
    co_await finish(container);
    EXPECT_EQ((co_await reader.read_all()).out, "far\n");
  }());
}

TEST_F(LaunchTest, LeavesNothingWhenItFails) {
  ASSERT_TRUE(base::FdWindow::reserve().has_value());
  const auto before = open_descriptors();
  const auto expect_failure = [&](const SwitchboardOptions& options, base::ErrorKind kind) {
    const auto started = start_switchboard(options);
    ASSERT_FALSE(started.has_value());
    EXPECT_EQ(started.error().kind, kind) << started.error().message;
    EXPECT_EQ(open_descriptors(), before);
  };
  for (bool tty : {false, true}) {
    SwitchboardOptions options = switchboard_options(tty ? terminal() : ServerOptions());
    options.program = "/no/such/program";
    expect_failure(options, base::ErrorKind::kInternal);
    EXPECT_FALSE(base::path_exists(options.server.directory));
  }
  SwitchboardOptions twice = switchboard_options();
  ASSERT_TRUE(base::make_directories(twice.server.directory + "/content").has_value());
  expect_failure(twice, base::ErrorKind::kAlreadyExists);
  EXPECT_TRUE(base::path_exists(twice.server.directory + "/content"));

  SwitchboardOptions nowhere = switchboard_options();
  nowhere.server.directory = scratch_ + "/no/such/directory";
  expect_failure(nowhere, base::ErrorKind::kInternal);
}

// The sandbox is the container's: what lies in it may be a trap.
TEST_F(LaunchTest, WritesToNothingButPlainFiles) {
  const std::string victim = scratch_ + "/victim";
  ASSERT_TRUE(base::write_file(victim, "precious").has_value());
  SwitchboardOptions options = switchboard_options();
  const auto fails = [&] {
    const auto started = start_switchboard(options);
    EXPECT_FALSE(started.has_value());
    EXPECT_FALSE(base::path_exists(options.server.directory));
    ASSERT_EQ(unlink(options.stderr_path.c_str()), 0);
  };
  ASSERT_EQ(symlink(victim.c_str(), options.stderr_path.c_str()), 0);
  fails();
  ASSERT_EQ(link(victim.c_str(), options.stderr_path.c_str()), 0);
  fails();
  ASSERT_EQ(mkfifo(options.stderr_path.c_str(), 0600), 0);
  fails();
  EXPECT_EQ(base::read_file(victim), "precious");
}

TEST_F(LaunchTest, GivesFilesAndTerminalToTheUser) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  SwitchboardOptions options = switchboard_options(terminal());
  options.uid = 12345;
  options.gid = 23456;
  Container& container = start(options);
  struct stat info{};
  for (const std::string& path : {options.stdout_path, options.stderr_path}) {
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, 12345u);
    EXPECT_EQ(info.st_gid, 23456u);
  }
  ASSERT_EQ(stat(container.tty_slave_path.c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 12345u);
}

}  // namespace
}  // namespace ioswitchboard_test
