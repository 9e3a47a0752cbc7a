// What goes on while a volume is being deleted, which may take long.

#include <unistd.h>

#include <algorithm>
#include <future>

#include "base/scope.h"
#include "base/worker.h"
#include "tests/agent/operations/support.h"

namespace {

using namespace tests;
using testing::IsEmpty;
using testing::SizeIs;

// All workers have their hands full until the test lets them go on.
class DeletionTest : public OperationsTest {
 protected:
  DeletionTest() {
    apply(reserve(reserved_disk_));
    apply(create(volume_));
    EXPECT_TRUE(base::write_file(file_, "data").has_value());
    sent_.clear();
    keep_workers_busy();
  }

  void TearDown() override { let_workers_go(); }

  void keep_workers_busy() {
    constexpr size_t kWorkers = 4;
    for (size_t i = 0; i < kWorkers; ++i) {
      scope_.spawn([](std::shared_future<void> go_on) -> base::Task<void> {
        co_await base::run_on_worker([go_on] {
          go_on.wait();
          return true;
        });
      }(go_on_));
    }
  }

  void let_workers_go() {
    if (std::exchange(let_go_, true)) return;
    may_go_on_.set_value();
  }

  // Does not wait for its end.
  std::string start(const Offer::Operation& operation) {
    ApplyOperationMessage message;
    *message.mutable_operation_info() = operation;
    message.mutable_operation_uuid()->set_value(base::make_uuid_bytes());
    scope_.spawn(drive(message));
    return message.operation_uuid().value();
  }

  base::Task<void> drive(ApplyOperationMessage message) {
    const auto done = co_await operations_->apply(std::move(message));
    EXPECT_TRUE(done.has_value());
    ++done_;
  }

  base::Task<void> finish_recovery() {
    const auto done = co_await operations_->finish_recovery();
    EXPECT_TRUE(done.has_value());
    ++done_;
  }

  // After all that waits for a worker now has been begun, and ended if there is nothing to it.
  static base::Task<void> work_once() {
    constexpr int kMoreThanWorkers = 100;
    for (int i = 0; i < kMoreThanWorkers; ++i) co_await base::run_on_worker([] { return true; });
  }

  base::Task<void> note_when_settled() {
    co_await operations_->settled();
    settled_after_ = done_;
  }

