// What readers of the output get, and what the sandbox gets.
#include <sys/resource.h>

#include <random>

#include "tests/ioswitchboard/support.h"

namespace ioswitchboard_test {
namespace {

class OutputTest : public SwitchboardTest {
 protected:
  // Writes random bytes into a file and gives them.
  std::string make_data(size_t size) {
    std::mt19937_64 random(size);
    std::string data(size, '\0');
    for (size_t i = 0; i + 8 <= size; i += 8) {
      const uint64_t bits = random();
      std::memcpy(data.data() + i, &bits, 8);
    }
    EXPECT_TRUE(base::write_file(data_file(), data).has_value());
    return data;
  }
  std::string data_file() const { return scratch_ + "/data"; }

  // Reads to the end.
  static Task<void> expect_exactly(Reader& reader, const std::string& data) {
    size_t at = 0;
    while (co_await reader.read_more()) {
      std::string& out = reader.output().out;
      EXPECT_TRUE(data.compare(at, out.size(), out) == 0) << "at " << at;
      at += out.size();
      out.clear();
    }
    EXPECT_EQ(at, data.size());
    EXPECT_TRUE(reader.complete());
  }
};

TEST_F(OutputTest, ReachesReaderAndSandbox) {
  for (Encoding encoding : {Encoding::kJson, Encoding::kProtobuf}) {
    Container& container = start(session(), "echo out; echo err >&2; echo more");
    run([&]() -> Task<void> {
      Reader reader = co_await attach(container, encoding);
      co_await finish(container);
      const Output output = co_await reader.read_all();
      EXPECT_EQ(output.out, "out\nmore\n");
      EXPECT_EQ(output.err, "err\n");
      EXPECT_TRUE(reader.complete());
    }());
    EXPECT_EQ(container.out(), "out\nmore\n");
    EXPECT_EQ(container.err(), "err\n");
  }
}

TEST_F(OutputTest, GoesOnToAReaderThatHasHalfClosedAndIsAskedForASign) {
  Container& container = start(session(), "echo before; read line; echo after");
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container);
    co_await reader.read_until_out("before\n");
    EXPECT_EQ(reader.output().heartbeats, 0);
    reader.half_close();
    co_await reader.read_until([](const Output& output) { return output.heartbeats == 1; });
    Writer writer = co_await write_to(container);
    co_await writer.send(stdin_data("go\n"));
    co_await writer.finish();
    co_await finish(container);
    EXPECT_EQ((co_await reader.read_all()).out, "before\nafter\n");
    EXPECT_TRUE(reader.complete());
    EXPECT_EQ(reader.output().heartbeats, 1);
  }());
}

TEST_F(OutputTest, HasTheHeadersOfApacheMesos) {
  const struct {
    OutputForm form;
    const char* type;
    const char* message_type;
  } cases[] = {
      {{Encoding::kJson, false}, "application/json", nullptr},
      {{Encoding::kProtobuf, false}, "application/x-protobuf", nullptr},
      {{Encoding::kJson, true}, "application/recordio", "application/json"},
      {{Encoding::kProtobuf, true}, "application/recordio", "application/x-protobuf"},
  };
  for (const auto& c : cases) {
    Container& container = start(session(), "echo out");
    run([&]() -> Task<void> {
      auto attached = co_await attach_output(container.directory, c.form, false);
      const http::Headers& headers = attached.value().response.headers;
      EXPECT_EQ(*headers.find("Content-Type"), c.type);
      EXPECT_EQ(headers.has("Message-Content-Type"), c.message_type != nullptr);
      if (c.message_type != nullptr) {
        EXPECT_EQ(*headers.find("Message-Content-Type"), c.message_type);
      }
      EXPECT_EQ(*headers.find("Transfer-Encoding"), "chunked");
      co_await finish(container);
      Reader reader(*std::move(attached), c.form.encoding);
      EXPECT_EQ((co_await reader.read_all()).out, "out\n");
    }());
  }
}

// To the byte what was recorded from an agent of Apache Mesos.
TEST_F(OutputTest, IsOneRecordAChunk) {
  Container& container = start(session(), "echo out; sleep 0.1; echo err >&2");
  run([&]() -> Task<void> {
    auto fd = co_await base::connect_unix(container.directory + "/socket");
    base::Stream stream(*std::move(fd));
    [[maybe_unused]] const auto sent = co_await stream.write_all(
        "POST /attach_container_output HTTP/1.1\r\nHost: x\r\nAccept: application/recordio\r\n"
        "Message-Accept: application/json\r\nContent-Length: 0\r\n\r\n");
    co_await finish(container);
    std::string bytes;
    char buffer[4096];
    while (true) {
      const auto n = co_await stream.read_some(buffer);
      if (!n || *n == 0) break;
      bytes.append(buffer, *n);
    }
    EXPECT_EQ(
        bytes.substr(bytes.find("\r\n\r\n") + 4),
        "3d\r\n58\n{\"type\":\"DATA\",\"data\":{\"type\":\"STDOUT\",\"data\":\"b3V0Cg==\"}}\r\n"
        "3d\r\n58\n{\"type\":\"DATA\",\"data\":{\"type\":\"STDERR\",\"data\":\"ZXJyCg==\"}}\r\n"
        "0\r\n\r\n");
  }());
}

