// What writers to the container's stdin get.
#include "tests/ioswitchboard/support.h"

namespace ioswitchboard_test {
namespace {

class InputTest : public SwitchboardTest {
 protected:
  static Task<void> read_all(Reader& reader) { co_await reader.read_all(); }

  static Task<void> send_all(Writer& writer, const std::string& data, size_t piece) {
    for (size_t at = 0; at < data.size(); at += piece) {
      if (!co_await writer.send(stdin_data(std::string_view(data).substr(at, piece)))) co_return;
    }
  }

  static Task<void> expect_answer(Writer& writer, int status, std::string text = {}) {
    EXPECT_EQ(co_await writer.answer(), status);
    EXPECT_EQ(writer.text(), text);
  }
};

TEST_F(InputTest, ReachesTheCommandAndEnds) {
  for (Encoding encoding : {Encoding::kJson, Encoding::kProtobuf}) {
    Container& container = start(session(), "cat; echo ended");
    run([&]() -> Task<void> {
      Reader reader = co_await attach(container);
      Writer writer = co_await write_to(container, encoding);
      ProcessIO heartbeat;
      heartbeat.set_type(ProcessIO::CONTROL);
      heartbeat.mutable_control()->set_type(ProcessIO::Control::HEARTBEAT);
      heartbeat.mutable_control()->mutable_heartbeat()->mutable_interval()->set_nanoseconds(1);
      co_await writer.send(heartbeat);
      co_await writer.send(stdin_data("a\n"));
      co_await reader.read_until_out("a\n");
      co_await writer.send(stdin_data("b\n"));
      co_await writer.send(stdin_data(""));
      co_await reader.read_until_out("ended\n");
      co_await writer.send(stdin_data(""));  // twice is no fault
      co_await writer.finish();
      co_await expect_answer(writer, 200);
      co_await finish(container);
      EXPECT_EQ((co_await reader.read_all()).out, "a\nb\nended\n");
    }());
  }
}

TEST_F(InputTest, IsExact) {
  std::string data;
  for (int i = 0; i < 8 << 20; ++i) data += static_cast<char>(i * 197 + i / 1009);
  for (Encoding encoding : {Encoding::kJson, Encoding::kProtobuf}) {
    Container& container = start("cat");
    run([&]() -> Task<void> {
      Reader reader = co_await attach(container);
      Writer writer = co_await write_to(container, encoding);
      co_await base::all_of(read_all(reader),
                            [](Writer& w, const std::string& d, Container& c) -> Task<void> {
                              co_await send_all(w, d, 100001);
                              co_await w.send(stdin_data(""));
                              co_await w.finish();
                              co_await expect_answer(w, 200);
                              co_await finish(c);
                            }(writer, data, container));
      EXPECT_TRUE(reader.output().out == data);
    }());
  }
}

TEST_F(InputTest, StaysOpenAfterARequestWithoutTheEnd) {
  Container& container = start(session(), "cat");
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container);
    for (const char* text : {"one\n", "two\n", "three\n"}) {
      Writer writer = co_await write_to(container);
      co_await writer.send(stdin_data(text));
      co_await writer.finish();
      co_await expect_answer(writer, 200);
      co_await reader.read_until_out(text);
    }
    Writer last = co_await write_to(container);
    co_await last.send(stdin_data(""));
    co_await finish(container);
    EXPECT_EQ((co_await reader.read_all()).out, "one\ntwo\nthree\n");
  }());
}

// Python clients make a first request with nothing in it, and at once the real one.
TEST_F(InputTest, MayBeOpenedTwiceInARow) {
  Container& container = start(session(), "cat");
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container);
    for (int i = 0; i < 50; ++i) {
      Writer empty = co_await write_to(container);
      co_await empty.finish();
      Writer real = co_await write_to(container);
      co_await real.send(stdin_data("x\n"));
      co_await real.finish();
      co_await base::all_of(expect_answer(empty, 200), expect_answer(real, 200));
    }
    // Also when the end of the first comes a little later than the beginning of the second.
    Writer empty = co_await write_to(container);
    Writer real = co_await write_to(container);
    co_await base::sleep_for(30ms);
    co_await empty.finish();
    co_await real.send(stdin_data(""));
    co_await real.finish();
    co_await base::all_of(expect_answer(empty, 200), expect_answer(real, 200));
    co_await finish(container);
    EXPECT_EQ((co_await reader.read_all()).out.size(), 100u);
  }());
}

