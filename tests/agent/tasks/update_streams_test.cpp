#include "agent/tasks/update_streams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>

#include "agent/meta/update_log.h"
#include "base/files.h"
#include "tests/base/scratch_loop_test.h"

namespace {

using agent::UpdateStreams;
using base::ErrorKind;
using mesos::internal::StatusUpdate;
using mesos::internal::StatusUpdateRecord;
using mesos::v1::TASK_FINISHED;
using mesos::v1::TASK_RUNNING;
using mesos::v1::TASK_STARTING;
using testing::ElementsAre;
using testing::IsEmpty;
using namespace std::chrono_literals;

StatusUpdate update_of(const std::string& task, const std::string& uuid,
                       mesos::v1::TaskState state = TASK_RUNNING,
                       const std::string& framework = "f") {
  StatusUpdate update;
  update.mutable_framework_id()->set_value(framework);
  update.mutable_status()->mutable_task_id()->set_value(task);
  update.mutable_status()->set_state(state);
  update.set_timestamp(1);
  update.set_uuid(uuid);
  return update;
}

class Streams : public tests::ScratchLoopTest {
 protected:
  // The uuids that were sent since the last call.
  std::vector<std::string> sent() { return std::exchange(sent_, {}); }

  std::unique_ptr<UpdateStreams> make(agent::RetryIntervals intervals = {}) {
    return std::make_unique<UpdateStreams>(
        [this](const StatusUpdate& update) { sent_.push_back(update.uuid()); }, intervals);
  }

  void add(const StatusUpdate& update, const std::optional<std::string>& log = std::nullopt,
           UpdateStreams::Added expected = UpdateStreams::Added::kNew) {
    const auto added = streams_->add(update, log);
    ASSERT_TRUE(added.has_value()) << added.error().message;
    EXPECT_EQ(expected, *added);
  }

  void acknowledge(const std::string& task, const std::string& uuid, bool terminal = false) {
    const auto acknowledged = streams_->acknowledge("f", task, uuid);
    ASSERT_TRUE(acknowledged.has_value()) << acknowledged.error().message;
    EXPECT_EQ(uuid, acknowledged->update.uuid());
    EXPECT_EQ(terminal, acknowledged->terminal);
  }

  // As after a restart.
  void restart(const std::string& task, const std::string& log) {
    streams_ = make();
    const auto history = agent::read_update_log<StatusUpdateRecord>(log);
    ASSERT_TRUE(history.has_value()) << history.error().message;
    const auto recovered =
        streams_->recover("f", task, log, history->updates, history->acknowledged);
    ASSERT_TRUE(recovered.has_value()) << recovered.error().message;
  }

  std::vector<std::string> pending(const std::string& task) {
    std::vector<std::string> uuids;
    for (const auto& update : streams_->pending("f", task)) uuids.push_back(update.uuid());
    return uuids;
  }

