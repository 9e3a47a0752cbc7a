// How much executors can make the agent keep of what they report: updates wait until their
// scheduler has acknowledged them, which may be never.
#pragma once

#include <map>
#include <set>
#include <string>

#include "agent/state.h"
#include "agent/tasks/executor_key.h"
#include "agent/tasks/update_streams.h"
#include "base/result.h"

namespace agent {

class UpdateRoom {
 public:
  // What waits is asked of the streams, which must outlive this.
  explicit UpdateRoom(const UpdateStreams& streams) : streams_(streams) {}

  // Whether an update that an executor of this framework reports may be kept. The end of a task
  // that the agent knows always may, which happens once; and what tells nothing new takes no room.
  // `executor`: the one that has the task, nullptr if the agent does not know it.
  base::Status check(const Framework& framework, const Executor* executor,
                     const mesos::internal::StatusUpdate& update);

  // When the executor, or the framework, has gone.
  void forget_executor(const ExecutorKey& key) { strangers_.erase(key); }
  void forget_framework(const std::string& id) { strangers_.erase({id, {}}); }

 private:
  base::Status check_strangers(const Framework& framework,
                               const mesos::internal::StatusUpdate& update);

  const UpdateStreams& streams_;
  // Tasks of which executors report though the agent does not know them, by executor; those of
  // executors that do not exist are under an empty id.
  std::map<ExecutorKey, std::set<std::string>> strangers_;
};

}  // namespace agent
