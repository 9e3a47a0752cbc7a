// Where the agent keeps what it must know again after a restart, and the sandboxes of executors:
// the layout of Apache Mesos, so that either agent can take over the other's work_dir.
//
// Ids are used as names of directories as they are. Masters see to it that they can be: not empty,
// not "." or "..", without slashes and control characters. check_path_id() is for those that come
// from elsewhere.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace agent {

// kInvalid for an id that cannot be the name of a directory.
base::Status check_path_id(std::string_view id);

// What there is in a work_dir whatever the agent's id.
class WorkPaths {
 public:
  explicit WorkPaths(const std::string& work_dir);

  const std::string& work_dir() const { return work_dir_; }
  const std::string& meta() const { return meta_; }
  std::string boot_id() const;

  // Of operations and reservations; see agent/meta/resource_store.h.
  std::string resources_dir() const;
  std::string resources_info() const;
  std::string resources_target() const;
  std::string operations_state() const;
  std::string operations_target() const;

  // The directories of agents: their checkpoints, and their sandboxes.
  std::string meta_agents() const;
  std::string agents() const;
  std::string latest_agent() const;  // a symbolic link in meta_agents()

 private:
  const std::string work_dir_;
  const std::string meta_;
};

// One run of an executor, by ids.
struct RunId {
  std::string framework;
  std::string executor;
  std::string container;
};

// What belongs to one agent id.
class MetaPaths : public WorkPaths {
 public:
  MetaPaths(const std::string& work_dir, std::string agent_id);

  const std::string& agent_id() const { return agent_id_; }

  // <work_dir>/meta/slaves/<agent id>/...
  const std::string& meta_agent() const { return meta_agent_; }
  std::string agent_info() const;
  std::string drain_config() const;
  std::string operations() const;
  std::string operation(std::string_view uuid) const;  // uuid as text
  std::string operation_updates(std::string_view uuid) const;
  std::string resource_provider_registry() const;
  std::string meta_frameworks() const;
  std::string meta_framework(std::string_view framework) const;
  std::string framework_info(std::string_view framework) const;
  std::string framework_pid(std::string_view framework) const;
  std::string meta_executors(std::string_view framework) const;
  std::string meta_executor(std::string_view framework, std::string_view executor) const;
  std::string executor_info(std::string_view framework, std::string_view executor) const;
  std::string executor_generated(std::string_view framework, std::string_view executor) const;
  std::string meta_runs(std::string_view framework, std::string_view executor) const;
  std::string meta_latest_run(std::string_view framework, std::string_view executor) const;
  std::string meta_run(const RunId& run) const;
  std::string sentinel(const RunId& run) const;
  std::string http_marker(const RunId& run) const;
  std::string forked_pid(const RunId& run) const;
  std::string libprocess_pid(const RunId& run) const;
  std::string meta_tasks(const RunId& run) const;
  std::string meta_task(const RunId& run, std::string_view task) const;
  std::string task_info(const RunId& run, std::string_view task) const;
  std::string task_updates(const RunId& run, std::string_view task) const;

  // <work_dir>/slaves/<agent id>/...
  std::string work_agent() const;
  std::string work_framework(std::string_view framework) const;
  std::string work_executor(std::string_view framework, std::string_view executor) const;
  std::string work_runs(std::string_view framework, std::string_view executor) const;
  std::string latest_run(std::string_view framework, std::string_view executor) const;
  std::string sandbox(const RunId& run) const;

 private:
  const std::string agent_id_;
  const std::string meta_agent_;
  const std::string work_agent_;
};

// What a symbolic link `latest` refers to: the last component of where it points, if a directory of
// that name lies beside it. The links are absolute, but what is before their last component is not
// looked at, so a work_dir can be moved. Nothing if there is no link, or it dangles; an error if
// what is there is no link or cannot be read.
base::Result<std::optional<std::string>> read_latest(const std::string& link);

// Makes `link` point to `target`, an absolute path. Whoever looks meanwhile sees the old link or
// the new.
base::Status replace_latest(const std::string& link, const std::string& target);

}  // namespace agent