  const std::string file_ = scratch_ / "volumes/roles/r/v1/file";
  std::promise<void> may_go_on_;
  std::shared_future<void> go_on_ = may_go_on_.get_future();
  bool let_go_ = false;
  int done_ = 0;
  int settled_after_ = -1;
  base::Scope scope_;
};

TEST_F(DeletionTest, TheLoopGoesOnAndOperationsWaitTheirTurn) {
  const std::string first = start(destroy(volume_));
  const std::string second = start(unreserve(reserved_disk_));
  scope_.spawn(note_when_settled());
  settle();  // so the loop runs
  EXPECT_TRUE(base::path_exists(file_));
  EXPECT_EQ(0, done_);
  EXPECT_EQ(-1, settled_after_);
  EXPECT_THAT(sent_, IsEmpty());
  // Nothing can keep the volume any more; the second has not been looked at.
  EXPECT_TRUE(operations_->checkpointed_resources() == ResourceSet({reserved_disk_}));
  EXPECT_FALSE(operations_->contains({&volume_, &volume_ + 1}));
  EXPECT_TRUE(base::path_exists(paths_.operations_target()));

  let_workers_go();
  await([this] { return settled_after_ != -1; });
  EXPECT_EQ(2, settled_after_);
  EXPECT_FALSE(base::path_exists(scratch_ / "volumes/roles/r/v1"));
  EXPECT_FALSE(base::path_exists(paths_.operations_target()));
  EXPECT_TRUE(operations_->checkpointed_resources().empty());
  ASSERT_THAT(sent_, SizeIs(2));
  EXPECT_EQ(first, sent_[0].operation_uuid().value());
  EXPECT_EQ(second, sent_[1].operation_uuid().value());
  for (const auto& status : sent_) {
    EXPECT_EQ(mesos::v1::OPERATION_FINISHED, status.status().state());
  }
}

TEST_F(DeletionTest, AnAcknowledgementWaitsToo) {
  operations_->resume();
  ASSERT_THAT(sent_, SizeIs(2));
  const auto acknowledged = sent_[0];
  start(destroy(volume_));
  bool done = false;
  scope_.spawn([](Operations& operations, UpdateOperationStatusMessage status,
                  bool& done) -> base::Task<void> {
    AcknowledgeOperationStatusMessage message;
    *message.mutable_operation_uuid() = status.operation_uuid();
    *message.mutable_status_uuid() = status.status().uuid();
    EXPECT_TRUE((co_await operations.acknowledge(message)).has_value());
    done = true;
  }(*operations_, acknowledged, done));
  settle();
  EXPECT_FALSE(done);
  let_workers_go();
  await([&] { return done; });
  EXPECT_EQ(1, done_);
}

// The master that comes next does not know of it, and is not told.
TEST_F(DeletionTest, WhatWaitsWhenTheMasterGoesIsForgotten) {
  start(destroy(volume_));
  const std::string second = start(unreserve(reserved_disk_));
  EXPECT_THAT(operations_->operations().operations(), SizeIs(4));
  operations_->pause();
  EXPECT_THAT(operations_->operations().operations(), SizeIs(3));
  ReconcileOperationsMessage message;
  message.add_operations()->mutable_operation_uuid()->set_value(second);
  operations_->reconcile(message);
  ASSERT_THAT(sent_, SizeIs(1));
  EXPECT_EQ(mesos::v1::OPERATION_DROPPED, sent_[0].status().state());
  let_workers_go();
  await([this] { return done_ == 2; });
  EXPECT_TRUE(operations_->checkpointed_resources() == ResourceSet({reserved_disk_}));
}

// By a start that does not wait for it; but the volume is not there any more, nor its name free.
TEST_F(DeletionTest, ACrashMeanwhileIsMadeUpFor) {
  const std::string uuid = start(destroy(volume_));
  settle();
  scope_.cancel();
  EXPECT_TRUE(base::path_exists(file_));
  restart(kConfigured, false);
  ASSERT_TRUE(recovered_.has_value()) << recovered_.error().message;
  scope_.spawn(finish_recovery());
  operations_->resume();
  EXPECT_THAT(sent_, SizeIs(2));
  EXPECT_TRUE(operations_->checkpointed_resources() == ResourceSet({reserved_disk_}));
  EXPECT_FALSE(operations_->contains({&volume_, &volume_ + 1}));
  start(create(volume_));
  settle();  // so the loop runs
  EXPECT_TRUE(base::path_exists(file_));
  EXPECT_EQ(0, done_);

  let_workers_go();
  await([this] { return done_ == 2; });
  EXPECT_FALSE(base::path_exists(file_));
  EXPECT_TRUE(base::path_exists(scratch_ / "volumes/roles/r/v1"));
  EXPECT_TRUE(operations_->checkpointed_resources() == ResourceSet({volume_}));
  ASSERT_THAT(sent_, SizeIs(4));
  EXPECT_EQ(uuid, sent_[2].operation_uuid().value());
  EXPECT_EQ(mesos::v1::OPERATION_FINISHED, sent_[2].status().state());
  restart();
  ASSERT_TRUE(recovered_.has_value()) << recovered_.error().message;
  EXPECT_TRUE(operations_->checkpointed_resources() == ResourceSet({volume_}));
}

// One that the crash has come before: what has not been begun does not keep the start either.
TEST_F(DeletionTest, ACrashBeforeIsMadeUpFor) {
  start(destroy(volume_));
  settle();
  scope_.cancel();
  // As if it had come before the target was written.
  ASSERT_EQ(0, unlink(paths_.operations_target().c_str()));
  ASSERT_EQ(0, unlink(paths_.resources_target().c_str()));
  restart(kConfigured, false);
  ASSERT_TRUE(recovered_.has_value()) << recovered_.error().message;
  EXPECT_TRUE(base::path_exists(file_));
  EXPECT_FALSE(operations_->contains({&volume_, &volume_ + 1}));
  scope_.spawn(finish_recovery());
  let_workers_go();
  await([this] { return done_ == 1; });
  EXPECT_FALSE(base::path_exists(scratch_ / "volumes/roles/r/v1"));
  operations_->resume();
  EXPECT_THAT(sent_, SizeIs(3));
}

TEST_F(DeletionTest, TheAgentsEndCutsItOff) {
  start(destroy(volume_));
  settle();
  scope_.cancel();
  operations_.reset();
  let_workers_go();
  run(work_once());
  EXPECT_TRUE(base::path_exists(file_));
  restart();
  ASSERT_TRUE(recovered_.has_value()) << recovered_.error().message;
  EXPECT_FALSE(base::path_exists(scratch_ / "volumes/roles/r/v1"));
}

}  // namespace
