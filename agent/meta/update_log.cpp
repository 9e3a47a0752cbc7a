#include "agent/meta/update_log.h"

#include <utility>

#include "agent/meta/record_log.h"
#include "base/strings.h"
#include "proto/record.h"

namespace agent {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;

bool is_terminal(mesos::v1::TaskState state) {
  switch (state) {
    case mesos::v1::TASK_FINISHED:
    case mesos::v1::TASK_FAILED:
    case mesos::v1::TASK_KILLED:
    case mesos::v1::TASK_LOST:
    case mesos::v1::TASK_ERROR:
    case mesos::v1::TASK_DROPPED:
    case mesos::v1::TASK_GONE:
    case mesos::v1::TASK_GONE_BY_OPERATOR:
      return true;
    default:
      return false;
  }
}

bool is_terminal(mesos::v1::OperationState state) {
  switch (state) {
    case mesos::v1::OPERATION_FINISHED:
    case mesos::v1::OPERATION_FAILED:
    case mesos::v1::OPERATION_ERROR:
    case mesos::v1::OPERATION_DROPPED:
    case mesos::v1::OPERATION_GONE_BY_OPERATOR:
      return true;
    default:
      return false;
  }
}

template <typename Record>
Result<UpdateHistory<Record>> read_update_log(const std::string& path) {
  using Traits = UpdateRecordTraits<Record>;
  UpdateHistory<Record> history;
  const auto content = repair_log(path);
  if (!content) {
    if (content.error().kind == ErrorKind::kNotFound) return history;
    return fail(content.error());
  }
  proto::RecordReader reader(*content);
  while (const auto body = reader.next()) {
    Record record;
    const bool parsed = record.ParseFromArray(body->data(), static_cast<int>(body->size()));
    const bool whole =
        parsed && (record.type() == Record::ACK ? !Traits::acknowledged_uuid(record).empty()
                                                : record.has_update());
    if (!whole) {
      return fail(
          ErrorKind::kInvalid,
          concat("'", path, "' is damaged in the record that ends at byte ", reader.offset()));
    }
    if (record.type() == Record::ACK) {
      history.acknowledged.insert(Traits::acknowledged_uuid(record));
    } else {
      history.updates.push_back(std::move(*record.mutable_update()));
    }
  }
  return history;
}

template Result<UpdateHistory<mesos::internal::StatusUpdateRecord>> read_update_log(
    const std::string& path);
template Result<UpdateHistory<mesos::internal::UpdateOperationStatusRecord>> read_update_log(
    const std::string& path);

}  // namespace agent
