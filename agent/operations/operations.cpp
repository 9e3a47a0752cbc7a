#include "agent/operations/operations.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "agent/meta/volumes.h"
#include "agent/resource_format.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/uuid.h"
#include "base/worker.h"

namespace agent {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;
using base::Task;
using mesos::internal::AcknowledgeOperationStatusMessage;
using mesos::internal::ApplyOperationMessage;
using mesos::internal::CheckpointResourcesMessage;
using mesos::internal::ReconcileOperationsMessage;
using mesos::internal::ResourceState;
using mesos::v1::Offer;
using mesos::v1::Operation;
using mesos::v1::OperationState;
using mesos::v1::Resource;

namespace {

// Uuids are 16 bytes everywhere but in paths and in what people read.
std::string text_of(const std::string& uuid) { return base::uuid_to_text(uuid).value_or("?"); }

// Others are speculative and only changes of what is in memory until they are finished; these have
// directories that must not be left behind.
bool is_checkpointed_while_pending(const Operation& operation) {
  return operation.info().type() == Offer::Operation::CREATE ||
         operation.info().type() == Offer::Operation::DESTROY;
}

bool is_checkpointed(const Operation& operation) {
  const auto& status = operation.latest_status();
  return is_terminal(status.state()) ? status.has_uuid() : is_checkpointed_while_pending(operation);
}

// For errors that the caller must not take for a refusal: the disk does not say what memory does.
base::Status fatal(base::Status done) {
  if (!done) done.error().kind = ErrorKind::kInternal;
  return done;
}

RecordLog log_of(const MetaPaths& paths, const std::string& uuid) {
  return RecordLog(paths.operation_updates(text_of(uuid)), RecordLog::Sync::kWrite);
}

}  // namespace

Operations::Operations(const std::string& work_dir, const std::vector<Resource>& configured,
                       Send send, RetryIntervals intervals)
    : work_dir_(work_dir),
      configured_(configured),
      send_(std::move(send)),
      store_(work_dir),
      total_(configured_),
      retries_([this](const std::string& uuid) { send_head(uuid); }, intervals) {}

void Operations::set_agent(const std::string& agent_id) { agent_id_ = agent_id; }

base::Status Operations::recover(const RecoveredAgent& recovered) {
  TRY_VOID(store_.recover(recovered.resources));
  checkpointed_ = ResourceSet(store_.newest().resources());
  auto total = substitute(configured_, checkpointed_);
  if (!total) {
    return fail(std::move(total).error().with_context(
        "Reserved resources and volumes do not fit the configured resources"));
  }
  total_ = *std::move(total);
  // Operations of an agent with another id nobody asks for any more.
  if (recovered.info) {
    set_agent(recovered.info->id().value());
    for (const Operation& operation : store_.newest().operations()) {
      if (operation.agent_id().value() != agent_id_) continue;
      operations_[operation.uuid().value()].operation = operation;
    }
    TRY_VOID(recover_streams(recovered.operation_streams));
  }
  if (store_.is_changing()) return {};
  TRY_VOID(commit_operations());
  return finish_interrupted();
}

Task<base::Status> Operations::finish_recovery() {
  base::Line::Place place(line_);
  co_await place.turn();
  while (store_.is_changing()) {
    CO_TRY_VOID(co_await work_on_volumes());
    CO_TRY_VOID(fatal(store_.conclude()));
    CO_TRY_VOID(commit_operations());
    CO_TRY_VOID(finish_interrupted());
  }
  co_return {};
}

base::Status Operations::recover_streams(const std::vector<RecoveredOperationStream>& streams) {
  for (const RecoveredOperationStream& recovered : streams) {
    const auto uuid = base::uuid_to_bytes(recovered.uuid);
    const auto entry = uuid ? operations_.find(*uuid) : operations_.end();
    const bool known = entry != operations_.end();
    Stream stream(RecordLog(recovered.log, RecordLog::Sync::kWrite));
    stream.replay({recovered.updates, recovered.acknowledged});
    if (known && !stream.empty()) {
      entry->second.stream = std::move(stream);
      continue;
    }
    // A crash came between the last acknowledgement and the end of all that is known of it. Or,
    // if nothing has ended, before the first status: that one is queued again.
    if (known && !stream.ended()) continue;
    if (known) operations_.erase(entry);
    TRY_VOID(base::remove_tree(paths().operation(recovered.uuid)));
  }
  return {};
}

// Up to the first that deletes a volume, which is left under way.
base::Status Operations::finish_interrupted() {
  std::vector<std::string> interrupted;
  for (const auto& [uuid, entry] : operations_) {
    if (!entry.stream && !entry.waits) interrupted.push_back(uuid);
  }
  for (const std::string& uuid : interrupted) {
    if (is_terminal(operations_[uuid].operation.latest_status().state())) {
      TRY_VOID(queue_status(uuid));
      continue;
    }
    TRY_VOID(begin_finish(uuid));
    if (store_.deletes_volumes()) return {};
    if (const auto work = store_.volume_work()) TRY_VOID(fatal(work()));
    TRY_VOID(end_finish(uuid));
  }
  return {};
}

Task<base::Status> Operations::apply(ApplyOperationMessage message) {
  const std::string& uuid = message.operation_uuid().value();
  if (!base::uuid_to_text(uuid)) {
    co_return fail(ErrorKind::kInvalid, "An operation has no proper uuid");
  }
  if (agent_id_.empty()) {
    co_return fail(ErrorKind::kInvalid, "An operation has come before the agent is registered");
  }
  if (operations_.contains(uuid)) {
    LOG(WARNING) << "Operation " << text_of(uuid) << " has come again";
    co_return {};
  }
  operations_.emplace(uuid, Entry{make_operation(message), std::nullopt, true});
  base::Line::Place place(line_);
  co_await place.turn();
  // If it was forgotten and has come again, this is the turn of one of the two.
  const auto entry = operations_.find(uuid);
  if (entry == operations_.end() || !entry->second.waits) co_return {};
  entry->second.waits = false;
  if (is_checkpointed_while_pending(entry->second.operation)) CO_TRY_VOID(commit_operations());
  CO_TRY_VOID(begin_finish(uuid));
  CO_TRY_VOID(co_await work_on_volumes());
  co_return end_finish(uuid);
}

mesos::v1::Operation Operations::make_operation(const ApplyOperationMessage& message) const {
  Operation operation;
  if (message.has_framework_id()) *operation.mutable_framework_id() = message.framework_id();
  operation.mutable_agent_id()->set_value(agent_id_);
  *operation.mutable_info() = message.operation_info();
  upgrade_resources(*operation.mutable_info());
  *operation.mutable_uuid() = message.operation_uuid();
  if (operation.info().has_id()) {
    *operation.mutable_latest_status()->mutable_operation_id() = operation.info().id();
  }
  operation.mutable_latest_status()->set_state(mesos::v1::OPERATION_PENDING);
  return operation;
}

// Decides what becomes of a pending operation. From here on it counts as done, for masters too:
// whatever happens, a restart would bring it to this end.
base::Status Operations::begin_finish(const std::string& uuid) {
  Operation& operation = operations_[uuid].operation;
  const auto convert_all = [&]() -> Result<ResourceSet> {
    TRY(const Conversion conversion, convert(operation.info()));
    TRY(ResourceSet total, agent::apply(conversion, total_));
    TRY_VOID(check_volumes(work_dir_, checkpointed_of(total)));
    return total;
  };
  auto total = convert_all();
  if (total) {
    set_status(operation, mesos::v1::OPERATION_FINISHED, "");
    checkpointed_ = checkpointed_of(*total);
    total_ = *std::move(total);
  } else {
    LOG(ERROR) << "Operation " << text_of(uuid) << " has failed: " << total.error().message;
    set_status(operation, mesos::v1::OPERATION_FAILED, total.error().message);
  }
  return fatal(store_.begin(make_state(checkpointed_)));
}

Task<base::Status> Operations::work_on_volumes() {
  auto work = store_.volume_work(stop_.get_token());
  if (!work) co_return {};
  if (!store_.deletes_volumes()) co_return fatal(work());
  co_return fatal(co_await base::run_on_worker(std::move(work)));
}

base::Status Operations::end_finish(const std::string& uuid) {
  TRY_VOID(fatal(store_.conclude()));
  return queue_status(uuid);
}

void Operations::set_status(Operation& operation, OperationState state,
                            const std::string& message) {
  mesos::v1::OperationStatus status;
  if (operation.info().has_id()) *status.mutable_operation_id() = operation.info().id();
  status.set_state(state);
  if (!message.empty()) status.set_message(message);
  status.mutable_uuid()->set_value(base::make_uuid_bytes());
  status.mutable_agent_id()->set_value(agent_id_);
  *operation.mutable_latest_status() = status;
  *operation.add_statuses() = std::move(status);
}

Operations::Status Operations::status_of(const Operation& operation) const {
  Status status;
  if (operation.has_framework_id()) *status.mutable_framework_id() = operation.framework_id();
  status.mutable_slave_id()->set_value(agent_id_);
  *status.mutable_status() = operation.latest_status();
  *status.mutable_operation_uuid() = operation.uuid();
  return status;
}

base::Status Operations::queue_status(const std::string& uuid) {
  Entry& entry = operations_[uuid];
  Stream stream(log_of(paths(), uuid));
  const auto added = stream.add(status_of(entry.operation));
  if (!added) return fatal(fail(added.error()));
  entry.stream = std::move(stream);
  send_and_retry(uuid);
  return {};
}

ResourceState Operations::make_state(const ResourceSet& checkpointed) const {
  ResourceState state;
  for (const auto& [uuid, entry] : operations_) {
    if (!entry.waits && is_checkpointed(entry.operation)) {
      *state.add_operations() = entry.operation;
    }
  }
  *state.mutable_resources() = checkpointed.to_proto();
  return state;
}

// With the resources as they are, so nothing here takes long.
base::Status Operations::commit_operations() {
  return fatal(store_.commit(make_state(checkpointed_)));
}

Task<base::Status> Operations::acknowledge(AcknowledgeOperationStatusMessage message) {
  base::Line::Place place(line_);
  co_await place.turn();
  const std::string& uuid = message.operation_uuid().value();
  const auto entry = operations_.find(uuid);
  if (message.has_resource_provider_id() || entry == operations_.end() || !entry->second.stream) {
    co_return fail(ErrorKind::kNotFound, concat("There is no operation ", text_of(uuid)));
  }
  Stream& stream = *entry->second.stream;
  auto acknowledged = stream.acknowledge(message.status_uuid().value());
  if (!acknowledged) {
    co_return fail(
        std::move(acknowledged)
            .error()
            .with_context(concat("Cannot acknowledge a status of operation ", text_of(uuid))));
  }
  retries_.stop(uuid);
  if (!stream.ended()) {
    send_and_retry(uuid);
    co_return {};
  }
  operations_.erase(entry);
  CO_TRY_VOID(commit_operations());
  co_return fatal(base::remove_tree(paths().operation(text_of(uuid))));
}

const Operation* Operations::find(const ReconcileOperationsMessage& message,
                                  const ReconcileOperationsMessage::Operation& wanted) const {
  const auto entry = operations_.find(wanted.operation_uuid().value());
  if (entry != operations_.end()) return &entry->second.operation;
  if (!message.has_framework_id() || !wanted.has_operation_id()) return nullptr;
  for (const auto& [uuid, candidate] : operations_) {
    const Operation& operation = candidate.operation;
    if (operation.framework_id().value() == message.framework_id().value() &&
        operation.info().id().value() == wanted.operation_id().value()) {
      return &operation;
    }
  }
  return nullptr;
}

void Operations::reconcile(const ReconcileOperationsMessage& message) {
  const bool framework_asks = message.has_framework_id();
  for (const auto& wanted : message.operations()) {
    const Operation* operation = find(message, wanted);
    Status answer;
    if (operation != nullptr) {
      // The master has been sent its status, or will be.
      if (!framework_asks) continue;
      answer = status_of(*operation);
      answer.mutable_status()->clear_uuid();
    } else {
      // A master asks providers for theirs, of which there are none.
      if (!framework_asks && wanted.has_resource_provider_id()) continue;
      answer.mutable_slave_id()->set_value(agent_id_);
      answer.mutable_status()->mutable_agent_id()->set_value(agent_id_);
      answer.mutable_status()->set_state(framework_asks ? mesos::v1::OPERATION_UNKNOWN
                                                        : mesos::v1::OPERATION_DROPPED);
      if (wanted.has_operation_uuid()) {
        *answer.mutable_operation_uuid() = wanted.operation_uuid();
      }
      if (framework_asks) {
        *answer.mutable_framework_id() = message.framework_id();
        if (wanted.has_operation_id()) {
          *answer.mutable_status()->mutable_operation_id() = wanted.operation_id();
        }
        if (wanted.has_resource_provider_id()) {
          *answer.mutable_status()->mutable_resource_provider_id() = wanted.resource_provider_id();
        }
      }
    }
    send_(answer);
  }
}

Task<base::Status> Operations::checkpoint_resources(CheckpointResourcesMessage message) {
  base::Line::Place place(line_);
  co_await place.turn();
  ResourceSet checkpointed(message.resources());
  if (!std::ranges::all_of(checkpointed.list(), needs_checkpoint)) {
    co_return fail(ErrorKind::kConflict, "Only reservations and volumes can be checkpointed");
  }
  CO_TRY(ResourceSet total, substitute(configured_, checkpointed));
  if (const auto volumes = check_volumes(work_dir_, checkpointed); !volumes) {
    co_return fail(ErrorKind::kConflict, volumes.error().message);
  }
  CO_TRY_VOID(fatal(store_.begin(make_state(checkpointed))));
  checkpointed_ = std::move(checkpointed);
  total_ = std::move(total);
  CO_TRY_VOID(co_await work_on_volumes());
  co_return fatal(store_.conclude());
}

Task<void> Operations::settled() {
  base::Line::Place place(line_);
  co_await place.turn();
}

void Operations::pause() {
  paused_ = true;
  std::erase_if(operations_, [](const auto& operation) { return operation.second.waits; });
  retries_.stop_all();
}

void Operations::resume() {
  paused_ = false;
  // What is called back may change the operations.
  std::vector<std::string> uuids;
  for (const auto& [uuid, entry] : operations_) uuids.push_back(uuid);
  for (const std::string& uuid : uuids) send_and_retry(uuid);
}

// A copy, because the callback may acknowledge it.
void Operations::send_head(const std::string& uuid) {
  const auto entry = operations_.find(uuid);
  if (entry == operations_.end() || !entry->second.stream || entry->second.stream->empty()) return;
  Status status = entry->second.stream->head();
  *status.mutable_latest_status() = entry->second.stream->newest().status();
  send_(status);
}

void Operations::send_and_retry(const std::string& uuid) {
  const auto entry = operations_.find(uuid);
  if (paused_ || entry == operations_.end() || !entry->second.stream ||
      entry->second.stream->empty()) {
    return;
  }
  retries_.start(uuid);
  send_head(uuid);
}

mesos::internal::UpdateSlaveMessage::Operations Operations::operations() const {
  mesos::internal::UpdateSlaveMessage::Operations operations;
  for (const auto& [uuid, entry] : operations_) *operations.add_operations() = entry.operation;
  return operations;
}

bool Operations::contains(const google::protobuf::RepeatedPtrField<Resource>& resources) const {
  return std::ranges::all_of(resources, [this](Resource resource) {
    upgrade_resource(resource);
    resource.clear_allocation_info();
    return !needs_checkpoint(resource) || checkpointed_.contains(resource);
  });
}

}  // namespace agent