  std::string log_ = scratch_ / "tasks/t/task.updates";
  std::vector<std::string> sent_;
  std::unique_ptr<UpdateStreams> streams_ = make();
};

TEST_F(Streams, OneUpdateAtATimeInTheOrderOfTheirComing) {
  streams_->resume();
  add(update_of("t", "1", TASK_STARTING));
  add(update_of("t", "2"));
  add(update_of("t", "3", TASK_FINISHED));
  EXPECT_THAT(sent(), ElementsAre("1"));
  EXPECT_EQ("1", streams_->head("f", "t")->uuid());
  EXPECT_THAT(pending("t"), ElementsAre("1", "2", "3"));
  acknowledge("t", "1");
  EXPECT_THAT(sent(), ElementsAre("2"));
  acknowledge("t", "2");
  EXPECT_THAT(sent(), ElementsAre("3"));
  acknowledge("t", "3", true);
  EXPECT_THAT(sent(), IsEmpty());
  EXPECT_EQ(0U, streams_->streams());
  EXPECT_EQ(nullptr, streams_->head("f", "t"));
}

TEST_F(Streams, TasksDoNotWaitForEachOther) {
  streams_->resume();
  add(update_of("a", "1"));
  add(update_of("b", "2"));
  add(update_of("a", "3", TASK_RUNNING, "g"));
  EXPECT_THAT(sent(), ElementsAre("1", "2", "3"));
}

TEST_F(Streams, NothingIsSentBeforeResume) {
  add(update_of("a", "1"));
  add(update_of("b", "2"));
  EXPECT_THAT(sent(), IsEmpty());
  streams_->resume();
  EXPECT_THAT(sent(), ElementsAre("1", "2"));
  streams_->pause();
  acknowledge("a", "1");
  add(update_of("a", "3"));
  EXPECT_THAT(sent(), IsEmpty());
  streams_->resume();
  streams_->resume();
  EXPECT_THAT(sent(), ElementsAre("3", "2", "3", "2"));
}

TEST_F(Streams, DuplicatesAreKnownEvenAcknowledged) {
  streams_->resume();
  for (const std::optional<std::string>& log :
       {std::optional<std::string>(), std::optional(log_)}) {
    const std::string task = log ? "logged" : "not";
    add(update_of(task, "1"), log);
    add(update_of(task, "1"), log, UpdateStreams::Added::kDuplicate);
    acknowledge(task, "1");
    add(update_of(task, "1"), log, UpdateStreams::Added::kDuplicate);
    EXPECT_THAT(sent(), ElementsAre("1"));
  }
}

// The executor has not heard that its last update was taken, and sends it again after a restart.
TEST_F(Streams, DuplicatesAreKnownAfterTheStreamHasEnded) {
  streams_->resume();
  add(update_of("t", "1", TASK_FINISHED), log_);
  acknowledge("t", "1", true);
  const auto size = std::filesystem::file_size(log_);
  add(update_of("t", "1", TASK_FINISHED), log_, UpdateStreams::Added::kDuplicate);
  restart("t", log_);
  EXPECT_EQ(0U, streams_->streams());
  streams_->resume();
  add(update_of("t", "1", TASK_FINISHED), log_, UpdateStreams::Added::kDuplicate);
  EXPECT_EQ(0U, streams_->streams());
  EXPECT_EQ(size, std::filesystem::file_size(log_));
  EXPECT_THAT(sent(), ElementsAre("1"));
}

TEST_F(Streams, RefusesWhatItCannotTake) {
  const auto without_uuid = streams_->add(update_of("t", ""), std::nullopt);
  ASSERT_FALSE(without_uuid.has_value());
  EXPECT_EQ(ErrorKind::kInvalid, without_uuid.error().kind);

  add(update_of("t", "1"));
  const auto logged = streams_->add(update_of("t", "2"), log_);
  ASSERT_FALSE(logged.has_value());
  EXPECT_EQ(ErrorKind::kConflict, logged.error().kind);
  EXPECT_FALSE(base::path_exists(log_));

  add(update_of("u", "1"), log_);
  const auto not_logged = streams_->add(update_of("u", "2"), std::nullopt);
  ASSERT_FALSE(not_logged.has_value());
  EXPECT_EQ(ErrorKind::kConflict, not_logged.error().kind);
  EXPECT_THAT(pending("u"), ElementsAre("1"));
}

TEST_F(Streams, AcknowledgesOnlyTheHead) {
  streams_->resume();
  add(update_of("t", "1"));
  add(update_of("t", "2"));
  for (const char* uuid : {"2", "3", ""}) {
    const auto acknowledged = streams_->acknowledge("f", "t", uuid);
    ASSERT_FALSE(acknowledged.has_value());
    EXPECT_EQ(ErrorKind::kConflict, acknowledged.error().kind);
  }
  acknowledge("t", "1");
  EXPECT_EQ(ErrorKind::kConflict, streams_->acknowledge("f", "t", "1").error().kind);
  EXPECT_EQ(ErrorKind::kNotFound, streams_->acknowledge("f", "u", "1").error().kind);
  EXPECT_EQ(ErrorKind::kNotFound, streams_->acknowledge("g", "t", "2").error().kind);
}

TEST_F(Streams, WhatComesAfterTheEndIsDropped) {
  streams_->resume();
  add(update_of("t", "1", TASK_FINISHED));
  add(update_of("t", "2"));
  acknowledge("t", "1", true);
  EXPECT_THAT(sent(), ElementsAre("1"));
  EXPECT_EQ(0U, streams_->streams());
}

TEST_F(Streams, DropsTheStreamsOfAFramework) {
  streams_->resume();
  add(update_of("a", "1"));
  add(update_of("b", "2"));
  add(update_of("a", "3", TASK_RUNNING, "f2"));
  add(update_of("a", "4", TASK_RUNNING, "e"));
  streams_->drop_framework("f");
  EXPECT_EQ(nullptr, streams_->head("f", "a"));
  EXPECT_EQ(nullptr, streams_->head("f", "b"));
  EXPECT_EQ("3", streams_->head("f2", "a")->uuid());
  EXPECT_EQ("4", streams_->head("e", "a")->uuid());
  streams_->drop("e", "a");
  EXPECT_EQ(1U, streams_->streams());
}

TEST_F(Streams, CallbackMayAcknowledge) {
  UpdateStreams* self = nullptr;
  std::vector<std::string> seen;
  UpdateStreams streams([&](const StatusUpdate& update) {
    seen.push_back(update.uuid());
    const auto task = update.status().task_id().value();
    EXPECT_TRUE(self->acknowledge("f", task, update.uuid()).has_value());
  });
  self = &streams;
  ASSERT_TRUE(streams.add(update_of("a", "1"), {}).has_value());
  ASSERT_TRUE(streams.add(update_of("a", "2", TASK_FINISHED), {}).has_value());
  ASSERT_TRUE(streams.add(update_of("b", "3", TASK_FINISHED), {}).has_value());
  streams.resume();
  EXPECT_THAT(seen, ElementsAre("1", "2", "3"));
  EXPECT_EQ(0U, streams.streams());
}

TEST_F(Streams, SendsAgainAtIntervalsThatDouble) {
  std::vector<std::chrono::steady_clock::time_point> times;
  UpdateStreams streams(
      [&](const StatusUpdate&) { times.push_back(std::chrono::steady_clock::now()); },
      {.first = 10ms, .longest = 40ms});
  ASSERT_TRUE(streams.add(update_of("t", "1"), {}).has_value());
  streams.resume();
  await([&] { return times.size() >= 6; });
  constexpr std::chrono::milliseconds kLeast[] = {10ms, 20ms, 40ms, 40ms, 40ms};
  for (size_t i = 0; i < std::size(kLeast); ++i) EXPECT_GE(times[i + 1] - times[i], kLeast[i]);
}

TEST_F(Streams, AnAcknowledgedOrPausedUpdateIsNotSentAgain) {
  streams_ = make({.first = 5ms, .longest = 5ms});
  streams_->resume();
  add(update_of("t", "1"));
  add(update_of("u", "2"));
  await([&] { return sent_.size() >= 6; });
  acknowledge("t", "1");
  sent();
  await([&] { return sent_.size() >= 3; });
  EXPECT_THAT(sent(), testing::Each("2"));
  streams_->pause();
  settle();
  EXPECT_THAT(sent(), IsEmpty());
  streams_->resume();
  await([&] { return sent_.size() >= 2; });
  EXPECT_THAT(sent(), testing::Each("2"));
}

// A stream whose interval is short by now must not wait for one that is waiting long.
TEST_F(Streams, ANewStreamDoesNotWaitForTheIntervalsOfOthers) {
  streams_ = make({.first = 20ms, .longest = 10min});
  streams_->resume();
  add(update_of("old", "1"));
  await([&] { return sent_.size() >= 4; });  // the next interval is 160 ms
  sent();
  add(update_of("new", "2"));
  await([&] { return sent_.size() >= 2; });
  EXPECT_THAT(sent(), ElementsAre("2", "2"));
}

TEST_F(Streams, RecoversWhatIsNotAcknowledged) {
  streams_->resume();
  add(update_of("t", "1", TASK_STARTING), log_);
  add(update_of("t", "2"), log_);
  acknowledge("t", "1");
  add(update_of("t", "3", TASK_FINISHED), log_);
  sent();
  restart("t", log_);
  EXPECT_THAT(pending("t"), ElementsAre("2", "3"));
  EXPECT_THAT(sent(), IsEmpty());
  streams_->resume();
  EXPECT_THAT(sent(), ElementsAre("2"));
  add(update_of("t", "1", TASK_STARTING), log_, UpdateStreams::Added::kDuplicate);
  acknowledge("t", "2");
  acknowledge("t", "3", true);
  restart("t", log_);
  EXPECT_EQ(0U, streams_->streams());
}

TEST_F(Streams, RecoversOnce) {
  ASSERT_TRUE(streams_->recover("f", "t", log_, {update_of("t", "1")}, {}).has_value());
  const auto again = streams_->recover("f", "t", log_, {}, {});
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(ErrorKind::kAlreadyExists, again.error().kind);
}

TEST_F(Streams, ReplayStopsAtTheFirstTerminalUpdate) {
  add(update_of("t", "1", TASK_FINISHED), log_);
  add(update_of("t", "2"), log_);
  acknowledge("t", "1", true);
  restart("t", log_);
  EXPECT_EQ(0U, streams_->streams());
}

// Cuts the log at every byte, as a crash can, goes on from there, and restarts once more.
TEST_F(Streams, NoUpdateIsLostWhereverTheLogIsCut) {
  struct Step {
    size_t size;
    std::vector<std::string> pending;
  };
  std::vector<Step> steps{{0, {}}};
  const auto note = [&] { steps.push_back({std::filesystem::file_size(log_), pending("t")}); };
  add(update_of("t", "1", TASK_STARTING), log_);
  note();
  add(update_of("t", "2"), log_);
  note();
  acknowledge("t", "1");
  note();
  add(update_of("t", "3"), log_);
  note();
  acknowledge("t", "2");
  note();
  add(update_of("t", "4", TASK_FINISHED), log_);
  note();
  acknowledge("t", "3");
  note();
  acknowledge("t", "4", true);
  note();
  const std::string whole = *base::read_file(log_);
  ASSERT_EQ(whole.size(), steps.back().size);

  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    SCOPED_TRACE(cut);
    ASSERT_TRUE(base::write_file(log_, whole.substr(0, cut)).has_value());
    restart("t", log_);
    const Step* last = &steps[0];
    for (const Step& step : steps) {
      if (step.size <= cut) last = &step;
    }
    EXPECT_EQ(last->pending, pending("t"));
    EXPECT_EQ(last->size, std::filesystem::file_size(log_));
    if (cut == whole.size()) break;
    add(update_of("t", "later"), log_);
    auto wanted = last->pending;
    wanted.emplace_back("later");
    restart("t", log_);
    EXPECT_EQ(wanted, pending("t"));
  }
}

