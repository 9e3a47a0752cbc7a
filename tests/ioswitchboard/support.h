// For tests with real switchboard processes and real commands.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/process.h"
#include "base/spawn.h"
#include "base/strings.h"
#include "http/recordio.h"
#include "ioswitchboard/attach.h"
#include "ioswitchboard/client.h"
#include "ioswitchboard/launch.h"
#include "proto/json_write.h"
#include "tests/base/loop_test.h"
#include "tests/ioswitchboard/decode.h"

namespace ioswitchboard_test {

using namespace ioswitchboard;
using namespace std::chrono_literals;
using base::Task;
using mesos::v1::agent::Call;

#if __has_feature(address_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// The children that are to be killed when a test is aborted, by its watchdog for example: nothing
// is destroyed then.
class Orphans {
 public:
  static void add(pid_t pid) {
    signal(SIGABRT, kill_all);
    signal(SIGTERM, kill_all);
    replace(0, pid);
  }
  static void remove(pid_t pid) { replace(pid, 0); }

 private:
  static void replace(pid_t old, pid_t pid) {
    for (auto& slot : pids_) {
      pid_t expected = old;
      if (slot.compare_exchange_strong(expected, pid)) return;
    }
  }
  static void kill_all(int number) {
    for (auto& slot : pids_) {
      if (const pid_t pid = slot.load(); pid > 0) ::kill(pid, SIGKILL);
    }
    signal(number, SIG_DFL);
    raise(number);
  }

  static inline std::array<std::atomic<pid_t>, 512> pids_{};
};

// A child process that does not survive the test.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid), pidfd_(base::open_pidfd(pid).value()) {
    Orphans::add(pid);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ < 0) return;
    kill();
    siginfo_t info{};
    waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED);
    Orphans::remove(pid_);
  }

  pid_t pid() const { return pid_; }
  void signal(int number) { [[maybe_unused]] auto sent = base::send_signal(pidfd_.get(), number); }
  void kill() { signal(SIGKILL); }

  // The raw status.
  Task<int> exit() {
    const auto status = co_await base::wait_for_exit(pidfd_.get());
    Orphans::remove(std::exchange(pid_, -1));
    co_return status.value().value();
  }

 private:
  pid_t pid_;
  base::Fd pidfd_;
};

// One attached reader.
class Reader {
 public:
  Reader(Attached attached, Encoding encoding)
      : attached_(std::move(attached)), encoding_(encoding) {}

  http::ClientResponse& response() { return attached_.response; }

  // The rest of the stream.
  Task<Output> read_all() {
    while (co_await read_more()) {
    }
    co_return output_;
  }

  // Until the condition holds for what has come, or the stream ends.
  template <typename Condition>
  Task<Output> read_until(Condition condition) {
    while (!condition(output_) && co_await read_more()) {
    }
    co_return output_;
  }
  Task<Output> read_until_out(std::string text) {
    return read_until([text = std::move(text)](const Output& output) {
      return output.out.find(text) != std::string::npos;
    });
  }

  // Waits for more; false at the end.
  Task<bool> read_more() {
    const auto buffer = std::make_unique<char[]>(kPiece);
    const auto n = co_await attached_.response.read_some({buffer.get(), kPiece});
    broken_ = !n;
    if (!n || *n == 0) co_return false;
    decoder_.feed({buffer.get(), *n});
    while (true) {
      const auto record = decoder_.next();
      EXPECT_TRUE(record.has_value());
      if (!record || !*record) co_return record.has_value();
      output_.add(decode_record(encoding_, **record));
    }
  }

  // What has been read.
  Output& output() { return output_; }

  // As the agent does for a client that has done so.
  void half_close() { attached_.connection.finish_sending(); }

  // Whether the stream has ended with the last chunk, or without it.
  bool complete() const { return attached_.response.complete(); }
  bool broken() const { return broken_; }

