// A file to which records (proto/record.h) are appended.
#pragma once

#include <google/protobuf/message_lite.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace agent {

// Open only during append(), so any number of them can be had.
class RecordLog {
 public:
  enum class Sync {
    kNone,   // a record that is appended survives the death of this process
    kWrite,  // and that of the host: O_SYNC
  };

  explicit RecordLog(std::string path, Sync sync = Sync::kNone)
      : path_(std::move(path)), sync_(sync) {}

  const std::string& path() const { return path_; }

  // Appends one record; makes the file (mode 0644) and its directory if need be. After an error the
  // file is as it was: what was written of the record is cut off again, now or, if that fails too,
  // before anything else is appended.
  base::Status append(const google::protobuf::MessageLite& message);

 private:
  std::string path_;
  Sync sync_;
  std::optional<off_t> torn_at_;  // what lies behind this offset must be cut off first
};

// Cuts off what lies behind that size.
base::Status cut_log(const std::string& path, size_t size);

// How much of a log's content is whole records. What follows is what a crash has left of one.
size_t whole_records(std::string_view content);

}  // namespace agent
