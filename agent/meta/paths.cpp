#include "agent/meta/paths.h"

#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <utility>

#include "base/files.h"
#include "base/strings.h"

namespace agent {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::join_path;
using base::Result;
using base::Status;

namespace {

std::string frameworks_in(const std::string& agent) { return join_path(agent, "frameworks"); }

std::string framework_in(const std::string& agent, std::string_view framework) {
  return join_path(frameworks_in(agent), framework);
}

std::string executor_in(const std::string& agent, std::string_view framework,
                        std::string_view executor) {
  return concat(framework_in(agent, framework), "/executors/", executor);
}

}  // namespace

Status check_path_id(std::string_view id) {
  // The longest name that file systems take.
  if (id.empty() || id.size() > NAME_MAX || id == "." || id == "..") {
    return fail(ErrorKind::kInvalid, concat("'", id, "' cannot be the name of a directory"));
  }
  for (const char c : id) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '/' || c == '\\') {
      return fail(ErrorKind::kInvalid,
                  concat("'", id, "' has a character that names must not have"));
    }
  }
  return {};
}

WorkPaths::WorkPaths(const std::string& work_dir)
    : work_dir_(work_dir), meta_(join_path(work_dir, "meta")) {}

std::string WorkPaths::boot_id() const { return join_path(meta_, "boot_id"); }
std::string WorkPaths::resources_dir() const { return join_path(meta_, "resources"); }
std::string WorkPaths::resources_info() const {
  return join_path(resources_dir(), "resources.info");
}
std::string WorkPaths::resources_target() const {
  return join_path(resources_dir(), "resources.target");
}
std::string WorkPaths::operations_state() const {
  return join_path(resources_dir(), "resources_and_operations.state");
}
std::string WorkPaths::operations_target() const {
  return join_path(resources_dir(), "resources_and_operations.target");
}
std::string WorkPaths::meta_agents() const { return join_path(meta_, "slaves"); }
std::string WorkPaths::agents() const { return join_path(work_dir_, "slaves"); }
std::string WorkPaths::latest_agent() const { return join_path(meta_agents(), "latest"); }

MetaPaths::MetaPaths(const std::string& work_dir, std::string agent_id)
    : WorkPaths(work_dir),
      agent_id_(std::move(agent_id)),
      meta_agent_(join_path(meta_agents(), agent_id_)),
      work_agent_(join_path(agents(), agent_id_)) {}

