#include "agent/meta/checkpoints.h"

#include <unistd.h>

#include <memory>

#include "agent/resource_format.h"
#include "base/files.h"
#include "base/strings.h"
#include "proto/record.h"

namespace agent {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Status;

namespace {

// Commands and environments, and with them what is secret, are in these files.
constexpr mode_t kMode = 0600;

// As Apache Mesos writes it for a scheduler that has no address.
constexpr char kHttpSchedulerPid[] = "@0.0.0.0:0";

Status replace_file(const std::string& path, std::string_view content) {
  constexpr auto kDurability = base::Durability::kProcessCrash;
  Status written = base::write_file_atomic(path, content, kDurability, kMode);
  if (written || written.error().kind != ErrorKind::kNotFound) return written;
  TRY_VOID(base::make_directories(path.substr(0, path.rfind('/'))));
  return base::write_file_atomic(path, content, kDurability, kMode);
}

Status touch(const std::string& path) {
  Status written = base::write_file(path, "");
  if (written || written.error().kind != ErrorKind::kNotFound) return written;
  TRY_VOID(base::make_directories(path.substr(0, path.rfind('/'))));
  return base::write_file(path, "");
}

// SlaveInfo has `checkpoint` between the fields that AgentInfo has, and it must be true.
std::string slave_info_bytes(mesos::v1::AgentInfo info) {
  constexpr char kCheckpointIsTrue[] = {7 << 3, 1};
  mesos::v1::AgentInfo behind;
  if (info.has_port()) behind.set_port(info.port());
  if (info.has_domain()) *behind.mutable_domain() = info.domain();
  info.clear_port();
  info.clear_domain();
  info.mutable_unknown_fields()->DeleteByNumber(7);
  std::string bytes;
  info.AppendPartialToString(&bytes);
  bytes.append(kCheckpointIsTrue, sizeof(kCheckpointIsTrue));
  behind.AppendPartialToString(&bytes);
  return bytes;
}

}  // namespace

Status checkpoint_message(const std::string& path, const google::protobuf::Message& message) {
  const std::unique_ptr<google::protobuf::Message> written(message.New());
  written->CopyFrom(message);
  downgrade_resources(*written);
  auto record = proto::make_record(*written);
  if (!record) return fail(std::move(record).error().with_context(concat("'", path, "'")));
  return replace_file(path, *record);
}

Status read_message(const std::string& path, google::protobuf::Message& message) {
  TRY(const std::string content, base::read_file(path));
  if (content.empty()) return fail(ErrorKind::kNotFound, concat("'", path, "' is empty"));
  proto::RecordReader reader(content);
  const auto body = reader.next();
  if (!body || reader.offset() != content.size() ||
      !message.ParseFromArray(body->data(), static_cast<int>(body->size()))) {
    return fail(ErrorKind::kInvalid, concat("'", path, "' is damaged"));
  }
  upgrade_resources(message);
  return {};
}

Status checkpoint_agent(const MetaPaths& paths, const mesos::v1::AgentInfo& info) {
  if (!info.IsInitialized() || info.id().value() != paths.agent_id()) {
    return fail(ErrorKind::kInvalid, "Cannot checkpoint an agent without its id");
  }
  mesos::v1::AgentInfo written = info;
  downgrade_resources(written);
  TRY_VOID(replace_file(paths.agent_info(), proto::frame_record(slave_info_bytes(written))));
  return replace_latest(paths.latest_agent(), paths.meta_agent());
}

Status checkpoint_framework(const MetaPaths& paths, const mesos::v1::FrameworkInfo& info,
                            const std::string& pid) {
  const std::string& id = info.id().value();
  TRY_VOID(checkpoint_message(paths.framework_info(id), info));
  return replace_file(paths.framework_pid(id), pid.empty() ? kHttpSchedulerPid : pid);
}

Status checkpoint_executor(const MetaPaths& paths, const std::string& framework,
                           const mesos::v1::ExecutorInfo& info, bool generated_for_command_task) {
  const std::string& id = info.executor_id().value();
  TRY_VOID(checkpoint_message(paths.executor_info(framework, id), info));
  return replace_file(paths.executor_generated(framework, id),
                      generated_for_command_task ? "1" : "0");
}

Status checkpoint_run(const MetaPaths& paths, const RunId& run) {
  TRY_VOID(base::make_directories(paths.meta_run(run)));
  return replace_latest(paths.meta_latest_run(run.framework, run.executor), paths.meta_run(run));
}

Status checkpoint_forked_pid(const MetaPaths& paths, const RunId& run, pid_t pid) {
  return replace_file(paths.forked_pid(run), concat(pid));
}

Status checkpoint_libprocess_pid(const MetaPaths& paths, const RunId& run, const std::string& pid) {
  return replace_file(paths.libprocess_pid(run), pid);
}

Status mark_http(const MetaPaths& paths, const RunId& run) { return touch(paths.http_marker(run)); }

Status checkpoint_task(const MetaPaths& paths, const RunId& run, const mesos::v1::Task& task) {
  return checkpoint_message(paths.task_info(run, task.task_id().value()), task);
}

Status mark_completed(const MetaPaths& paths, const RunId& run) {
  return touch(paths.sentinel(run));
}

Status checkpoint_drain(const MetaPaths& paths, const mesos::v1::DrainConfig& config) {
  return checkpoint_message(paths.drain_config(), config);
}

Status remove_drain(const MetaPaths& paths) {
  if (unlink(paths.drain_config().c_str()) == 0 || errno == ENOENT) return {};
  return base::fail_errno(concat("unlink '", paths.drain_config(), "'"));
}

}  // namespace agent
