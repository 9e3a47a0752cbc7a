#include "agent/tasks/update_streams.h"

#include <utility>

#include "base/strings.h"

namespace agent {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;
using base::Status;
using mesos::internal::StatusUpdate;
using mesos::internal::StatusUpdateRecord;

namespace {

// No id has this character in it, so the streams of a framework are side by side.
constexpr char kSeparator = '\0';

std::string key_of(const std::string& framework, const std::string& task) {
  return concat(framework, kSeparator, task);
}

std::string describe(const std::string& framework, const std::string& task) {
  return concat("task ", task, " of framework ", framework);
}

}  // namespace

UpdateStreams::UpdateStreams(Forward forward, RetryIntervals intervals)
    : forward_(std::move(forward)),
      retries_([this](const std::string& key) { send(key); }, intervals) {}

Result<UpdateStreams::Added> UpdateStreams::add(const StatusUpdate& update,
                                                const std::optional<std::string>& log) {
  const std::string& framework = update.framework_id().value();
  const std::string& task = update.status().task_id().value();
  if (update.uuid().empty()) {
    return fail(ErrorKind::kInvalid,
                concat("An update of ", describe(framework, task), " has no uuid"));
  }
  const std::string key = key_of(framework, task);
  auto at = streams_.find(key);
  if (at == streams_.end()) {
    Stream stream(log ? std::optional(RecordLog(*log)) : std::nullopt);
    // A log is there if the stream has ended already: then this may be the last update of it, which
    // the executor, not having heard of that, sends again.
    if (log) {
      TRY(const auto history, read_update_log<StatusUpdateRecord>(*log));
      stream.replay(history);
    }
    TRY(const bool added, stream.add(update));
    if (!added && stream.empty()) return Added::kDuplicate;
    at = streams_.emplace(key, std::move(stream)).first;
    send_and_retry(key);
    return added ? Added::kNew : Added::kDuplicate;
  }
  Stream& stream = at->second;
  if (stream.checkpointed() != log.has_value()) {
    return fail(ErrorKind::kConflict, concat("Updates of ", describe(framework, task), " are ",
                                             stream.checkpointed() ? "" : "not ",
                                             "checkpointed, and this one is to be otherwise"));
  }
  const bool idle = stream.empty();
  TRY(const bool added, stream.add(update));
  if (!added) return Added::kDuplicate;
  if (idle) send_and_retry(key);
  return Added::kNew;
}

Result<UpdateStreams::Acknowledged> UpdateStreams::acknowledge(const std::string& framework,
                                                               const std::string& task,
                                                               const std::string& uuid) {
  const std::string key = key_of(framework, task);
  const auto at = streams_.find(key);
  if (at == streams_.end()) {
    return fail(ErrorKind::kNotFound,
                concat("There are no updates of ", describe(framework, task)));
  }
  Stream& stream = at->second;
  auto update = stream.acknowledge(uuid);
  if (!update) {
    return fail(std::move(update).error().with_context(
        concat("Cannot acknowledge an update of ", describe(framework, task))));
  }
  Acknowledged acknowledged{*std::move(update), stream.ended()};
  retries_.stop(key);
  if (stream.ended()) {
    streams_.erase(at);
  } else if (!stream.empty()) {
    send_and_retry(key);
  }
  return acknowledged;
}

void UpdateStreams::pause() {
  paused_ = true;
  retries_.stop_all();
}

void UpdateStreams::resume() {
  paused_ = false;
  // What is called back may change the streams.
  std::vector<std::string> keys;
  keys.reserve(streams_.size());
  for (const auto& [key, stream] : streams_) keys.push_back(key);
  for (const std::string& key : keys) send_and_retry(key);
}

Status UpdateStreams::recover(const std::string& framework, const std::string& task,
                              const std::string& log, const std::vector<StatusUpdate>& updates,
                              const std::set<std::string>& acknowledged) {
  const std::string key = key_of(framework, task);
  if (streams_.contains(key)) {
    return fail(ErrorKind::kAlreadyExists,
                concat("There are updates of ", describe(framework, task), " already"));
  }
  Stream stream{RecordLog(log)};
  stream.replay({updates, acknowledged});
  if (stream.ended()) return {};
  streams_.emplace(key, std::move(stream));
  send_and_retry(key);
  return {};
}

void UpdateStreams::drop(const std::string& framework, const std::string& task) {
  const std::string key = key_of(framework, task);
  retries_.stop(key);
  streams_.erase(key);
}

void UpdateStreams::drop_framework(const std::string& framework) {
  const std::string prefix = key_of(framework, "");
  for (auto at = streams_.lower_bound(prefix);
       at != streams_.end() && at->first.starts_with(prefix);) {
    retries_.stop(at->first);
    at = streams_.erase(at);
  }
}

const StatusUpdate* UpdateStreams::head(const std::string& framework,
                                        const std::string& task) const {
  const auto at = streams_.find(key_of(framework, task));
  return at == streams_.end() || at->second.empty() ? nullptr : &at->second.head();
}

std::vector<StatusUpdate> UpdateStreams::pending(const std::string& framework,
                                                 const std::string& task) const {
  const auto at = streams_.find(key_of(framework, task));
  if (at == streams_.end()) return {};
  return {at->second.queue().begin(), at->second.queue().end()};
}

std::optional<size_t> UpdateStreams::bytes(const std::string& framework,
                                           const std::string& task) const {
  const auto at = streams_.find(key_of(framework, task));
  if (at == streams_.end()) return std::nullopt;
  return at->second.bytes();
}

// A copy, because the callback may acknowledge it.
void UpdateStreams::send(const std::string& key) {
  const auto at = streams_.find(key);
  if (at == streams_.end() || at->second.empty()) return;
  const StatusUpdate update = at->second.head();
  forward_(update);
}

void UpdateStreams::send_and_retry(const std::string& key) {
  const auto at = streams_.find(key);
  if (paused_ || at == streams_.end() || at->second.empty()) return;
  retries_.start(key);
  send(key);
}

}  // namespace agent