std::string MetaPaths::agent_info() const { return join_path(meta_agent_, "slave.info"); }
std::string MetaPaths::drain_config() const { return join_path(meta_agent_, "drain.config"); }
std::string MetaPaths::operations() const { return join_path(meta_agent_, "operations"); }
std::string MetaPaths::operation(std::string_view uuid) const {
  return join_path(operations(), uuid);
}
std::string MetaPaths::operation_updates(std::string_view uuid) const {
  return join_path(operation(uuid), "operation.updates");
}
std::string MetaPaths::resource_provider_registry() const {
  return join_path(meta_agent_, "resource_provider_registry");
}
std::string MetaPaths::meta_frameworks() const { return frameworks_in(meta_agent_); }
std::string MetaPaths::meta_framework(std::string_view framework) const {
  return framework_in(meta_agent_, framework);
}
std::string MetaPaths::framework_info(std::string_view framework) const {
  return join_path(meta_framework(framework), "framework.info");
}
std::string MetaPaths::framework_pid(std::string_view framework) const {
  return join_path(meta_framework(framework), "framework.pid");
}
std::string MetaPaths::meta_executors(std::string_view framework) const {
  return join_path(meta_framework(framework), "executors");
}
std::string MetaPaths::meta_executor(std::string_view framework, std::string_view executor) const {
  return executor_in(meta_agent_, framework, executor);
}
std::string MetaPaths::executor_info(std::string_view framework, std::string_view executor) const {
  return join_path(meta_executor(framework, executor), "executor.info");
}
std::string MetaPaths::executor_generated(std::string_view framework,
                                          std::string_view executor) const {
  return join_path(meta_executor(framework, executor), "executor_generated_for_command_task");
}
std::string MetaPaths::meta_runs(std::string_view framework, std::string_view executor) const {
  return join_path(meta_executor(framework, executor), "runs");
}
std::string MetaPaths::meta_latest_run(std::string_view framework,
                                       std::string_view executor) const {
  return join_path(meta_runs(framework, executor), "latest");
}
std::string MetaPaths::meta_run(const RunId& run) const {
  return join_path(meta_runs(run.framework, run.executor), run.container);
}
std::string MetaPaths::sentinel(const RunId& run) const {
  return join_path(meta_run(run), "executor.sentinel");
}
std::string MetaPaths::http_marker(const RunId& run) const {
  return join_path(meta_run(run), "http.marker");
}
std::string MetaPaths::forked_pid(const RunId& run) const {
  return join_path(meta_run(run), "pids/forked.pid");
}
std::string MetaPaths::libprocess_pid(const RunId& run) const {
  return join_path(meta_run(run), "pids/libprocess.pid");
}
std::string MetaPaths::meta_tasks(const RunId& run) const {
  return join_path(meta_run(run), "tasks");
}
std::string MetaPaths::meta_task(const RunId& run, std::string_view task) const {
  return join_path(meta_tasks(run), task);
}
std::string MetaPaths::task_info(const RunId& run, std::string_view task) const {
  return join_path(meta_task(run, task), "task.info");
}
std::string MetaPaths::task_updates(const RunId& run, std::string_view task) const {
  return join_path(meta_task(run, task), "task.updates");
}

std::string MetaPaths::work_agent() const { return work_agent_; }
std::string MetaPaths::work_framework(std::string_view framework) const {
  return framework_in(work_agent_, framework);
}
std::string MetaPaths::work_executor(std::string_view framework, std::string_view executor) const {
  return executor_in(work_agent_, framework, executor);
}
std::string MetaPaths::work_runs(std::string_view framework, std::string_view executor) const {
  return join_path(work_executor(framework, executor), "runs");
}
std::string MetaPaths::latest_run(std::string_view framework, std::string_view executor) const {
  return join_path(work_runs(framework, executor), "latest");
}
std::string MetaPaths::sandbox(const RunId& run) const {
  return join_path(work_runs(run.framework, run.executor), run.container);
}

Result<std::optional<std::string>> read_latest(const std::string& link) {
  char target[PATH_MAX];
  const ssize_t size = readlink(link.c_str(), target, sizeof(target));
  if (size < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    return base::fail_errno(concat("readlink '", link, "'"));
  }
  std::string_view name(target, static_cast<size_t>(size));
  while (name.ends_with('/')) name.remove_suffix(1);
  name = name.substr(name.rfind('/') + 1);
  if (!check_path_id(name)) return fail(concat("'", link, "' does not point to a directory"));
  struct stat info{};
  const std::string directory = concat(link.substr(0, link.rfind('/') + 1), name);
  if (stat(directory.c_str(), &info) < 0) {
    if (errno == ENOENT) return std::nullopt;
    return base::fail_errno(concat("stat '", directory, "'"));
  }
  return std::string(name);
}

Status replace_latest(const std::string& link, const std::string& target) {
  const std::string temporary = concat(link, ".", getpid(), ".tmp");
  if (symlink(target.c_str(), temporary.c_str()) < 0) {
    // What a crash of an earlier process with this pid has left.
    if (errno != EEXIST || unlink(temporary.c_str()) < 0 ||
        symlink(target.c_str(), temporary.c_str()) < 0) {
      return base::fail_errno(concat("symlink '", temporary, "'"));
    }
  }
  if (rename(temporary.c_str(), link.c_str()) < 0) {
    const int code = errno;
    unlink(temporary.c_str());
    return base::fail_errno(concat("rename '", link, "'"), code);
  }
  return {};
}

}  // namespace agent
