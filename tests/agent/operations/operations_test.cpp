#include "agent/operations/operations.h"

#include <google/protobuf/util/message_differencer.h>

#include <filesystem>
#include <fstream>

#include "proto/base64.h"
#include "proto/json_tree.h"
#include "tests/agent/operations/support.h"

namespace {

using namespace tests;
using base::ErrorKind;
using google::protobuf::util::MessageDifferencer;
using testing::IsEmpty;
using testing::SizeIs;

struct RecordedMessage {
  std::string type;
  std::string body;
};

// What a master and an agent of Apache Mesos said to each other of four operations.
std::vector<RecordedMessage> recorded_messages() {
  std::vector<RecordedMessage> messages;
  std::ifstream file(TESTS_DATA_DIR "/master/operations.jsonl");
  for (std::string line; std::getline(file, line);) {
    const auto json = proto::parse_json_tree(line);
    messages.push_back(
        {json->find("message")->text, *proto::decode_base64(json->find("body_base64")->text)});
  }
  EXPECT_THAT(messages, SizeIs(12));
  return messages;
}

TEST_F(OperationsTest, AnswerAsApacheMesosDoes) {
  std::string made_uuid;
  UpdateOperationStatusMessage ours;
  for (const RecordedMessage& message : recorded_messages()) {
    if (message.type == "ApplyOperationMessage") {
      ApplyOperationMessage apply;
      ASSERT_TRUE(apply.ParseFromString(message.body));
      sent_.clear();
      const auto applied = run(operations_->apply(apply));
      ASSERT_TRUE(applied.has_value()) << applied.error().message;
      ASSERT_THAT(sent_, SizeIs(1));
      ours = sent_[0];
      EXPECT_THAT(operations_->operations().operations(), SizeIs(1));
    } else if (message.type == "UpdateOperationStatusMessage") {
      // The same in all but the status's own uuid.
      UpdateOperationStatusMessage theirs;
      ASSERT_TRUE(theirs.ParseFromString(message.body));
      EXPECT_EQ(16U, ours.status().uuid().value().size());
      theirs.mutable_status()->mutable_uuid()->set_value(ours.status().uuid().value());
      theirs.mutable_latest_status()->mutable_uuid()->set_value(ours.status().uuid().value());
      EXPECT_EQ(theirs.SerializeAsString(), ours.SerializeAsString())
          << theirs.DebugString() << ours.DebugString();
    } else {
      AcknowledgeOperationStatusMessage theirs;
      ASSERT_TRUE(theirs.ParseFromString(message.body));
      const std::string uuid = theirs.operation_uuid().value();
      EXPECT_TRUE(directory_exists(uuid));
      *theirs.mutable_status_uuid() = ours.status().uuid();
      const auto acknowledged = run(operations_->acknowledge(theirs));
      ASSERT_TRUE(acknowledged.has_value()) << acknowledged.error().message;
      EXPECT_TRUE(operations_->empty());
      EXPECT_FALSE(directory_exists(uuid));
    }
  }
  EXPECT_TRUE(operations_->checkpointed_resources().empty());
  EXPECT_TRUE(operations_->total_resources() == ResourceSet(resources_of(kConfigured)));
  EXPECT_FALSE(base::path_exists(scratch_ / "volumes/roles/r/v1"));
}

TEST_F(OperationsTest, ChangeTheResources) {
  apply(reserve(reserved_disk_));
  EXPECT_TRUE(operations_->checkpointed_resources() == ResourceSet({reserved_disk_}));
  apply(create(volume_));
  EXPECT_TRUE(operations_->checkpointed_resources() == ResourceSet({volume_}));
  ResourceSet total(resources_of("cpus:2;mem:1024;disk:960;ports:[31000-31100]"));
  total.add(volume_);
  EXPECT_TRUE(operations_->total_resources() == total);
  EXPECT_TRUE(base::path_exists(scratch_ / "volumes/roles/r/v1"));
  restart();
  ASSERT_TRUE(recovered_.has_value()) << recovered_.error().message;
  EXPECT_TRUE(operations_->total_resources() == total);
}

TEST_F(OperationsTest, StatusNamesFrameworkAndOperationIfTheyHaveNames) {
  Offer::Operation operation = reserve(reserved_disk_);
  operation.mutable_id()->set_value("mine");
  const std::string uuid = apply(operation, "f");
  ASSERT_THAT(sent_, SizeIs(1));
  EXPECT_EQ("f", sent_[0].framework_id().value());
  EXPECT_EQ("mine", sent_[0].status().operation_id().value());
  EXPECT_EQ("mine", sent_[0].latest_status().operation_id().value());
  EXPECT_EQ(uuid, sent_[0].operation_uuid().value());
  const auto kept = operations_->operations().operations(0);
  EXPECT_EQ("f", kept.framework_id().value());
  EXPECT_EQ(kAgent, kept.agent_id().value());
  EXPECT_EQ(mesos::v1::OPERATION_FINISHED, kept.latest_status().state());
}

TEST_F(OperationsTest, FailsWithAReason) {
  apply(reserve(reserved(resource_of("disk:9999"), "r")));
  ASSERT_THAT(sent_, SizeIs(1));
  EXPECT_EQ(mesos::v1::OPERATION_FAILED, sent_[0].status().state());
  EXPECT_THAT(sent_[0].status().message(), testing::HasSubstr("9999"));
  EXPECT_TRUE(operations_->checkpointed_resources().empty());

  apply(reserve(reserved_disk_));
  apply(create(volume(reserved_disk_, "../escape")));
  EXPECT_EQ(mesos::v1::OPERATION_FAILED, sent_[2].status().state());
  EXPECT_TRUE(operations_->checkpointed_resources() == ResourceSet({reserved_disk_}));
  restart();
  ASSERT_TRUE(recovered_.has_value()) << recovered_.error().message;
  EXPECT_THAT(operations_->operations().operations(), SizeIs(3));
}

TEST_F(OperationsTest, RefusesWhatHasNoUuidAndDoesNothingTwice) {
  ApplyOperationMessage message;
  *message.mutable_operation_info() = reserve(reserved_disk_);
  message.mutable_operation_uuid()->set_value("../../../etc");
  EXPECT_EQ(ErrorKind::kInvalid, run(operations_->apply(message)).error().kind);
  message.mutable_operation_uuid()->set_value(base::make_uuid_bytes());
  ASSERT_TRUE(run(operations_->apply(message)).has_value());
  ASSERT_TRUE(run(operations_->apply(message)).has_value());
  EXPECT_THAT(sent_, SizeIs(1));
  EXPECT_TRUE(operations_->checkpointed_resources() == ResourceSet({reserved_disk_}));
}

// Whoever calls must be able to tell this from a refusal; and a restart carries it out.
TEST_F(OperationsTest, WhatCannotBeWrittenIsFatal) {
  apply(reserve(reserved_disk_));
  const std::string blocked = paths_.resources_info();
  std::filesystem::remove_all(blocked);
  std::filesystem::create_directories(blocked + "/in the way");
  ApplyOperationMessage message;
  *message.mutable_operation_info() = create(volume_);
  message.mutable_operation_uuid()->set_value(base::make_uuid_bytes());
  const auto applied = run(operations_->apply(message));
  ASSERT_FALSE(applied.has_value());
  EXPECT_EQ(ErrorKind::kInternal, applied.error().kind);

  std::filesystem::remove_all(blocked);
  restart();
  ASSERT_TRUE(recovered_.has_value()) << recovered_.error().message;
  EXPECT_TRUE(operations_->checkpointed_resources() == ResourceSet({volume_}));
}

TEST_F(OperationsTest, SendAgainUntilAcknowledged) {
  intervals_ = {.first = 5ms, .longest = 5ms};
  restart();
  apply(reserve(reserved_disk_));
  settle();
  EXPECT_THAT(sent_, IsEmpty());
  operations_->resume();
  await([this] { return sent_.size() >= 4; });
  EXPECT_EQ(sent_[0].SerializeAsString(), sent_[3].SerializeAsString());
  ASSERT_TRUE(acknowledge(sent_[0]).has_value());
  sent_.clear();
  settle();
  EXPECT_THAT(sent_, IsEmpty());
}

TEST_F(OperationsTest, AcknowledgesOnlyWhatWaits) {
  apply(reserve(reserved_disk_));
  UpdateOperationStatusMessage other = sent_[0];
  other.mutable_status()->mutable_uuid()->set_value(base::make_uuid_bytes());
  EXPECT_EQ(ErrorKind::kConflict, acknowledge(other).error().kind);
  other = sent_[0];
  other.mutable_operation_uuid()->set_value(base::make_uuid_bytes());
  EXPECT_EQ(ErrorKind::kNotFound, acknowledge(other).error().kind);
  ASSERT_TRUE(acknowledge(sent_[0]).has_value());
  EXPECT_EQ(ErrorKind::kNotFound, acknowledge(sent_[0]).error().kind);
}

TEST_F(OperationsTest, RecoversWhatIsNotAcknowledged) {
  apply(reserve(reserved_disk_));
  apply(create(volume_));
  const auto first = sent_[0];
  const auto second = sent_[1];
  ASSERT_TRUE(acknowledge(first).has_value());
  restart();
  ASSERT_TRUE(recovered_.has_value()) << recovered_.error().message;
  operations_->resume();
  ASSERT_THAT(sent_, SizeIs(1));
  EXPECT_EQ(second.SerializeAsString(), sent_[0].SerializeAsString());
  ASSERT_TRUE(acknowledge(second).has_value());
  restart();
  EXPECT_TRUE(operations_->empty());
}

// The state was committed, and then the process died before it wrote the status.
TEST_F(OperationsTest, QueuesAStatusThatACrashHasTaken) {
  const std::string uuid = apply(reserve(reserved_disk_));
  const auto sent = sent_[0];
  for (const bool empty_log : {false, true}) {
    const std::string log = paths_.operation_updates(*base::uuid_to_text(uuid));
    std::filesystem::remove_all(paths_.operations());
    if (empty_log) {
      std::filesystem::create_directories(paths_.operation(*base::uuid_to_text(uuid)));
      ASSERT_TRUE(base::write_file(log, "\x07").has_value());
    }
    restart();
    ASSERT_TRUE(recovered_.has_value()) << recovered_.error().message;
    operations_->resume();
    ASSERT_THAT(sent_, SizeIs(1));
    EXPECT_EQ(sent.SerializeAsString(), sent_[0].SerializeAsString());
  }
}

TEST_F(OperationsTest, FinishesWhatWasPending) {
  apply(reserve(reserved_disk_));
  ASSERT_TRUE(acknowledge(sent_[0]).has_value());
  mesos::internal::ResourceState state;
  *state.add_resources() = reserved_disk_;
  auto& operation = *state.add_operations();
  operation.mutable_agent_id()->set_value(kAgent);
  operation.mutable_uuid()->set_value(base::make_uuid_bytes());
  *operation.mutable_info() = create(volume_);
  operation.mutable_latest_status()->set_state(mesos::v1::OPERATION_PENDING);
  ASSERT_TRUE(agent::ResourceStore(scratch_.path()).commit(state).has_value());
  restart();
  ASSERT_TRUE(recovered_.has_value()) << recovered_.error().message;
  EXPECT_TRUE(operations_->checkpointed_resources() == ResourceSet({volume_}));
  EXPECT_TRUE(base::path_exists(scratch_ / "volumes/roles/r/v1"));
  operations_->resume();
  ASSERT_THAT(sent_, SizeIs(1));
  EXPECT_EQ(mesos::v1::OPERATION_FINISHED, sent_[0].status().state());
}

// The acknowledgement was written, and then the process died.
TEST_F(OperationsTest, EndsWhatWasAcknowledged) {
  const std::string uuid = apply(reserve(reserved_disk_));
  mesos::internal::UpdateOperationStatusRecord record;
  record.set_type(mesos::internal::UpdateOperationStatusRecord::ACK);
  *record.mutable_uuid() = sent_[0].status().uuid();
  ASSERT_TRUE(agent::RecordLog(paths_.operation_updates(*base::uuid_to_text(uuid)))
                  .append(record)
                  .has_value());
  std::filesystem::create_directories(paths_.operation("unknown"));
  restart();
  ASSERT_TRUE(recovered_.has_value()) << recovered_.error().message;
  EXPECT_TRUE(operations_->empty());
  EXPECT_FALSE(directory_exists(uuid));
  EXPECT_FALSE(base::path_exists(paths_.operation("unknown")));
  EXPECT_TRUE(operations_->checkpointed_resources() == ResourceSet({reserved_disk_}));
}

TEST_F(OperationsTest, ANewAgentHasTheResourcesAndNoOperations) {
  apply(reserve(reserved_disk_));
  ASSERT_TRUE(agent::forget_agent(scratch_.path()).has_value());
  restart();
  ASSERT_TRUE(recovered_.has_value()) << recovered_.error().message;
  EXPECT_TRUE(operations_->empty());
  EXPECT_TRUE(operations_->checkpointed_resources() == ResourceSet({reserved_disk_}));
}

TEST_F(OperationsTest, OtherConfiguredResourcesMustHaveWhatIsCheckpointed) {
  apply(reserve(reserved_disk_));
  restart("cpus:1;disk:64");
  EXPECT_TRUE(recovered_.has_value()) << recovered_.error().message;
  restart("cpus:1;disk:63");
  ASSERT_FALSE(recovered_.has_value());
  EXPECT_EQ(ErrorKind::kConflict, recovered_.error().kind);
}

TEST_F(OperationsTest, ReconcilesForAMaster) {
  const std::string uuid = apply(reserve(reserved_disk_));
  sent_.clear();
  const std::string unknown = base::make_uuid_bytes();
  ReconcileOperationsMessage message;
  message.add_operations()->mutable_operation_uuid()->set_value(uuid);
  message.add_operations()->mutable_operation_uuid()->set_value(unknown);
  auto& of_provider = *message.add_operations();
  of_provider.mutable_operation_uuid()->set_value(unknown);
  of_provider.mutable_resource_provider_id()->set_value("provider");
  operations_->reconcile(message);
  ASSERT_THAT(sent_, SizeIs(1));
  EXPECT_EQ(unknown, sent_[0].operation_uuid().value());
  EXPECT_EQ(mesos::v1::OPERATION_DROPPED, sent_[0].status().state());
  EXPECT_FALSE(sent_[0].status().has_uuid());
  EXPECT_FALSE(sent_[0].has_framework_id());
  EXPECT_EQ(kAgent, sent_[0].slave_id().value());
}

TEST_F(OperationsTest, ReconcilesForAFramework) {
  Offer::Operation operation = reserve(reserved_disk_);
  operation.mutable_id()->set_value("mine");
  const std::string uuid = apply(operation, "f");
  sent_.clear();
  ReconcileOperationsMessage message;
  message.mutable_framework_id()->set_value("f");
  message.add_operations()->mutable_operation_uuid()->set_value(uuid);
  message.add_operations()->mutable_operation_id()->set_value("mine");
  message.add_operations()->mutable_operation_id()->set_value("other");
  operations_->reconcile(message);
  ASSERT_THAT(sent_, SizeIs(3));
  for (int i : {0, 1}) {
    EXPECT_EQ(mesos::v1::OPERATION_FINISHED, sent_[i].status().state());
    EXPECT_EQ(uuid, sent_[i].operation_uuid().value());
    EXPECT_FALSE(sent_[i].status().has_uuid());
  }
  EXPECT_EQ(mesos::v1::OPERATION_UNKNOWN, sent_[2].status().state());
  EXPECT_EQ("other", sent_[2].status().operation_id().value());
  EXPECT_EQ("f", sent_[2].framework_id().value());
}

TEST_F(OperationsTest, MastersMayReplaceAllResources) {
  CheckpointResourcesMessage message;
  *message.add_resources() = volume_;
  ASSERT_TRUE(run(operations_->checkpoint_resources(message)).has_value());
  EXPECT_TRUE(operations_->checkpointed_resources() == ResourceSet({volume_}));
  EXPECT_TRUE(base::path_exists(scratch_ / "volumes/roles/r/v1"));
  *message.add_resources() = resource_of("cpus:1");
  EXPECT_EQ(ErrorKind::kConflict, run(operations_->checkpoint_resources(message)).error().kind);
  *message.mutable_resources(1) = reserved(resource_of("cpus:9"), "r");
  EXPECT_EQ(ErrorKind::kConflict, run(operations_->checkpoint_resources(message)).error().kind);
  message.clear_resources();
  ASSERT_TRUE(run(operations_->checkpoint_resources(message)).has_value());
  EXPECT_TRUE(operations_->total_resources() == ResourceSet(resources_of(kConfigured)));
  EXPECT_FALSE(base::path_exists(scratch_ / "volumes/roles/r/v1"));
}

TEST_F(OperationsTest, KnowsWhatTasksMayUse) {
  apply(reserve(reserved_disk_));
  apply(create(volume_));
  mesos::v1::TaskInfo task;
  *task.add_resources() = allocated(resource_of("cpus:100"), "r");
  *task.add_resources() = allocated(volume_, "r");
  EXPECT_TRUE(operations_->contains(task.resources()));
  *task.add_resources() = allocated(reserved_disk_, "r");
  EXPECT_FALSE(operations_->contains(task.resources()));
  task.clear_resources();
  *task.add_resources() = allocated(volume(reserved_disk_, "v2"), "r");
  EXPECT_FALSE(operations_->contains(task.resources()));
}

}  // namespace
