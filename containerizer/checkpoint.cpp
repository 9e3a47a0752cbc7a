#include "containerizer/checkpoint.h"

#include <utility>

#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"
#include "proto/record.h"

namespace containerizer {

using base::concat;
using base::fail;
using base::Result;
using base::Status;

namespace {

// They have the environments of containers in them, and with these what is secret.
constexpr mode_t kMode = 0600;

Result<std::string> make_record(const std::string& path,
                                const google::protobuf::MessageLite& message) {
  auto record = proto::make_record(message);
  if (!record)
    return fail(std::move(record).error().with_context(concat("Cannot write '", path, "'")));
  return record;
}

}  // namespace

Status write_checkpoint(const std::string& path, const google::protobuf::MessageLite& message) {
  TRY(const std::string record, make_record(path, message));
  return base::write_file_atomic(path, record, base::Durability::kProcessCrash, kMode);
}

Status write_first_checkpoint(const std::string& path,
                              const google::protobuf::MessageLite& message) {
  TRY(const std::string record, make_record(path, message));
  return base::write_file(path, record, kMode);
}

Status read_checkpoint(const std::string& path, google::protobuf::MessageLite* message) {
  TRY(const std::string content, base::read_file(path));
  proto::RecordReader reader(content);
  const auto body = reader.next();
  if (content.size() < sizeof(uint32_t)) return fail(concat("'", path, "' is cut short"));
  if (!body || reader.offset() != content.size() ||
      !message->ParseFromArray(body->data(), static_cast<int>(body->size()))) {
    return fail(concat("'", path, "' is damaged"));
  }
  return {};
}

Status write_process(const std::string& path, const ProcessRecord& record) {
  return base::write_file(path, concat(record.pid, " ", record.start_time, "\n"), 0600);
}

Result<ProcessRecord> record_process(pid_t pid) {
  TRY(const uint64_t start_time, base::process_start_time(pid));
  return ProcessRecord{pid, start_time};
}

std::optional<pid_t> read_live_process(const std::string& path) {
  auto content = base::read_file(path);
  if (!content || !content->ends_with('\n')) return std::nullopt;
  const auto words = base::split(base::trim(*content), ' ');
  if (words.size() != 2) return std::nullopt;
  const auto pid = base::parse_number<pid_t>(words[0]);
  const auto start_time = base::parse_number<uint64_t>(words[1]);
  if (!pid || !start_time || *pid <= 1) return std::nullopt;
  auto now = base::process_start_time(*pid);
  if (!now || *now != *start_time) return std::nullopt;
  return pid;
}

}  // namespace containerizer