TEST_F(OutputTest, ReachesTwentyReadersBitByBit) {
  const std::string data = make_data(kSanitized ? 8 << 20 : 64 << 20);
  Container& container = start(session(), "read go; cat " + data_file());
  run([&]() -> Task<void> {
    std::vector<std::unique_ptr<Reader>> readers;
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 20; ++i) {
      const Encoding encoding = i % 5 == 0 ? Encoding::kJson : Encoding::kProtobuf;
      readers.push_back(std::make_unique<Reader>(co_await attach(container, encoding)));
      tasks.push_back(expect_exactly(*readers.back(), data));
    }
    tasks.push_back(finish(container));
    Writer writer = co_await write_to(container);
    co_await writer.send(stdin_data("go\n"));
    co_await base::all_of(std::move(tasks));
  }());
  EXPECT_TRUE(container.out() == data);
}

TEST_F(OutputTest, OfBothStreamsKeepsItsOrderWithinEach) {
  Container& container = start(session(), "seq 1 20000 & seq 1 30000 >&2; wait");
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container);
    Task<void> tasks[] = {finish(container)};
    co_await base::all_of(std::move(tasks[0]),
                          [](Reader& r) -> Task<void> { co_await r.read_all(); }(reader));
    EXPECT_EQ(reader.output().out, container.out());
    EXPECT_EQ(reader.output().err, container.err());
    EXPECT_TRUE(reader.output().out.ends_with("\n20000\n"));
    EXPECT_TRUE(reader.output().err.ends_with("\n30000\n"));
  }());
}

TEST_F(OutputTest, BeforeTheAttachIsNotSeen) {
  Container& container = start("echo early; read go; echo late");
  run([&]() -> Task<void> {
    co_await eventually([&] { return container.out() == "early\n"; });
    Reader reader = co_await attach(container);
    Reader replaying = co_await attach(container, Encoding::kProtobuf, true);
    Writer writer = co_await write_to(container);
    co_await writer.send(stdin_data("\n"));
    co_await finish(container);
    EXPECT_EQ((co_await reader.read_all()).out, "late\n");
    // Nothing is kept unless the agent says so.
    EXPECT_EQ((co_await replaying.read_all()).out, "late\n");
  }());
  EXPECT_EQ(container.out(), "early\nlate\n");
}

TEST_F(OutputTest, BeforeTheAttachIsReplayedOnRequest) {
  ServerOptions options;
  options.replay_size = base::Bytes(10);
  Container& container = start(options, "printf 0123456789abcdef; read go; printf late");
  run([&]() -> Task<void> {
    co_await eventually([&] { return container.out().size() == 16; });
    Reader plain = co_await attach(container);
    Reader json = co_await attach(container, Encoding::kJson, true);
    Reader protobuf = co_await attach(container, Encoding::kProtobuf, true);
    Writer writer = co_await write_to(container);
    co_await writer.send(stdin_data("\n"));
    EXPECT_EQ((co_await json.read_until_out("late")).out, "6789abcdeflate");
    Reader again = co_await attach(container, Encoding::kProtobuf, true);
    co_await finish(container);
    EXPECT_EQ((co_await plain.read_all()).out, "late");
    EXPECT_EQ((co_await json.read_all()).out, "6789abcdeflate");
    EXPECT_EQ((co_await protobuf.read_all()).out, "6789abcdeflate");
    EXPECT_EQ((co_await again.read_all()).out, "abcdeflate");
  }());
}

TEST_F(OutputTest, OfASessionWaitsForItsFirstReader) {
  Container& container = start(session(), "echo first");
  run([&]() -> Task<void> {
    co_await container.command->exit();
    co_await base::sleep_for(50ms);
    EXPECT_EQ(container.out(), "");
    Reader reader = co_await attach(container);
    EXPECT_EQ((co_await reader.read_until_out("\n")).out, "first\n");
    co_await end(container);
    EXPECT_EQ((co_await reader.read_all()).out, "first\n");
    EXPECT_TRUE(reader.complete());
  }());
}

TEST_F(OutputTest, OfAnUnattachedSessionGoesToTheSandbox) {
  Container& container = start(session(), "echo nobody; echo listens >&2");
  run(finish(container));
  EXPECT_EQ(container.out(), "nobody\n");
  EXPECT_EQ(container.err(), "listens\n");
}

TEST_F(OutputTest, GoesOnWhenReadersVanish) {
  const std::string data = make_data(16 << 20);
  Container& container = start("read go; cat " + data_file());
  run([&]() -> Task<void> {
    Reader stays = co_await attach(container);
    auto vanishes = std::make_unique<Reader>(co_await attach(container, Encoding::kJson));
    Writer writer = co_await write_to(container);
    co_await writer.send(stdin_data("\n"));
    co_await vanishes->read_more();
    vanishes.reset();
    co_await base::all_of(expect_exactly(stays, data), finish(container));
  }());
}

