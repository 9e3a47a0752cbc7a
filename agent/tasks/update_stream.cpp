#include "agent/tasks/update_stream.h"

#include "base/strings.h"

namespace agent {

using base::ErrorKind;
using base::fail;
using base::Result;

template <typename Record>
void UpdateStream<Record>::replay(const UpdateHistory<Record>& history) {
  for (const Update& update : history.updates) {
    const std::string& uuid = Traits::uuid(update);
    if (!known_.insert(uuid).second || ended_) continue;
    push(update);
    // Acknowledgements are given in the order of the updates.
    if (queue_.size() == 1 && history.acknowledged.contains(uuid)) pop();
  }
}

template <typename Record>
Result<bool> UpdateStream<Record>::add(const Update& update) {
  const std::string& uuid = Traits::uuid(update);
  if (known_.contains(uuid)) return false;
  if (log_) {
    Record record;
    record.set_type(Record::UPDATE);
    *record.mutable_update() = update;
    TRY_VOID(log_->append(record));
  }
  known_.insert(uuid);
  push(update);
  ended_ = false;
  return true;
}

template <typename Record>
Result<typename UpdateStream<Record>::Update> UpdateStream<Record>::acknowledge(
    const std::string& uuid) {
  if (queue_.empty() || Traits::uuid(queue_.front()) != uuid) {
    return fail(ErrorKind::kConflict,
                known_.contains(uuid) ? "the update is not the one that waits to be acknowledged"
                                      : "there is no such update");
  }
  if (log_) {
    Record record;
    record.set_type(Record::ACK);
    Traits::acknowledge(record, uuid);
    TRY_VOID(log_->append(record));
  }
  Update update = queue_.front();
  pop();
  return update;
}

template <typename Record>
void UpdateStream<Record>::push(const Update& update) {
  bytes_ += update.ByteSizeLong();
  queue_.push_back(update);
}

template <typename Record>
void UpdateStream<Record>::pop() {
  ended_ = Traits::ends(queue_.front());
  bytes_ -= queue_.front().ByteSizeLong();
  queue_.pop_front();
  if (!ended_) return;
  queue_.clear();
  bytes_ = 0;
}

template class UpdateStream<mesos::internal::StatusUpdateRecord>;
template class UpdateStream<mesos::internal::UpdateOperationStatusRecord>;

}  // namespace agent
