// What goes on while a volume is being deleted, which may take long.

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

  ~DeletionTest() override { let_workers_go(); }

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

TEST_F(DeletionTest, ACrashMeanwhileIsMadeUpFor) {
  const std::string uuid = start(destroy(volume_));
  settle();
  scope_.cancel();
  EXPECT_TRUE(base::path_exists(file_));
  restart();
  ASSERT_TRUE(recovered_.has_value()) << recovered_.error().message;
  EXPECT_FALSE(base::path_exists(scratch_ / "volumes/roles/r/v1"));
  EXPECT_TRUE(operations_->checkpointed_resources() == ResourceSet({reserved_disk_}));
  operations_->resume();
  ASSERT_THAT(sent_, SizeIs(3));
  const auto status = std::ranges::find_if(
      sent_, [&](const auto& each) { return each.operation_uuid().value() == uuid; });
  ASSERT_NE(sent_.end(), status);
  EXPECT_EQ(mesos::v1::OPERATION_FINISHED, status->status().state());
}

}  // namespace
