#include "containerizer/checkpoint.h"

#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"
#include "proto/internal/checkpoint.pb.h"
#include "tests/scratch.h"

namespace {

using base::concat;
using containerizer::ProcessRecord;
using containerizer::read_checkpoint;
using containerizer::read_live_process;
using containerizer::write_checkpoint;
using containerizer::write_process;
using mesosagent::internal::ContainerConfig;
using mesosagent::internal::ContainerTermination;

ContainerConfig make_config() {
  ContainerConfig config;
  config.mutable_container_id()->set_value("child");
  config.mutable_container_id()->mutable_parent()->set_value("root");
  config.set_container_class(ContainerConfig::DEBUG);
  config.mutable_command_info()->set_value(std::string("echo \u00e9\n"));
  (*config.mutable_limits())["mem"].set_value(64);
  config.set_directory("/work_dir/containers/root/containers/child");
  config.set_user("nobody");
  return config;
}

class Checkpoint : public testing::Test {
 protected:
  // What reading this content says; empty if it is read.
  std::string refusal(std::string_view content) {
    EXPECT_TRUE(base::write_file(path_, content));
    ContainerConfig read;
    auto status = read_checkpoint(path_, &read);
    return status ? "" : status.error().message;
  }

  const tests::ScratchDirectory scratch_;
  const std::string path_ = scratch_ / "config";
  // Protobuf itself would report every damaged message to stderr.
  const google::protobuf::LogSilencer quiet_;
};

TEST_F(Checkpoint, RoundTrip) {
  const ContainerConfig config = make_config();
  ASSERT_TRUE(write_checkpoint(path_, config));
  ContainerConfig read;
  const auto status = read_checkpoint(path_, &read);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(config.DebugString(), read.DebugString());
}

TEST_F(Checkpoint, AMessageOfNoBytes) {
  ASSERT_TRUE(write_checkpoint(path_, ContainerTermination()));
  EXPECT_EQ(std::string(4, '\0'), base::read_file(path_).value());
  ContainerTermination read;
  read.set_status(1);
  ASSERT_TRUE(read_checkpoint(path_, &read));
  EXPECT_FALSE(read.has_status());
}

TEST_F(Checkpoint, IsReplacedAsAWhole) {
  ContainerConfig config = make_config();
  config.set_user(std::string(10'000, 'x'));
  ASSERT_TRUE(write_checkpoint(path_, config));
  ASSERT_TRUE(write_checkpoint(path_, make_config()));
  ContainerConfig read;
  ASSERT_TRUE(read_checkpoint(path_, &read));
  EXPECT_EQ("nobody", read.user());
  // And nothing is left beside it.
  EXPECT_EQ(std::vector<std::string>{"config"}, base::list_directory(scratch_.path()).value());
}

// A record that cannot be read again is not written in the first place.
TEST_F(Checkpoint, WithoutARequiredField) {
  ContainerConfig config;
  config.set_user("nobody");
  auto written = write_checkpoint(path_, config);
  ASSERT_FALSE(written.has_value());
  EXPECT_TRUE(written.error().message.starts_with(
      concat("Cannot write '", path_, "': the message is incomplete: ")))
      << written.error().message;
  EXPECT_FALSE(base::path_exists(path_));
}

TEST_F(Checkpoint, MissingFile) {
  ContainerConfig read;
  auto status = read_checkpoint(path_, &read);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(base::ErrorKind::kNotFound, status.error().kind);
}

// As after a crash in the middle of writing, or on a disk that was full.
TEST_F(Checkpoint, EveryCutIsRefused) {
  ASSERT_TRUE(write_checkpoint(path_, make_config()));
  const std::string content = base::read_file(path_).value();
  for (size_t size = 0; size < content.size(); ++size) {
    const std::string why = size < 4 ? "cut short" : "damaged";
    EXPECT_EQ(concat("'", path_, "' is ", why), refusal(content.substr(0, size))) << size;
  }
  EXPECT_EQ("", refusal(content));
  EXPECT_EQ(concat("'", path_, "' is damaged"), refusal(content + "x"));
}

TEST_F(Checkpoint, GarbledContent) {
  const auto with_size = [](uint32_t size, std::string_view bytes) {
    std::string content(sizeof(size), '\0');
    std::memcpy(content.data(), &size, sizeof(size));
    return content.append(bytes);
  };
  const std::string damaged = concat("'", path_, "' is damaged");
  EXPECT_EQ(damaged, refusal(with_size(3, "\xff\xff\xff")));
  EXPECT_EQ(damaged, refusal(with_size(0xffffffff, "")));
  EXPECT_EQ(damaged, refusal(with_size(0x7fffffff, "abc")));
  EXPECT_EQ(damaged, refusal("not a record at all"));
  // A message, but of another kind: the required id is missing.
  EXPECT_EQ(damaged, refusal(with_size(0, "")));
  // Zeros, as some file systems leave after a power loss.
  EXPECT_EQ(damaged, refusal(std::string(100, '\0')));

  // A flipped bit may go unnoticed, but is harmless.
  ASSERT_TRUE(write_checkpoint(path_, make_config()));
  const std::string content = base::read_file(path_).value();
  for (size_t bit = 0; bit < content.size() * 8; ++bit) {
    std::string flipped = content;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    (void)refusal(flipped);
  }
}

// A process that stands still until it is destroyed.
class Child {
 public:
  Child() : pid_(fork()) {
    if (pid_ == 0) {
      while (true) pause();
    }
  }
  ~Child() { end(); }
  pid_t pid() const { return pid_; }
  void end() {
    if (std::exchange(ended_, true)) return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

 private:
  const pid_t pid_;
  bool ended_ = false;
};

TEST_F(Checkpoint, LiveProcess) {
  Child child;
  const uint64_t start_time = base::process_start_time(child.pid()).value();
  ASSERT_TRUE(write_process(path_, {child.pid(), start_time}));
  EXPECT_EQ(child.pid(), read_live_process(path_));
  child.end();
  EXPECT_EQ(std::nullopt, read_live_process(path_));
}

// The pid was given to another process since.
TEST_F(Checkpoint, ProcessWithAnotherStartTime) {
  const Child child;
  const uint64_t start_time = base::process_start_time(child.pid()).value();
  for (const uint64_t other : {start_time - 1, start_time + 1, uint64_t{0}}) {
    ASSERT_TRUE(write_process(path_, {child.pid(), other}));
    EXPECT_EQ(std::nullopt, read_live_process(path_)) << other;
  }
}

TEST_F(Checkpoint, DamagedProcessRecords) {
  EXPECT_EQ(std::nullopt, read_live_process(path_));
  const pid_t self = getpid();
  const uint64_t start_time = base::process_start_time(self).value();
  ASSERT_TRUE(base::write_file(path_, concat(self, " ", start_time, "\n")));
  EXPECT_EQ(self, read_live_process(path_));
  const uint64_t init_start = base::process_start_time(1).value_or(0);
  for (const std::string& content :
       {std::string(), std::string(" "), concat(self), concat(self, " "), concat(" ", start_time),
        concat(self, " ", start_time, " 1"), concat(self, "x ", start_time),
        concat("-", self, " ", start_time), concat("0 ", start_time), concat("-1 ", start_time),
        concat("1 ", init_start), concat("99999999999999999999 ", start_time),
        std::string(40, '\0')}) {
    ASSERT_TRUE(base::write_file(path_, content));
    EXPECT_EQ(std::nullopt, read_live_process(path_)) << content;
  }
}

}  // namespace