TEST_F(InputTest, IsRefusedToASecondWriter) {
  Container& container = start(session(), "cat");
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container);
    Writer first = co_await write_to(container);
    co_await first.send(stdin_data("1\n"));
    co_await reader.read_until_out("1\n");
    Writer second = co_await write_to(container);
    co_await second.send(stdin_data("2\n"));
    co_await expect_answer(second, 409, "Multiple input connections are not allowed");
    co_await first.send(stdin_data("3\n"));
    co_await first.send(stdin_data(""));
    co_await finish(container);
    EXPECT_EQ((co_await reader.read_all()).out, "1\n3\n");
    co_await expect_answer(first, 200);
  }());
}

TEST_F(InputTest, IsFreeWhenTheWriterVanishes) {
  Container& container = start(session(), "cat");
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container);
    for (int i = 0; i < 20; ++i) {
      auto vanishes = std::make_unique<Writer>(co_await write_to(container));
      co_await vanishes->send(stdin_data("v\n"));
      const size_t written = static_cast<size_t>(i) * 4 + 2;
      co_await reader.read_until([&](const Output& o) { return o.out.size() == written; });
      vanishes.reset();
      Writer next = co_await write_to(container);
      co_await next.send(stdin_data("n\n"));
      co_await next.finish();
      co_await expect_answer(next, 200);
    }
    Writer last = co_await write_to(container);
    co_await last.send(stdin_data(""));
    co_await finish(container);
    std::string expected;
    for (int i = 0; i < 20; ++i) expected += "v\nn\n";
    EXPECT_EQ((co_await reader.read_all()).out, expected);
  }());
}

TEST_F(InputTest, IsFreeWhenTheWriterVanishesWhileNothingIsTaken) {
  Container& container = start("sleep 10");
  run([&]() -> Task<void> {
    auto vanishes = std::make_unique<Writer>(co_await write_to(container));
    const std::string data(8 << 20, 'x');
    EXPECT_FALSE(
        (co_await base::with_timeout(send_all(*vanishes, data, 65536), 200ms)).has_value());
    vanishes.reset();
    Writer next = co_await write_to(container);
    co_await next.finish();
    co_await expect_answer(next, 200);
  }());
}

TEST_F(InputTest, IsTakenAsFastAsTheCommandReads) {
  Container& container = start("sleep 10");
  run([&]() -> Task<void> {
    Writer writer = co_await write_to(container);
    size_t sent = 0;
    const auto send = [](Writer& w, size_t& n) -> Task<void> {
      for (;; n += 65536) co_await w.send(stdin_data(std::string(65536, 'x')));
    };
    co_await base::with_timeout(send(writer, sent), 300ms);
    EXPECT_GT(sent, 0u);
    EXPECT_LT(sent, 2u << 20);
  }());
}

TEST_F(InputTest, WaitsForOneWhoseBodyHasEnded) {
  Container& container = start(session(), "sleep 0.4; wc -c");
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container);
    Writer first = co_await write_to(container);
    // More than the pipe holds, so it is not written yet when the second comes.
    co_await send_all(first, std::string(100000, 'x'), 50000);
    co_await first.finish();
    Writer second = co_await write_to(container);
    co_await second.send(stdin_data("yyy"));
    co_await second.send(stdin_data(""));
    co_await second.finish();
    co_await base::all_of(expect_answer(first, 200), expect_answer(second, 200), finish(container));
    EXPECT_EQ((co_await reader.read_all()).out, "100003\n");
  }());
}

