// Containers with a terminal.
#include "tests/ioswitchboard/support.h"

namespace ioswitchboard_test {
namespace {

class TtyTest : public SwitchboardTest {
 protected:
  static ServerOptions tty_session() {
    ServerOptions options = terminal();
    options.wait_for_connection = true;
    return options;
  }
};

TEST_F(TtyTest, IsATerminal) {
  Container& container =
      start(tty_session(), "test -t 0 && test -t 1 && test -t 2 && tty; echo e >&2");
  EXPECT_TRUE(container.tty_slave_path.starts_with("/dev/pts/"));
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container);
    co_await finish(container);
    const Output output = co_await reader.read_all();
    EXPECT_EQ(output.out, container.tty_slave_path + "\r\ne\r\n");
    EXPECT_EQ(output.err, "");
    EXPECT_TRUE(reader.complete());
  }());
  EXPECT_EQ(container.out(), container.tty_slave_path + "\r\ne\r\n");
  EXPECT_EQ(container.err(), "");
}

TEST_F(TtyTest, HasItsWindowSizeFromTheStart) {
  SwitchboardOptions options = switchboard_options(tty_session());
  options.window_size = {33, 101};
  Container& container = start(options, "stty size");
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container);
    co_await finish(container);
    EXPECT_EQ((co_await reader.read_all()).out, "33 101\r\n");
  }());
}

TEST_F(TtyTest, IsResized) {
  for (Encoding encoding : {Encoding::kJson, Encoding::kProtobuf}) {
    Container& container =
        start(terminal(), "stty -echo; echo ready; while read x; do stty size; done");
    run([&]() -> Task<void> {
      Reader reader = co_await attach(container, Encoding::kProtobuf, true);
      Writer writer = co_await write_to(container, encoding);
      co_await eventually([&] { return container.out() == "ready\r\n"; });
      // First nothing, then the real size: known clients do that.
      co_await writer.send(window_size(0, 0));
      co_await writer.send(stdin_data("\n"));
      co_await writer.send(window_size(31, 99));
      co_await writer.send(stdin_data("\n"));
      // In order: the size is the new one when the line is read only if the line comes after it.
      co_await reader.read_until_out("31 99\r\n");
      co_await writer.finish();
      EXPECT_EQ(co_await writer.answer(), 200);
      container.command->kill();
      co_await finish(container);
    }());
    EXPECT_TRUE(container.out().starts_with("ready\r\n"));
    EXPECT_TRUE(container.out().ends_with("31 99\r\n"));
  }
}

TEST_F(TtyTest, GivesEverythingBeforeItsEnd) {
  // What the command writes last is still in the terminal when it ends.
  for (int i = 0; i < 10; ++i) {
    Container& container = start(tty_session(), "stty -onlcr; seq 1 2000; printf end");
    run([&]() -> Task<void> {
      Reader reader = co_await attach(container);
      Writer writer = co_await write_to(container);
      co_await base::all_of([](Reader& r) -> Task<void> { co_await r.read_all(); }(reader),
                            finish(container));
      EXPECT_TRUE(reader.output().out.ends_with("\n2000\nend")) << reader.output().out.size();
      EXPECT_TRUE(reader.complete());
      EXPECT_EQ(co_await writer.answer(), 200);
    }());
    EXPECT_TRUE(container.out().ends_with("\n2000\nend"));
  }
}

TEST_F(TtyTest, CarriesAnyBytesInRawMode) {
  std::string data;
  for (int i = 0; i < 4 << 20; ++i) data += static_cast<char>(i * 131 + i / 997);
  ASSERT_TRUE(base::write_file(scratch_ + "/data", data).has_value());
  Container& container = start(tty_session(), "stty raw -echo; cat " + scratch_ + "/data");
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container, Encoding::kJson);
    co_await base::all_of([](Reader& r) -> Task<void> { co_await r.read_all(); }(reader),
                          finish(container));
    EXPECT_TRUE(reader.output().out == data);
  }());
  EXPECT_TRUE(container.out() == data);
}

TEST_F(TtyTest, EchoesAndEndsInputWithEot) {
  Container& container = start(terminal(), "cat; echo ended");
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container);
    Writer writer = co_await write_to(container);
    co_await writer.send(stdin_data(""));  // means nothing here
    co_await writer.send(stdin_data("hello\n"));
    co_await reader.read_until_out("hello\r\nhello\r\n");
    co_await writer.send(stdin_data("\x04"));
    co_await finish(container);
    EXPECT_EQ((co_await reader.read_all()).out, "hello\r\nhello\r\nended\r\n");
    EXPECT_EQ(co_await writer.answer(), 200);
  }());
}

TEST_F(TtyTest, TakesALargePaste) {
  std::string data;
  for (int i = 0; i < 30000; ++i) data += base::concat("line ", i, "\n");
  Container& container = start(terminal(), "stty -echo -onlcr; echo ready; cat; echo ended");
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container, Encoding::kProtobuf);
    Writer writer = co_await write_to(container);
    co_await eventually([&] { return container.out().starts_with("ready"); });
    Task<void> paste = [](Writer& w, const std::string& d) -> Task<void> {
      for (size_t at = 0; at < d.size(); at += 50000) {
        co_await w.send(stdin_data(std::string_view(d).substr(at, 50000)));
      }
      co_await w.send(stdin_data("\x04"));
    }(writer, data);
    co_await base::all_of([](Reader& r) -> Task<void> { co_await r.read_all(); }(reader),
                          std::move(paste), finish(container));
    EXPECT_TRUE(reader.output().out.ends_with(data + "ended\n"));
  }());
}

TEST_F(TtyTest, MayBeClosedAndOpenedAgain) {
  Container& container =
      start(terminal(), "t=$(tty); echo one; exec <&- >&- 2>&-; sleep 0.3; echo two >$t; sleep 10");
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container, Encoding::kProtobuf);
    co_await reader.read_until_out("two\r\n");
    container.command->kill();
    co_await finish(container);
  }());
  EXPECT_EQ(container.out(), "one\r\ntwo\r\n");
}

TEST_F(TtyTest, MayBeClosedWhileTheCommandRunsOn) {
  Container& container = start(tty_session(), "echo one; exec <&- >&- 2>&-; sleep 10");
  run([&]() -> Task<void> {
    Reader reader = co_await attach(container);
    co_await reader.read_until_out("one\r\n");
    EXPECT_FALSE((co_await base::with_timeout(reader.read_all(), 200ms)).has_value());
    EXPECT_FALSE(reader.complete());
    container.command->kill();
    co_await finish(container);
    co_await reader.read_all();
    EXPECT_TRUE(reader.complete());
  }());
}

}  // namespace
}  // namespace ioswitchboard_test
