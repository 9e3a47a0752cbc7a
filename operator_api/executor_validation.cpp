#include "operator_api/executor_validation.h"

#include "base/strings.h"

namespace operator_api {

using base::concat;
using Call = mesos::v1::executor::Call;
using mesos::v1::CheckStatusInfo;
using mesos::v1::TaskStatus;

namespace {

constexpr size_t kUuidBytes = 16;

std::string validate_check_status(const CheckStatusInfo& status) {
  if (!status.has_type()) return "CheckStatusInfo must specify 'type'";
  const struct {
    mesos::v1::CheckInfo::Type type;
    const char* member;
    bool present;
  } kMembers[] = {
      {mesos::v1::CheckInfo::COMMAND, "command", status.has_command()},
      {mesos::v1::CheckInfo::HTTP, "http", status.has_http()},
      {mesos::v1::CheckInfo::TCP, "tcp", status.has_tcp()},
  };
  for (const auto& [type, member, present] : kMembers) {
    if (status.type() == type) {
      return present ? ""
                     : concat("Expecting '", member, "' to be set for ",
                              mesos::v1::CheckInfo::Type_Name(type), " check's status");
    }
  }
  return concat("'", mesos::v1::CheckInfo::Type_Name(status.type()), "' is not a valid check type");
}

std::string validate_status(const Call& call, const TaskStatus& status) {
  if (!status.has_uuid()) return "Expecting 'uuid' to be present";
  if (status.uuid().size() != kUuidBytes) {
    return concat("Not a valid UUID: expecting ", kUuidBytes, " bytes, received ",
                  status.uuid().size());
  }
  if (status.has_executor_id() && status.executor_id().value() != call.executor_id().value()) {
    return concat("ExecutorID in Call: ", call.executor_id().value(),
                  " does not match ExecutorID in TaskStatus: ", status.executor_id().value());
  }
  if (status.source() != TaskStatus::SOURCE_EXECUTOR) {
    return concat("Received Call from executor ", call.executor_id().value(), " of framework ",
                  call.framework_id().value(), " with invalid source, expecting 'SOURCE_EXECUTOR'");
  }
  if (status.state() == mesos::v1::TASK_STAGING) {
    return concat("Received TASK_STAGING from executor ", call.executor_id().value(),
                  " of framework ", call.framework_id().value(), " which is not allowed");
  }
  return status.has_check_status() ? validate_check_status(status.check_status()) : "";
}

}  // namespace

std::string validate_executor_call(const Call& call) {
  const struct {
    Call::Type type;
    const char* member;
    bool present;
  } kMembers[] = {{Call::SUBSCRIBE, "subscribe", call.has_subscribe()},
                  {Call::UPDATE, "update", call.has_update()},
                  {Call::MESSAGE, "message", call.has_message()}};
  if (!call.has_type()) return "Expecting 'type' to be present";
  for (const auto& [type, member, present] : kMembers) {
    if (call.type() == type && !present) return concat("Expecting '", member, "' to be present");
  }
  return call.type() == Call::UPDATE ? validate_status(call, call.update().status()) : "";
}

}  // namespace operator_api
