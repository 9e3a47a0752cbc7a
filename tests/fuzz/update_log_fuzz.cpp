// A log of status updates that was damaged in any way is refused as it is or read; after what was
// read, updates can be added, and a restart finds them all.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/meta/update_log.h"
#include "agent/tasks/update_stream.h"
#include "base/files.h"
#include "tests/scratch.h"

namespace {

using mesos::internal::StatusUpdate;
using mesos::internal::StatusUpdateRecord;
using Stream = agent::UpdateStream<StatusUpdateRecord>;

void require(bool holds) {
  if (!holds) std::abort();
}

Stream open_stream(const std::string& path) {
  Stream stream{agent::RecordLog(path)};
  const auto history = agent::read_update_log<StatusUpdateRecord>(path);
  require(history.has_value());
  stream.replay(*history);
  return stream;
}

// What of an update a stream looks at; of unknown fields the order may change.
std::string pending(const Stream& stream) {
  std::string text;
  for (const StatusUpdate& update : stream.queue()) {
    text += std::to_string(update.uuid().size()) + update.uuid() +
            std::to_string(update.status().state()) + ";";
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const tests::ScratchDirectory scratch;
  static const std::string path = scratch / "task.updates";
  static const google::protobuf::LogSilencer quiet;

  const std::string_view content(reinterpret_cast<const char*>(data), size);
  require(base::write_file(path, content).has_value());
  const auto history = agent::read_update_log<StatusUpdateRecord>(path);
  if (!history) {
    require(*base::read_file(path) == content);
    return 0;
  }
  require(content.starts_with(*base::read_file(path)));

  Stream stream = open_stream(path);
  const bool had_ended = stream.ended();
  StatusUpdate update;
  update.mutable_framework_id()->set_value("f");
  update.mutable_status()->mutable_task_id()->set_value("t");
  update.mutable_status()->set_state(mesos::v1::TASK_FINISHED);
  update.set_timestamp(1);
  update.set_uuid("a uuid of no seed");
  const auto added = stream.add(update);
  require(added.has_value());
  // What comes after the end of a stream is not found again: there is nobody to wait for it.
  if (had_ended) return 0;
  // Nor is there an agent that writes acknowledgements in another order than that of the updates.
  for (const StatusUpdate& waiting : stream.queue()) {
    if (history->acknowledged.contains(waiting.uuid())) return 0;
  }
  require(pending(open_stream(path)) == pending(stream));

  while (!stream.empty()) {
    const std::string uuid = stream.head().uuid();
    const auto acknowledged = stream.acknowledge(uuid);
    require(acknowledged.has_value());
    // An update without a uuid cannot be acknowledged on disk.
    if (uuid.empty()) return 0;
    require(pending(open_stream(path)) == pending(stream));
  }
  require(stream.ended());
  return 0;
}