// Nobody takes anything: what the container writes is bounded by what lies between.
TEST_F(OutputTest, OfASessionMayBePausedByItsOnlyReader) {
  const std::string data = make_data(16 << 20);
  ServerOptions options = session();
  options.stall_timeout = 100ms;
  Container& container = start(options, "cat " + data_file());
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container);
    co_await base::sleep_for(600ms);
    const size_t before = container.out().size();
    EXPECT_GT(before, 0u);
    EXPECT_LT(before, 4u << 20);
    co_await base::sleep_for(200ms);
    EXPECT_EQ(container.out().size(), before);
    co_await base::all_of(expect_exactly(reader, data), finish(container));
  }());
  EXPECT_TRUE(container.out() == data);
}

TEST_F(OutputTest, IsNotHeldUpBySlowReaders) {
  const std::string data = make_data(8 << 20);
  for (bool wait : {false, true}) {
    ServerOptions options;
    options.wait_for_connection = wait;
    options.stall_timeout = 200ms;
    Container& container = start(options, "read go; cat " + data_file());
    run([&]() -> Task<void> {
      Reader slow = co_await attach(container);
      Reader quick = co_await attach(container);
      Writer writer = co_await write_to(container);
      co_await writer.send(stdin_data("\n"));
      co_await base::all_of(expect_exactly(quick, data), finish(container));
      // It is told that something is missing.
      const Output output = co_await slow.read_all();
      EXPECT_TRUE(slow.broken());
      EXPECT_FALSE(slow.complete());
      EXPECT_GT(output.out.size(), 0u);
      EXPECT_LT(output.out.size(), data.size());
      EXPECT_TRUE(data.starts_with(output.out));
    }());
  }
}

TEST_F(OutputTest, OfWhatIsNoSessionIsNotHeldUpByItsOnlyReader) {
  const std::string data = make_data(8 << 20);
  ServerOptions options;
  options.stall_timeout = 200ms;
  Container& container = start(options, "read go; cat " + data_file());
  run([&]() -> Task<void> {
    Reader slow = co_await attach(container);
    Writer writer = co_await write_to(container);
    co_await writer.send(stdin_data("\n"));
    co_await finish(container);
    co_await slow.read_all();
    EXPECT_TRUE(slow.broken());
  }());
  EXPECT_TRUE(container.out() == data);
}

TEST_F(OutputTest, ComesWithHeartbeats) {
  ServerOptions options = session();
  options.heartbeat_interval = 100ms;
  Container& container = start(options, "sleep 10");
  run([&]() -> Task<void> {
    Reader json = co_await attach(container, Encoding::kJson);
    Reader protobuf = co_await attach(container, Encoding::kProtobuf);
    const auto beaten = [](const Output& output) { return output.heartbeats >= 3; };
    const auto start = std::chrono::steady_clock::now();
    co_await json.read_until(beaten);
    co_await protobuf.read_until(beaten);
    EXPECT_GT(std::chrono::steady_clock::now() - start, 150ms);
    container.command->kill();
    co_await finish(container);
    EXPECT_EQ((co_await json.read_all()).out, "");
    EXPECT_TRUE(json.complete());
  }());
}

TEST_F(OutputTest, CanEndBeforeTheCommand) {
  ServerOptions options = session();
  Container& container = start(options, "echo closing; exec >&- 2>&-; read go; sleep 10");
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container);
    co_await reader.read_until_out("closing\n");
    EXPECT_FALSE((co_await base::with_timeout(reader.read_all(), 200ms)).has_value());
    // Its stdin is still there.
    Writer writer = co_await write_to(container);
    EXPECT_TRUE(co_await writer.send(stdin_data("\n")));
    co_await writer.finish();
    EXPECT_EQ(co_await writer.answer(), 200);
    container.command->kill();
    co_await finish(container);
    co_await reader.read_all();
    EXPECT_TRUE(reader.complete());
  }());
}

TEST_F(OutputTest, ReachesReadersWhenTheSandboxIsFull) {
  const std::string data = make_data(1 << 20);
  // What a file may have is inherited, so it stands in for what a disk has.
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit limited = before;
  limited.rlim_cur = 100000;
  SwitchboardOptions options = switchboard_options(session());
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limited), 0);
  Container& container = start(options);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  launch(container, "cat " + data_file());
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container);
    co_await base::all_of(expect_exactly(reader, data), finish(container));
  }());
  EXPECT_EQ(container.out(), data.substr(0, 100000));
  EXPECT_EQ(container.err(),
            "mesos-io-switchboard: 948576 bytes of stdout could not be written to the sandbox: "
            "File too large\n");
}

}  // namespace
}  // namespace ioswitchboard_test