TEST_F(InputTest, FailsWhenTheCommandHasClosedIt) {
  Container& container = start(session(), "exec <&-; echo closed; sleep 10; echo never");
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container);
    co_await reader.read_until_out("closed\n");
    for (int i = 0; i < 2; ++i) {
      Writer writer = co_await write_to(container);
      co_await writer.send(stdin_data("x"));
      // Although the body has not ended.
      co_await expect_answer(writer, 500, "Failed writing to stdin: Broken pipe");
    }
    // The container lives on, and so does its output.
    EXPECT_FALSE((co_await base::with_timeout(reader.read_all(), 100ms)).has_value());
    container.command->kill();
    co_await finish(container);
    co_await reader.read_all();
    EXPECT_TRUE(reader.complete());
  }());
}

TEST_F(InputTest, FailsAfterItsEnd) {
  Container& container = start(session(), "cat; echo ended; sleep 10");
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container);
    Writer writer = co_await write_to(container);
    co_await writer.send(stdin_data(""));
    co_await reader.read_until_out("ended\n");
    co_await writer.send(stdin_data("x"));
    co_await expect_answer(writer, 500, "Failed writing to stdin: it was closed before");
  }());
}

TEST_F(InputTest, RefusesBadRecordsAtOnce) {
  Container& container = start(session(), "cat");
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container);
    ProcessIO bad = stdin_data("x");
    bad.mutable_data()->set_type(ProcessIO::Data::STDOUT);
    for (Encoding encoding : {Encoding::kJson, Encoding::kProtobuf}) {
      Writer writer = co_await write_to(container, encoding);
      co_await writer.send(stdin_data("before\n"));
      co_await writer.send(bad);
      co_await writer.send(stdin_data("after\n"));
      co_await expect_answer(writer, 400, "Expecting 'process_io.data.type' to be 'STDIN'");
    }
    Writer broken = co_await write_to(container);
    co_await broken.send_raw("zz\n{}");
    co_await expect_answer(
        broken, 400,
        "Decoder failure: Failed to decode length 'zz': Failed to convert 'zz' to number");
    Writer last = co_await write_to(container);
    co_await last.send(stdin_data(""));
    co_await finish(container);
    EXPECT_EQ((co_await reader.read_all()).out, "before\nbefore\n");
  }());
}

TEST_F(InputTest, CannotResizeWhatIsNoTerminal) {
  Container& container = start("sleep 10");
  run([&]() -> Task<void> {
    Writer writer = co_await write_to(container);
    co_await writer.send(window_size(40, 120));
    co_await expect_answer(writer, 400,
                           "Unable to set the window size: Inappropriate ioctl for device");
  }());
}

TEST_F(InputTest, EndsWithTheContainer) {
  Container& container = start("sleep 10");
  run([&]() -> Task<void> {
    Writer idle = co_await write_to(container);
    co_await idle.send(stdin_data("x"));
    co_await base::sleep_for(20ms);
    container.command->kill();
    co_await base::all_of(finish(container), expect_answer(idle, 200));
  }());
  Container& blocked = start("sleep 10");
  run([&]() -> Task<void> {
    Writer writer = co_await write_to(blocked);
    const std::string data(1 << 20, 'x');
    EXPECT_FALSE((co_await base::with_timeout(send_all(writer, data, 65536), 100ms)).has_value());
    // The command has ended, but somebody else holds the other end: the agent's word counts.
    co_await base::all_of(end(blocked), expect_answer(writer, 200));
  }());
}

TEST_F(InputTest, RefusesWhatItDoesNotKnow) {
  Container& container = start("sleep 10");
  const struct {
    const char* method;
    const char* path;
    http::Headers headers;
    int status;
  } cases[] = {
      {"GET", "/attach_container_output", {}, 405},
      {"POST", "/other", {}, 404},
      {"POST", "/attach_container_output", {{"Accept", "text/plain"}}, 406},
      {"POST", "/attach_container_input", {{"Content-Type", "application/recordio"}}, 415},
  };
  for (const auto& c : cases) {
    run([&]() -> Task<void> {
      auto connection = co_await connect_switchboard(container.directory);
      EXPECT_TRUE((co_await connection->send(c.method, c.path, c.headers)).has_value());
      const auto response = co_await connection->read_response();
      EXPECT_EQ(response.value().status, c.status) << c.path;
    }());
  }
}

}  // namespace
}  // namespace ioswitchboard_test
