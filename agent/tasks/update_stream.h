// One stream of updates that are acknowledged one by one, in memory and, if it is checkpointed, in
// a log. The same for updates of tasks and of operations; only their records differ.
#pragma once

#include <list>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "agent/meta/record_log.h"
#include "agent/meta/update_log.h"
#include "base/result.h"
#include "proto/mesos/internal/messages.pb.h"

namespace agent {

template <typename Record>
class UpdateStream {
 public:
  using Traits = UpdateRecordTraits<Record>;
  using Update = typename Traits::Update;

  // Without a log nothing is written.
  explicit UpdateStream(std::optional<RecordLog> log) : log_(std::move(log)) {}

  bool checkpointed() const { return log_.has_value(); }

  // What a log says happened; writes nothing.
  void replay(const UpdateHistory<Record>& history);

  // False: known already. When it returns true, the update is in the log.
  base::Result<bool> add(const Update& update);

  // Takes the head, whose uuid this must be (kConflict), off the queue. The rest is dropped if it
  // was terminal: the stream has ended.
  base::Result<Update> acknowledge(const std::string& uuid);

  // Nothing to send until the next add().
  bool empty() const { return queue_.empty(); }
  bool ended() const { return ended_; }
  const Update& head() const { return queue_.front(); }
  const Update& newest() const { return queue_.back(); }
  const std::list<Update>& queue() const { return queue_; }
  size_t bytes() const { return bytes_; }  // of the queue, encoded

 private:
  void push(const Update& update);
  void pop();

  std::optional<RecordLog> log_;
  std::list<Update> queue_;  // not a deque, which takes memory also when it is empty
  size_t bytes_ = 0;
  std::set<std::string> known_;  // uuids of all updates that have come, acknowledged or not
  bool ended_ = false;           // a terminal update is acknowledged
};

extern template class UpdateStream<mesos::internal::StatusUpdateRecord>;
extern template class UpdateStream<mesos::internal::UpdateOperationStatusRecord>;

}  // namespace agent