 private:
  static constexpr size_t kPiece = 64 * 1024;

  Attached attached_;
  Encoding encoding_;
  http::RecordDecoder decoder_{1 << 20};
  Output output_;
  bool broken_ = false;
};

// Records of the input, without their framing.
inline std::string encode_call(Encoding encoding, const ProcessIO& io) {
  Call call;
  call.set_type(Call::ATTACH_CONTAINER_INPUT);
  call.mutable_attach_container_input()->set_type(Call::AttachContainerInput::PROCESS_IO);
  *call.mutable_attach_container_input()->mutable_process_io() = io;
  if (encoding == Encoding::kProtobuf) return call.SerializeAsString();
  std::string text;
  proto::append_json(call, &text);
  return text;
}

inline ProcessIO stdin_data(std::string_view data) {
  ProcessIO io;
  io.set_type(ProcessIO::DATA);
  io.mutable_data()->set_type(ProcessIO::Data::STDIN);
  io.mutable_data()->set_data(std::string(data));
  return io;
}

inline ProcessIO window_size(uint32_t rows, uint32_t columns) {
  ProcessIO io;
  io.set_type(ProcessIO::CONTROL);
  io.mutable_control()->set_type(ProcessIO::Control::TTY_INFO);
  auto* size = io.mutable_control()->mutable_tty_info()->mutable_window_size();
  size->set_rows(rows);
  size->set_columns(columns);
  return io;
}

// One input request.
class Writer {
 public:
  Writer(http::ClientConnection connection, Encoding encoding)
      : connection_(std::move(connection)), encoding_(encoding) {}

  Task<bool> send(ProcessIO io) { return send_raw(framed(encode_call(encoding_, io))); }
  Task<bool> send_raw(std::string bytes) {
    co_return (co_await connection_.write(bytes)).has_value();
  }
  Task<void> finish() { [[maybe_unused]] const auto finished = co_await connection_.finish(); }

  // The response's status; 0 if there is none.
  Task<int> answer() {
    auto response = co_await connection_.read_response();
    if (!response) co_return 0;
    text_ = (co_await http::read_all(*response, 65536)).value_or("");
    co_return response->status;
  }
  const std::string& text() const { return text_; }

 private:
  static std::string framed(std::string_view record) {
    std::string bytes;
    http::append_record(record, &bytes);
    return bytes;
  }

  http::ClientConnection connection_;
  Encoding encoding_;
  std::string text_;
};

// A switchboard and the command whose stdio it has.
struct Container {
  std::string directory;
  std::string tty_slave_path;
  std::unique_ptr<Child> switchboard;
  std::unique_ptr<Child> command;
  base::Fd stdin_fd;
  base::Fd stdout_fd;
  base::Fd stderr_fd;

  std::string out() const { return base::read_file(directory + ".stdout").value_or("none"); }
  std::string err() const { return base::read_file(directory + ".stderr").value_or("none"); }
};

class SwitchboardTest : public tests::LoopTest {
 protected:
  void SetUp() override {
    std::string path = testing::TempDir() + "switchboardXXXXXX";
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    scratch_ = path;
  }

  void TearDown() override {
    std::vector<pid_t> pids;
    for (const auto& container : containers_) {
      if (container->switchboard) pids.push_back(container->switchboard->pid());
      if (container->command) pids.push_back(container->command->pid());
    }
    containers_.clear();
    for (pid_t pid : pids) {
      if (pid > 0) EXPECT_EQ(::kill(pid, 0), -1) << pid << " is left";
    }
    ASSERT_TRUE(base::remove_tree(scratch_).has_value());
  }

  static ServerOptions session() {
    ServerOptions options;
    options.wait_for_connection = true;
    return options;
  }
  static ServerOptions terminal() {
    ServerOptions options;
    options.tty = true;
    return options;
  }

