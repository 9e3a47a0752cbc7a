#include "agent/meta/update_log.h"

#include <utility>

#include "agent/meta/record_log.h"
#include "base/files.h"
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

namespace {

template <typename Record>
bool add_record(UpdateHistory<Record>& history, std::string_view body) {
  using Traits = UpdateRecordTraits<Record>;
  Record record;
  if (!record.ParseFromArray(body.data(), static_cast<int>(body.size()))) return false;
  if (record.type() == Record::ACK) {
    const std::string& uuid = Traits::acknowledged_uuid(record);
    if (!uuid.empty()) history.acknowledged.insert(uuid);
    return !uuid.empty();
  }
  if (record.has_update()) history.updates.push_back(std::move(*record.mutable_update()));
  return record.has_update();
}

}  // namespace

template <typename Record>
Result<UpdateHistory<Record>> read_update_log(const std::string& path,
                                              std::optional<base::Error>* damage) {
  UpdateHistory<Record> history;
  const auto content = base::read_file(path);
  if (!content) {
    if (content.error().kind == ErrorKind::kNotFound) return history;
    return fail(content.error());
  }
  const size_t whole = whole_records(*content);
  proto::RecordReader reader(std::string_view(*content).substr(0, whole));
  size_t good = 0;
  while (const auto body = reader.next()) {
    if (!add_record(history, *body)) {
      base::Error error(ErrorKind::kInvalid,
                        concat("'", path, "' is damaged in the record at byte ", good));
      if (damage == nullptr) return fail(std::move(error));
      TRY_VOID(cut_log(path, good));
      *damage = std::move(error);
      return history;
    }
    good = reader.offset();
  }
  if (whole < content->size()) TRY_VOID(cut_log(path, whole));
  return history;
}

template Result<UpdateHistory<mesos::internal::StatusUpdateRecord>> read_update_log(
    const std::string& path, std::optional<base::Error>* damage);
template Result<UpdateHistory<mesos::internal::UpdateOperationStatusRecord>> read_update_log(
    const std::string& path, std::optional<base::Error>* damage);

}  // namespace agent
