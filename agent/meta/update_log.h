// Logs of updates: what has come and what of it was acknowledged, as UPDATE and ACK records. Those
// of tasks (task.updates) and of operations (operation.updates) differ only in their records.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "proto/mesos/internal/messages.pb.h"

namespace agent {

// Whether nothing comes after such a state: not so for TASK_UNREACHABLE and TASK_UNKNOWN, nor for
// OPERATION_UNREACHABLE, OPERATION_RECOVERING and OPERATION_UNKNOWN.
bool is_terminal(mesos::v1::TaskState state);
bool is_terminal(mesos::v1::OperationState state);

// What the machinery must know of the records of a log.
template <typename Record>
struct UpdateRecordTraits;

template <>
struct UpdateRecordTraits<mesos::internal::StatusUpdateRecord> {
  using Update = mesos::internal::StatusUpdate;
  static const std::string& uuid(const Update& update) { return update.uuid(); }
  static const std::string& acknowledged_uuid(const mesos::internal::StatusUpdateRecord& record) {
    return record.uuid();
  }
  static void acknowledge(mesos::internal::StatusUpdateRecord& record, const std::string& uuid) {
    record.set_uuid(uuid);
  }
  static bool ends(const Update& update) { return is_terminal(update.status().state()); }
};

template <>
struct UpdateRecordTraits<mesos::internal::UpdateOperationStatusRecord> {
  using Update = mesos::internal::UpdateOperationStatusMessage;
  static const std::string& uuid(const Update& update) { return update.status().uuid().value(); }
  static const std::string& acknowledged_uuid(
      const mesos::internal::UpdateOperationStatusRecord& record) {
    return record.uuid().value();
  }
  static void acknowledge(mesos::internal::UpdateOperationStatusRecord& record,
                          const std::string& uuid) {
    record.mutable_uuid()->set_value(uuid);
  }
  static bool ends(const Update& update) { return is_terminal(update.status().state()); }
};

// What a log says.
template <typename Record>
struct UpdateHistory {
  std::vector<typename UpdateRecordTraits<Record>::Update> updates;
  std::set<std::string> acknowledged;
};

// Reads a log of updates and cuts a torn record off its end. No file: an empty history. kInvalid
// for a whole record that is none: the file is left as it is. If there is a place for `damage`,
// that error goes there instead, the history is what comes before, and the file is cut there, so
// that what is appended can be read again.
template <typename Record>
base::Result<UpdateHistory<Record>> read_update_log(const std::string& path,
                                                    std::optional<base::Error>* damage = nullptr);

}  // namespace agent
