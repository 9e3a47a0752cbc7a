// How switchboards begin and end.
#include <fstream>

#include "tests/ioswitchboard/support.h"

namespace ioswitchboard_test {
namespace {

class LifetimeTest : public SwitchboardTest {
 protected:
  static Task<void> read_all(Reader& reader) { co_await reader.read_all(); }

  // The proportional set size in KiB.
  static size_t pss(pid_t pid) {
    std::ifstream rollup(base::concat("/proc/", pid, "/smaps_rollup"));
    std::string line;
    while (std::getline(rollup, line)) {
      if (line.starts_with("Pss:")) return std::stoul(line.substr(4));
    }
    return 0;
  }
};

TEST_F(LifetimeTest, EndsWhenItIsToldTo) {
  Container& container = start("exit 3");
  run([&]() -> Task<void> {
    EXPECT_EQ(co_await container.command->exit(), 3 << 8);
    // Not before: the end of the streams is not the container's end.
    EXPECT_FALSE((co_await base::with_timeout(container.switchboard->exit(), 200ms)).has_value());
    co_await end(container);
  }());
}

// The agent may say so before the process has run a single instruction.
TEST_F(LifetimeTest, NeverMissesTheWord) {
  for (int i = 0; i < 30; ++i) {
    Container& container = start(i % 2 == 0 ? session() : ServerOptions());
    ASSERT_EQ(write(container.stdout_fd.get(), "out", 3), 3);
    ASSERT_EQ(write(container.stderr_fd.get(), "err", 3), 3);
    run(end(container));
    EXPECT_EQ(container.out(), "out");
    EXPECT_EQ(container.err(), "err");
  }
}

TEST_F(LifetimeTest, DeliversWhatIsLeftInThePipes) {
  const std::string data(60000, 'x');
  for (int i = 0; i < 10; ++i) {
    ServerOptions options = i % 2 == 0 ? session() : ServerOptions();
    Container& container = start(options);
    run([&]() -> Task<void> {
      Reader reader =
          co_await attach(container, i % 3 == 0 ? Encoding::kJson : Encoding::kProtobuf);
      EXPECT_EQ(write(container.stdout_fd.get(), data.data(), data.size()),
                static_cast<ssize_t>(data.size()));
      EXPECT_EQ(write(container.stderr_fd.get(), data.data(), data.size()),
                static_cast<ssize_t>(data.size()));
      // Nobody closes the other end: what counts is what is there.
      co_await base::all_of(end(container), read_all(reader));
      EXPECT_EQ(reader.output().out, data);
      EXPECT_EQ(reader.output().err, data);
      EXPECT_TRUE(reader.complete());
    }());
    EXPECT_EQ(container.out(), data);
    EXPECT_EQ(container.err(), data);
  }
}

// What had been asked before the end is answered, even if the process has not yet looked at it.
TEST_F(LifetimeTest, ServesWhoCameBeforeTheEnd) {
  Container& container = start(session(), "echo short");
  run([&]() -> Task<void> {
    co_await container.command->exit();
    // Past the point where it could miss the stop.
    co_await base::sleep_for(20ms);
    container.switchboard->signal(SIGSTOP);
    auto connection = co_await connect_switchboard(container.directory);
    const auto sent =
        co_await connection->send("POST", kOutputPath, accept_headers({Encoding::kJson, true}));
    EXPECT_TRUE(sent.has_value());
    Writer writer = co_await write_to(container);
    container.switchboard->signal(SIGTERM);
    container.switchboard->signal(SIGCONT);
    auto response = co_await connection->read_response();
    EXPECT_EQ(response.value().status, 200);
    Reader reader({*std::move(connection), *response}, Encoding::kJson);
    EXPECT_EQ((co_await reader.read_all()).out, "short\n");
    EXPECT_TRUE(reader.complete());
    EXPECT_EQ(co_await writer.answer(), 200);
    EXPECT_EQ(co_await container.switchboard->exit(), 0);
  }());
}

TEST_F(LifetimeTest, WaitsForAReaderThatTakesItsTime) {
  Container& container = start(session(), "head -c 900000 /dev/zero");
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container);
    co_await container.command->exit();
    container.switchboard->signal(SIGTERM);
    // Saying it again changes nothing.
    for (int i = 0; i < 3; ++i) {
      co_await base::sleep_for(50ms);
      container.switchboard->signal(SIGTERM);
    }
    EXPECT_EQ((co_await reader.read_all()).out.size(), 900000u);
    EXPECT_TRUE(reader.complete());
    EXPECT_EQ(co_await container.switchboard->exit(), 0);
  }());
}

