// Operations on the agent's own resources: what masters reserve and what volumes they make for
// frameworks and operators. (Operations on resources of providers are not of here.)
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/meta/recovered.h"
#include "agent/meta/resource_store.h"
#include "agent/operations/conversion.h"
#include "agent/tasks/retries.h"
#include "agent/tasks/update_stream.h"
#include "base/line.h"
#include "base/result.h"
#include "base/task.h"
#include "proto/mesos/internal/messages.pb.h"

namespace agent {

// Belongs to the event loop's thread. Whatever changes something waits its turn, in the order of
// the calls; only deleting a volume takes long, and is done on a worker. Everything else is written
// before the call returns, so that a task that the master launches right after an operation finds
// what that has made. (For one that comes while a volume is being deleted: settled().)
class Operations {
 public:
  using Send = std::function<void(const mesos::internal::UpdateOperationStatusMessage&)>;

  // `configured` are the resources that the flags describe. `send` is called with each status that
  // is to go to the master; it may call what it likes here, but not destroy this object. Starts
  // paused.
  Operations(const std::string& work_dir, const std::vector<mesos::v1::Resource>& configured,
             Send send, RetryIntervals intervals = {});

  Operations(const Operations&) = delete;
  Operations& operator=(const Operations&) = delete;
  // A deletion that is under way is cut off: so the agent's end need not wait for it, and the next
  // start goes on with it.
  ~Operations() { stop_.request_stop(); }

  // Takes over what recover_meta() has found, once, before anything else. An error is fatal for the
  // agent: kConflict if the configured resources do not have what was checkpointed.
  base::Status recover(const RecoveredAgent& recovered);

  // Finishes what a crash has interrupted and recover() has not: from the first deletion of a
  // volume on. To be started right after recover(): all that comes later waits its turn. Those
  // operations count as done already, so nobody can use the volume. An error is fatal, as of
  // apply().
  base::Task<base::Status> finish_recovery();

  // The agent's id, which is in every status and in paths: after the first registration, and, if
  // there is one, before recover(), which sets it too.
  void set_agent(const std::string& agent_id);

  // Carries the operation out and sends its status, OPERATION_FINISHED or, if the resources are not
  // there or it makes no sense, OPERATION_FAILED with the reason. Not again for one that is known.
  // Forgotten, as if it had not come, if its turn has not come by pause(). kInvalid for a message
  // without a proper uuid, which is dropped. kInternal is fatal for the agent: it could not be
  // written down or its volumes not be made or deleted; a restart carries it out.
  base::Task<base::Status> apply(mesos::internal::ApplyOperationMessage message);

  // kNotFound, kConflict: of a status that does not wait for it (or of a provider's operation),
  // which does not matter. kInternal: it could not be written down; a restart sends the status
  // again.
  base::Task<base::Status> acknowledge(mesos::internal::AcknowledgeOperationStatusMessage message);

  // Sends what is asked for and not known to the asker.
  void reconcile(const mesos::internal::ReconcileOperationsMessage& message);

  // Replaces all checkpointed resources, as masters ask agents that have not the capability
  // RESOURCE_PROVIDER. Errors as of apply(); kConflict if the agent does not have such resources:
  // then nothing is changed.
  base::Task<base::Status> checkpoint_resources(
      mesos::internal::CheckpointResourcesMessage message);

  // Waits for all that has come before.
  base::Task<void> settled();

  // Between them no status is sent. resume() sends every status that waits at once. pause() forgets
  // operations whose turn has not come: a master that registers the agent again is told that they
  // are not known, and resources that are without them.
  void pause();
  void resume();

  // Reservations and volumes, for (Re)registerSlaveMessage; and all that the agent has.
  const ResourceSet& checkpointed_resources() const { return checkpointed_; }
  const ResourceSet& total_resources() const { return total_; }

  // For UpdateSlaveMessage: what is not acknowledged.
  mesos::internal::UpdateSlaveMessage::Operations operations() const;
  bool empty() const { return operations_.empty(); }

  // Whether the agent knows every reservation and volume among these (of a task or an executor),
  // allocated or not. If not: REASON_RESOURCES_UNKNOWN. Other resources do not count here.
  bool contains(const google::protobuf::RepeatedPtrField<mesos::v1::Resource>& resources) const;

 private:
  using Status = mesos::internal::UpdateOperationStatusMessage;
  using Stream = UpdateStream<mesos::internal::UpdateOperationStatusRecord>;
  struct Entry {
    mesos::v1::Operation operation;
    std::optional<Stream> stream;  // none until it is carried out
    bool waits = false;            // its turn has not come: nothing of it is on disk
  };

  base::Status recover_streams(const std::vector<RecoveredOperationStream>& streams);
  base::Status finish_interrupted();
  mesos::internal::ResourceState make_state(const ResourceSet& checkpointed) const;
  base::Status commit_operations();
  base::Task<base::Status> work_on_volumes();
  base::Status begin_finish(const std::string& uuid);
  base::Status end_finish(const std::string& uuid);
  base::Status queue_status(const std::string& uuid);
  mesos::v1::Operation make_operation(const mesos::internal::ApplyOperationMessage& message) const;
  void set_status(mesos::v1::Operation& operation, mesos::v1::OperationState state,
                  const std::string& message);
  Status status_of(const mesos::v1::Operation& operation) const;
  const mesos::v1::Operation* find(
      const mesos::internal::ReconcileOperationsMessage& message,
      const mesos::internal::ReconcileOperationsMessage::Operation& wanted) const;
  void send_head(const std::string& uuid);
  void send_and_retry(const std::string& uuid);
  MetaPaths paths() const { return {work_dir_, agent_id_}; }

  const std::string work_dir_;
  const ResourceSet configured_;
  const Send send_;
  std::string agent_id_;
  ResourceStore store_;
  ResourceSet checkpointed_;
  ResourceSet total_;
  std::map<std::string, Entry> operations_;  // by uuid, as 16 bytes
  bool paused_ = true;
  std::stop_source stop_;
  base::Line line_;  // of those who change something
  Retries retries_;  // last: it calls send_head()
};

}  // namespace agent
