#include "base/bounded_work.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>

#include "base/fd.h"
#include "base/files.h"
#include "tests/base/loop_test.h"

namespace {

using base::BoundedWork;
using base::ErrorKind;
using base::Fd;
using base::run_bounded;
using base::Status;
using namespace std::chrono_literals;

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(0, pipe2(ends, O_CLOEXEC));
    out = Fd(ends[0]);
    in = Fd(ends[1]);
  }
  Fd out;
  Fd in;
};

// What comes up to the end, or up to a size; "nothing" if neither comes.
std::string read_some(int fd, size_t size = 100) {
  std::string read;
  while (read.size() < size) {
    pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
    if (poll(&wanted, 1, 20'000) != 1) return "nothing";
    char byte;
    if (::read(fd, &byte, 1) != 1) break;
    read += byte;
  }
  return read;
}

size_t threads() { return base::list_directory("/proc/self/task").value().size(); }

// Work that hangs until something is written to `hold`, and tells on `report` what becomes of it.
class BoundedWorkTest : public tests::LoopTest {
 protected:
  void TearDown() override {
    hold_.in.reset();
    await([this] { return threads() == threads_before_ && life_.expired(); });
  }

  BoundedWork hanging(Status end = {}) {
    auto life = std::make_shared<int>(0);
    life_ = life;
    BoundedWork work;
    work.run = [life, end, hold = hold_.out.get(),
                report = report_.in.get()](const std::stop_token& given_up) -> Status {
      char byte;
      [[maybe_unused]] ssize_t n = ::read(hold, &byte, 1);
      n = ::write(report, given_up.stop_requested() ? "late " : "in time ", 5);
      return end;
    };
    work.undo = [life, report = report_.in.get()] {
      [[maybe_unused]] const ssize_t n = ::write(report, "undone", 6);
    };
    work.descriptors = {report_.in.get(), hold_.out.get()};
    return work;
  }

  // Everything but what the threads have of it.
  void let_go_of_pipes() {
    hold_.out.reset();
    report_.in.reset();
  }

  const size_t threads_before_ = threads();
  Pipe hold_;
  Pipe report_;
  std::weak_ptr<int> life_;
};

TEST_F(BoundedWorkTest, GivesItsResult) {
  BoundedWork work;
  work.run = [](const std::stop_token&) { return Status(); };
  work.undo = [] { ADD_FAILURE() << "It was in time."; };
  EXPECT_TRUE(run_bounded(std::move(work), 20s));
  BoundedWork failing;
  failing.run = [](const std::stop_token&) -> Status {
    return base::fail(ErrorKind::kNotFound, "no");
  };
  const auto failed = run_bounded(std::move(failing), 20s);
  ASSERT_FALSE(failed);
  EXPECT_EQ(ErrorKind::kNotFound, failed.error().kind);
  EXPECT_EQ("no", failed.error().message);
}

TEST_F(BoundedWorkTest, WhatHangsIsGivenUp) {
  const auto given_up = run_bounded(hanging(), 10ms);
  ASSERT_FALSE(given_up);
  EXPECT_EQ(ErrorKind::kTimeout, given_up.error().kind);
  settle();  // the loop runs
  EXPECT_EQ(threads_before_ + 1, threads());
  // And others' work is done.
  BoundedWork other;
  other.run = [](const std::stop_token&) { return Status(); };
  EXPECT_TRUE(run_bounded(std::move(other), 20s));
}

TEST_F(BoundedWorkTest, WhatSucceedsTooLateIsUndone) {
  EXPECT_FALSE(run_bounded(hanging(), 10ms));
  let_go_of_pipes();
  hold_.in.reset();
  EXPECT_EQ("late undone", read_some(report_.out.get()));
}

TEST_F(BoundedWorkTest, WhatFailsLateLeavesNothingToUndo) {
  EXPECT_FALSE(run_bounded(hanging(base::fail("no")), 10ms));
  let_go_of_pipes();
  hold_.in.reset();
  EXPECT_EQ("late ", read_some(report_.out.get()));
}

TEST_F(BoundedWorkTest, NotTooManyHang) {
  for (size_t i = 0; i < base::kMostHanging; ++i) EXPECT_FALSE(run_bounded(hanging(), 1ms));
  const auto work = [] {
    BoundedWork other;
    other.run = [](const std::stop_token&) { return Status(); };
    return other;
  };
  const auto refused = run_bounded(work(), 20s);
  ASSERT_FALSE(refused);
  EXPECT_EQ(ErrorKind::kTimeout, refused.error().kind);
  EXPECT_EQ(threads_before_ + base::kMostHanging, threads());
  hold_.in.reset();
  await([this] { return threads() == threads_before_; });
  EXPECT_TRUE(run_bounded(work(), 20s));
}

// A connection whose end its client waits for, say, or the lock of a directory that the next agent
// wants.
TEST_F(BoundedWorkTest, WhatHangsKeepsNothingElseOpen) {
  Pipe other;
  const Pipe lower = std::exchange(other, Pipe());
  EXPECT_FALSE(run_bounded(hanging(), 10ms));
  other.in.reset();
  EXPECT_EQ("", read_some(other.out.get()));
  // And what is closed there stays open here.
  EXPECT_EQ(1, ::write(lower.in.get(), "x", 1));
  EXPECT_EQ("x", read_some(lower.out.get(), 1));
}

}  // namespace
