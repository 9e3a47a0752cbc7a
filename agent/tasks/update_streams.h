// The streams of status updates, one for each task: an update is kept, on disk if the framework
// checkpoints, and sent again and again until the master acknowledges it for the scheduler. Only
// then is the next one sent.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/tasks/retries.h"
#include "agent/tasks/update_stream.h"
#include "base/result.h"
#include "proto/mesos/internal/messages.pb.h"

namespace agent {

// Belongs to the event loop's thread. Waits by itself only while a stream has an update that is not
// acknowledged. No file is kept open: a record is appended by open, write and close (some 10 us),
// so that thousands of tasks take no descriptors.
class UpdateStreams {
 public:
  // Called with the head of a stream each time it is to be sent. `latest_state` is not set: the
  // callback knows the task. It may call whatever it likes here, but not destroy this object.
  using Forward = std::function<void(const mesos::internal::StatusUpdate&)>;

  // Starts paused.
  explicit UpdateStreams(Forward forward, RetryIntervals intervals = {});

  enum class Added { kNew, kDuplicate };

  // Takes an update, which must have a uuid. It is sent at once if it is its stream's head and the
  // streams are not paused. `log`: path of task.updates if the framework checkpoints, else none.
  //
  // When it returns, the update is in the file. kDuplicate: it was there before, acknowledged or
  // not. An error: nothing was taken. kInvalid: no uuid. kConflict: earlier updates of this task
  // were checkpointed and this one is not to be, or the other way round.
  base::Result<Added> add(const mesos::internal::StatusUpdate& update,
                          const std::optional<std::string>& log);

  struct Acknowledged {
    mesos::internal::StatusUpdate update;
    bool terminal = false;  // the stream has ended; updates that came later were dropped
  };

  // Takes the head off its stream and sends the next. kNotFound: there is no such stream.
  // kConflict: `uuid` (16 bytes) is not that of the head. Other errors: the acknowledgement could
  // not be written, so the update stays and is sent again.
  base::Result<Acknowledged> acknowledge(const std::string& framework, const std::string& task,
                                         const std::string& uuid);

  // Between them nothing is sent. resume() sends every head at once and counts its interval anew,
  // also if nothing was paused.
  void pause();
  void resume();

  // Takes over what recover_meta() has found. A stream that has ended becomes none. kAlreadyExists
  // if there is a stream of this task.
  base::Status recover(const std::string& framework, const std::string& task,
                       const std::string& log,
                       const std::vector<mesos::internal::StatusUpdate>& updates,
                       const std::set<std::string>& acknowledged);

  // Forgets streams; files stay.
  void drop(const std::string& framework, const std::string& task);
  void drop_framework(const std::string& framework);

  // What is waiting to be acknowledged: nullptr if nothing is. Valid until the next call.
  const mesos::internal::StatusUpdate* head(const std::string& framework,
                                            const std::string& task) const;

  // Updates that wait, oldest first, and whether there are any.
  std::vector<mesos::internal::StatusUpdate> pending(const std::string& framework,
                                                     const std::string& task) const;

  // How much that is, encoded; nothing if there is no stream, that is if nothing was added since
  // the last terminal update was acknowledged.
  std::optional<size_t> bytes(const std::string& framework, const std::string& task) const;

  size_t streams() const { return streams_.size(); }

 private:
  using Stream = UpdateStream<mesos::internal::StatusUpdateRecord>;

  void send(const std::string& key);
  void send_and_retry(const std::string& key);

  const Forward forward_;
  bool paused_ = true;
  std::map<std::string, Stream> streams_;  // by framework, NUL, task
  Retries retries_;                        // last: it calls send()
};

}  // namespace agent