  SwitchboardOptions switchboard_options(ServerOptions server = {}) {
    const std::string name = base::concat(scratch_, "/", count_++);
    server.directory = name;
    return {.program = SWITCHBOARD_PROGRAM,
            .server = std::move(server),
            .window_size = {},
            .stdout_path = name + ".stdout",
            .stderr_path = name + ".stderr",
            .uid = {},
            .gid = {}};
  }

  // Starts a switchboard, and `command` with a shell, if there is one, as its container.
  Container& start(SwitchboardOptions options, const std::string& command = {}) {
    auto started = start_switchboard(options);
    if (!started) give_up(started.error());
    auto container = std::make_unique<Container>();
    container->directory = options.server.directory;
    container->tty_slave_path = started->tty_slave_path;
    container->switchboard = std::make_unique<Child>(started->process.pid);
    container->stdin_fd = std::move(started->stdin_fd);
    container->stdout_fd = std::move(started->stdout_fd);
    container->stderr_fd = std::move(started->stderr_fd);
    containers_.push_back(std::move(container));
    if (!command.empty()) launch(*containers_.back(), command);
    return *containers_.back();
  }
  Container& start(const std::string& command) { return start(switchboard_options(), command); }
  Container& start(ServerOptions server, const std::string& command = {}) {
    return start(switchboard_options(std::move(server)), command);
  }

  // The container's side is with the command then, and with nobody else.
  void launch(Container& container, const std::string& command) {
    auto pid = base::spawn_process({.path = "/bin/sh",
                                    .argv = {"sh", "-c", command},
                                    .environment = {"PATH=/usr/bin:/bin"},
                                    .fds = {{container.stdin_fd.get(), 0},
                                            {container.stdout_fd.get(), 1},
                                            {container.stderr_fd.get(), 2}},
                                    .new_session = true});
    ASSERT_TRUE(pid.has_value()) << pid.error().message;
    container.command = std::make_unique<Child>(*pid);
    container.stdin_fd.reset();
    container.stdout_fd.reset();
    container.stderr_fd.reset();
  }

  static Task<Reader> attach(Container& container, Encoding encoding = Encoding::kProtobuf,
                             bool replay = false) {
    auto attached = co_await attach_output(container.directory, {encoding, true}, replay);
    if (!attached) give_up(attached.error());
    EXPECT_EQ(attached->response.status, 200);
    co_return Reader(*std::move(attached), encoding);
  }

  static Task<Writer> write_to(Container& container, Encoding encoding = Encoding::kProtobuf) {
    auto connection = co_await connect_switchboard(container.directory);
    if (!connection) give_up(connection.error());
    const auto sent = co_await connection->send_head(
        "POST", kInputPath,
        {{"Content-Type", std::string(kRecordIoType)},
         {"Message-Content-Type", std::string(media_type(encoding))}},
        http::BodyKind::kChunked);
    EXPECT_TRUE(sent.has_value());
    co_return Writer(*std::move(connection), encoding);
  }

  // The agent's word that the container is over; the switchboard must then exit with 0.
  static Task<void> end(Container& container) {
    container.switchboard->signal(SIGTERM);
    EXPECT_EQ(co_await container.switchboard->exit(), 0);
  }

  // Without this a test makes no sense.
  [[noreturn]] static void give_up(const base::Error& error) {
    std::fprintf(stderr, "%s\n", error.message.c_str());
    std::abort();
  }

  // As the agent does: waits for the command, then ends the switchboard.
  static Task<void> finish(Container& container) {
    co_await container.command->exit();
    co_await end(container);
  }

  template <typename Condition>
  static Task<void> eventually(Condition condition) {
    for (int i = 0; i < 1000 && !condition(); ++i) co_await base::sleep_for(5ms);
    EXPECT_TRUE(condition());
  }

  std::string scratch_;

 private:
  int count_ = 0;
  std::vector<std::unique_ptr<Container>> containers_;
};

}  // namespace ioswitchboard_test
