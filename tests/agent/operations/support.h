// Operations on the disk of a scratch directory; the test is the master.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/meta/checkpoints.h"
#include "agent/meta/recover.h"
#include "agent/operations/operations.h"
#include "base/files.h"
#include "base/uuid.h"
#include "tests/agent/operations/offers.h"
#include "tests/agent/resources.h"
#include "tests/base/scratch_loop_test.h"

namespace tests {

using agent::Operations;
using agent::ResourceSet;
using mesos::internal::AcknowledgeOperationStatusMessage;
using mesos::internal::ApplyOperationMessage;
using mesos::internal::CheckpointResourcesMessage;
using mesos::internal::ReconcileOperationsMessage;
using mesos::internal::UpdateOperationStatusMessage;
using mesos::v1::Offer;
using mesos::v1::Resource;

inline constexpr char kAgent[] = "3b3a691b-d0f7-4f2d-82b0-a2fbce8e4709-S0";
inline constexpr char kConfigured[] = "cpus:2;mem:1024;disk:1024;ports:[31000-31100]";

class OperationsTest : public ScratchLoopTest {
 protected:
  OperationsTest() {
    mesos::v1::AgentInfo info;
    info.set_hostname("host");
    info.mutable_id()->set_value(kAgent);
    EXPECT_TRUE(agent::checkpoint_agent(paths_, info).has_value());
    restart();
    operations_->resume();
  }

  // As a new process: paused.
  void restart(std::string_view configured = kConfigured, bool finish = true) {
    operations_.reset();
    sent_.clear();
    operations_ = std::make_unique<Operations>(
        scratch_.path(), resources_of(configured),
        [this](const UpdateOperationStatusMessage& status) { sent_.push_back(status); },
        intervals_);
    const auto found = agent::recover_meta(scratch_.path(), true);
    ASSERT_TRUE(found.has_value()) << found.error().message;
    recovered_ = operations_->recover(*found);
    if (recovered_ && finish) recovered_ = run(operations_->finish_recovery());
  }

  // The uuid of the operation.
  std::string apply(const Offer::Operation& operation, const char* framework = nullptr) {
    ApplyOperationMessage message;
    if (framework != nullptr) message.mutable_framework_id()->set_value(framework);
    *message.mutable_operation_info() = operation;
    message.mutable_operation_uuid()->set_value(base::make_uuid_bytes());
    message.mutable_resource_version_uuid()->mutable_uuid()->set_value("version");
    const auto applied = run(operations_->apply(message));
    EXPECT_TRUE(applied.has_value()) << applied.error().message;
    return message.operation_uuid().value();
  }

  base::Status acknowledge(const UpdateOperationStatusMessage& status) {
    AcknowledgeOperationStatusMessage message;
    *message.mutable_operation_uuid() = status.operation_uuid();
    *message.mutable_status_uuid() = status.status().uuid();
    return run(operations_->acknowledge(message));
  }

  bool directory_exists(const std::string& uuid) {
    return base::path_exists(paths_.operation(*base::uuid_to_text(uuid)));
  }

  const Resource reserved_disk_ = reserved(resource_of("disk:64"), "r");
  const Resource volume_ = volume(reserved_disk_, "v1");
  const agent::MetaPaths paths_{scratch_.path(), kAgent};
  agent::RetryIntervals intervals_;
  std::vector<UpdateOperationStatusMessage> sent_;
  std::unique_ptr<Operations> operations_;
  base::Status recovered_;
};

}  // namespace tests