TEST_F(LifetimeTest, DoesNotWaitForeverForAReader) {
  ServerOptions options = session();
  options.stall_timeout = 300ms;
  Container& container = start(options, "head -c 900000 /dev/zero");
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container);
    co_await finish(container);
    co_await reader.read_all();
    EXPECT_TRUE(reader.broken());
  }());
  EXPECT_EQ(container.out().size(), 900000u);
}

TEST_F(LifetimeTest, IsOverForWhoComesLater) {
  Container& container = start("true");
  run([&]() -> Task<void> {
    co_await finish(container);
    const auto attached = co_await attach_output(container.directory, {}, false);
    EXPECT_FALSE(attached.has_value());
    EXPECT_EQ(attached.error().kind, base::ErrorKind::kClosed);
    EXPECT_EQ(attached.error().message, "I/O switchboard has shutdown");
  }());
  EXPECT_TRUE(base::remove_tree(container.directory).has_value());
  run([&]() -> Task<void> {
    const auto attached = co_await attach_output(container.directory, {}, false);
    EXPECT_EQ(attached.error().message, "I/O switchboard has shutdown");
  }());
}

TEST_F(LifetimeTest, IsFoundAgain) {
  Container& container = start("sleep 10");
  {
    const auto found = find_switchboard(container.directory);
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_EQ(found->pid, container.switchboard->pid());
    EXPECT_TRUE(base::send_signal(found->pidfd.get(), 0).has_value());
  }
  // The process itself writes it, too, should the agent have died; it has done so when it answers.
  run([&]() -> Task<void> {
    Writer writer = co_await write_to(container);
    co_await writer.finish();
    EXPECT_EQ(co_await writer.answer(), 200);
  }());
  EXPECT_EQ(find_switchboard(container.directory).value().pid, container.switchboard->pid());
  ASSERT_TRUE(base::remove_tree(container.directory + "/pid").has_value());
  // With no pid file, or a damaged one, by its command line.
  EXPECT_EQ(find_switchboard(container.directory)->pid, container.switchboard->pid());
  Container& other = start("sleep 10");
  const auto written = base::read_file(other.directory + "/pid");
  ASSERT_TRUE(base::write_file(container.directory + "/pid", *written).has_value());
  EXPECT_EQ(find_switchboard(container.directory).value().pid, other.switchboard->pid());

  // Another process with that pid is not it.
  const pid_t pid = container.switchboard->pid();
  ASSERT_TRUE(
      base::write_file(container.directory + "/pid", base::concat(pid, " 1\n")).has_value());
  EXPECT_EQ(find_switchboard(container.directory).error().kind, base::ErrorKind::kNotFound);
  // The last is cut short within its start time.
  for (const std::string& broken : {std::string(), std::string("\n"), std::string("x y\n"),
                                    std::string("1\n"), base::concat(pid, " 1")}) {
    ASSERT_TRUE(base::write_file(container.directory + "/pid", broken).has_value());
    EXPECT_EQ(find_switchboard(container.directory)->pid, pid);
  }
  run(end(other));
  EXPECT_EQ(find_switchboard(other.directory).error().kind, base::ErrorKind::kNotFound);
}

TEST_F(LifetimeTest, TakesLittleMemory) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's memory says nothing";
  constexpr int kCount = 20;
  std::vector<Container*> containers;
  for (int i = 0; i < kCount; ++i) {
    ServerOptions options = i % 2 == 0 ? ServerOptions() : terminal();
    containers.push_back(&start(options, "read go; head -c 2000000 /dev/zero; exec sleep 10"));
  }
  const auto report = [&](const char* when) {
    size_t sum = 0;
    size_t most = 0;
    for (const Container* container : containers) {
      const size_t size = pss(container->switchboard->pid());
      sum += size;
      most = std::max(most, size);
    }
    std::printf("PSS of %d switchboards %s: %zu KiB on average, %zu KiB at most\n", kCount, when,
                sum / kCount, most);
    EXPECT_LE(sum / kCount, 512u);
    // How much of a stream is under way in one of them depends on who else has the processor.
    EXPECT_LE(most, 1024u);
  };
  run(base::sleep_task(200ms));
  report("at the start");
  run([&]() -> Task<void> {
    for (Container* container : containers) {
      Reader reader = co_await attach(*container, Encoding::kJson);
      Writer writer = co_await write_to(*container, Encoding::kJson);
      co_await writer.send(stdin_data("\n"));
      co_await reader.read_until([](const Output& output) { return output.out.size() > 1999990; });
    }
    co_await base::sleep_for(1500ms);  // until they know that they are idle
  }());
  report("after 2 MB to a reader each");
}

}  // namespace
}  // namespace ioswitchboard_test