// As on a full disk: a part of a record is written, and then no more.
TEST_F(Streams, AnUpdateThatCannotBeWrittenIsNotTaken) {
  streams_->resume();
  add(update_of("t", "1"), log_);
  const std::string before = *base::read_file(log_);

  rlimit old_limit{};
  ASSERT_EQ(0, getrlimit(RLIMIT_FSIZE, &old_limit));
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit = old_limit;
  limit.rlim_cur = before.size() + 7;
  ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
  const auto added = streams_->add(update_of("t", "2"), log_);
  const auto acknowledged = streams_->acknowledge("f", "t", "1");
  ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &old_limit));
  std::signal(SIGXFSZ, old_handler);

  EXPECT_FALSE(added.has_value());
  EXPECT_FALSE(acknowledged.has_value());
  EXPECT_EQ(before, *base::read_file(log_));
  EXPECT_THAT(pending("t"), ElementsAre("1"));
  add(update_of("t", "2"), log_);
  acknowledge("t", "1");
  EXPECT_THAT(pending("t"), ElementsAre("2"));
}

TEST_F(Streams, ADamagedLogIsAnErrorAndStaysAsItIs) {
  add(update_of("t", "1"), log_);
  const std::string damaged = *base::read_file(log_) + std::string("\x02\0\0\0\xFF\xFF", 6);
  ASSERT_TRUE(base::write_file(log_, damaged).has_value());
  streams_ = make();
  EXPECT_FALSE(streams_->add(update_of("t", "2"), log_).has_value());
  EXPECT_EQ(damaged, *base::read_file(log_));
}

}  // namespace
