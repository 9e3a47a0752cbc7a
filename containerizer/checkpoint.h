// The files under a container's runtime directory: one record (proto/record.h) each. They are
// replaced as a whole, so a reader finds the old content or the new; they need not survive power
// loss, because no container does.
#pragma once

#include <google/protobuf/message_lite.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace containerizer {

base::Status write_checkpoint(const std::string& path,
                              const google::protobuf::MessageLite& message);

// The same for a file that nobody has written before, and of which a part is as good as none; it
// costs less.
base::Status write_first_checkpoint(const std::string& path,
                                    const google::protobuf::MessageLite& message);

// Fails on a file that is missing (kNotFound), cut short, or no such message.
base::Status read_checkpoint(const std::string& path, google::protobuf::MessageLite* message);

// A process as it is checkpointed: the pid alone could be somebody else's by now.
struct ProcessRecord {
  pid_t pid = 0;
  uint64_t start_time = 0;  // see base::process_start_time
};
// Not replaced as a whole: it is written once, and a part of it names no process.
base::Status write_process(const std::string& path, const ProcessRecord& record);

// The process that is running now under that pid.
base::Result<ProcessRecord> record_process(pid_t pid);

// The record, if that very process still exists.
std::optional<pid_t> read_live_process(const std::string& path);

}  // namespace containerizer
