#include "agent/meta/recover.h"

#include <glog/logging.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "agent/meta/checkpoints.h"
#include "agent/meta/update_log.h"
#include "agent/resource_format.h"
#include "base/files.h"
#include "base/strings.h"
#include "proto/record.h"

namespace agent {

using base::concat;
using base::Error;
using base::ErrorKind;
using base::fail;
using base::Result;
using base::Status;
using mesos::internal::StatusUpdateRecord;
using mesos::internal::UpdateOperationStatusRecord;
using mesos::v1::ExecutorInfo;

namespace {

constexpr char kBootIdFile[] = "/proc/sys/kernel/random/boot_id";

Result<std::string> read_boot_id() {
  TRY(const std::string text, base::read_file(kBootIdFile));
  return std::string(base::trim(text));
}

bool is_directory(const std::string& path) {
  struct stat info{};
  return lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// How executors of command tasks were named before there was a file that says so.
bool looks_generated(const ExecutorInfo& info) {
  return info.command().value().ends_with("mesos-executor") &&
         info.name().starts_with("Command Executor");
}

// Agents of long ago wrote resources without the role that they are allocated to. There was but one
// then; masters insist on it now.
void allocate_resources(RecoveredExecutor& executor, const mesos::v1::FrameworkInfo& framework) {
  using Capability = mesos::v1::FrameworkInfo::Capability;
  for (const Capability& capability : framework.capabilities()) {
    if (capability.type() == Capability::MULTI_ROLE) return;
  }
  const auto allocate = [&framework](auto& resources) {
    for (mesos::v1::Resource& resource : resources) {
      if (!resource.has_allocation_info()) {
        resource.mutable_allocation_info()->set_role(framework.role());
      }
    }
  };
  allocate(*executor.info.mutable_resources());
  for (RecoveredTask& task : executor.run.tasks) allocate(*task.task.mutable_resources());
}

// Reads it all, and knows what becomes of errors.
class Reader {
 public:
  Reader(const std::string& work_dir, bool strict) : work_(work_dir), strict_(strict) {}

  Result<RecoveredAgent> read() {
    read_boot_id_file();
    TRY_VOID(read_resources());
    TRY(const auto latest, read_latest(work_.latest_agent()));
    if (latest) TRY_VOID(read_agent(*latest));
    for (const std::string& agents : {work_.agents(), work_.meta_agents()}) {
      TRY(const auto names, directories_in(agents));
      for (const std::string& name : names) {
        if (!found_.info || name != *latest) {
          found_.other_agents.push_back(base::join_path(agents, name));
        }
      }
    }
    return std::move(found_);
  }

 private:
  // What becomes of an error in one file: with `strict` it is the result, else it is counted.
  Status note(const Error& error) {
    if (strict_) return fail(error);
    LOG(WARNING) << "Recovery goes on in spite of an error: " << error.message;
    ++found_.errors;
    return {};
  }

  // Nothing if it is missing, empty or, without `strict`, damaged.
  template <typename Message>
  Result<std::optional<Message>> read_optional(const std::string& path) {
    Message message;
    const Status status = read_message(path, message);
    if (status) return message;
    if (status.error().kind != ErrorKind::kNotFound) TRY_VOID(note(status.error()));
    return std::nullopt;
  }

  Result<std::optional<std::string>> read_text(const std::string& path) {
    auto text = base::read_file(path);
    if (text && !text->empty()) return *std::move(text);
    if (!text && text.error().kind != ErrorKind::kNotFound) TRY_VOID(note(text.error()));
    return std::nullopt;
  }

  // Without `strict`, what comes before the damage.
  template <typename Record>
  Result<UpdateHistory<Record>> read_log(const std::string& path) {
    std::optional<Error> damage;
    auto history = read_update_log<Record>(path, strict_ ? nullptr : &damage);
    if (!history) {
      TRY_VOID(note(history.error()));
      return UpdateHistory<Record>();
    }
    if (damage) TRY_VOID(note(*damage));
    return *std::move(history);
  }

  // Names of directories only, so that files which a crash has left beside them do not count.
  Result<std::vector<std::string>> directories_in(const std::string& path) {
    auto names = base::list_directory(path);
    if (!names) {
      if (names.error().kind != ErrorKind::kNotFound) TRY_VOID(note(names.error()));
      return std::vector<std::string>();
    }
    std::erase_if(*names, [&path](const std::string& name) {
      return !is_directory(base::join_path(path, name));
    });
    return *std::move(names);
  }

  Status wrong_id(const std::string& path, const std::string& found) {
    return note(Error(ErrorKind::kInvalid,
                      concat("'", path, "' is of '", found, "', so it is in the wrong place")));
  }

  void discard(const std::string& path) {
    if (is_directory(path)) found_.garbage.push_back(path);
  }

  void read_boot_id_file() {
    const auto stored = base::read_file(work_.boot_id());
    const auto now = read_boot_id();
    if (stored && now) {
      found_.rebooted = base::trim(*stored) != *now;
    } else if (!now || stored.error().kind != ErrorKind::kNotFound) {
      LOG(WARNING) << "Cannot tell whether the host was rebooted, so it counts as not: "
                   << (now ? stored.error() : now.error()).message;
    }
  }

  // Resources one after the other, as older agents write them.
  Result<std::optional<mesos::internal::ResourceState>> read_resource_list(
      const std::string& path) {
    auto content = base::read_file(path);
    if (!content) {
      if (content.error().kind != ErrorKind::kNotFound) TRY_VOID(note(content.error()));
      return std::nullopt;
    }
    mesos::internal::ResourceState state;
    proto::RecordReader reader(*content);
    bool whole = true;
    while (const auto body = reader.next()) {
      whole = whole &&
              state.add_resources()->ParseFromArray(body->data(), static_cast<int>(body->size()));
    }
    if (!whole || reader.offset() != content->size()) {
      TRY_VOID(note(Error(ErrorKind::kInvalid, concat("'", path, "' is damaged"))));
      return std::nullopt;
    }
    upgrade_resources(state);
    return state;
  }

  Status read_resources() {
    using mesos::internal::ResourceState;
    RecoveredResources& resources = found_.resources;
    TRY(auto committed, read_optional<ResourceState>(work_.operations_state()));
    if (!committed) {
      TRY(committed, read_resource_list(work_.resources_info()));
    }
    if (committed) resources.committed = *std::move(committed);
    TRY(resources.target, read_optional<ResourceState>(work_.operations_target()));
    if (!resources.target) {
      // Of an agent that knew no operations, or did not come to write them.
      TRY(resources.target, read_resource_list(work_.resources_target()));
      if (resources.target) {
        *resources.target->mutable_operations() = resources.committed.operations();
      }
    }
    return {};
  }

  Status read_agent(const std::string& id) {
    const MetaPaths paths(work_.work_dir(), id);
    TRY(auto info, read_optional<mesos::v1::AgentInfo>(paths.agent_info()));
    if (!info) return {};
    if (info->id().value() != id) return wrong_id(paths.agent_info(), info->id().value());
    found_.info = *std::move(info);

    mesos::v1::DrainConfig drain;
    const Status read = read_message(paths.drain_config(), drain);
    if (read) {
      found_.drain = std::move(drain);
    } else if (read.error().kind != ErrorKind::kNotFound) {
      LOG(WARNING) << "The agent is not draining any more: " << read.error().message;
    }

    TRY(const auto frameworks, directories_in(paths.meta_frameworks()));
    for (const std::string& framework : frameworks) TRY_VOID(read_framework(paths, framework));
    return read_operation_streams(paths);
  }

  Status read_operation_streams(const MetaPaths& paths) {
    TRY(const auto uuids, directories_in(paths.operations()));
    for (const std::string& uuid : uuids) {
      RecoveredOperationStream stream;
      stream.uuid = uuid;
      stream.log = paths.operation_updates(uuid);
      TRY(auto history, read_log<UpdateOperationStatusRecord>(stream.log));
      stream.updates = std::move(history.updates);
      stream.acknowledged = std::move(history.acknowledged);
      found_.operation_streams.push_back(std::move(stream));
    }
    return {};
  }

  Status read_framework(const MetaPaths& paths, const std::string& id) {
    TRY(auto framework, read_framework_files(paths, id));
    if (framework) {
      const size_t before = found_.garbage.size();
      TRY(const auto executors, directories_in(paths.meta_executors(id)));
      for (const std::string& executor : executors) {
        TRY(auto recovered, read_executor(paths, id, executor));
        if (!recovered) continue;
        allocate_resources(*recovered, framework->info);
        framework->executors.push_back(*std::move(recovered));
      }
      if (!framework->executors.empty()) {
        found_.frameworks.push_back(*std::move(framework));
        return {};
      }
      found_.garbage.resize(before);  // they are within what is next
    }
    discard(paths.work_framework(id));
    discard(paths.meta_framework(id));
    return {};
  }

  Result<std::optional<RecoveredFramework>> read_framework_files(const MetaPaths& paths,
                                                                 const std::string& id) {
    RecoveredFramework framework;
    TRY(auto info, read_optional<mesos::v1::FrameworkInfo>(paths.framework_info(id)));
    if (!info) return std::nullopt;
    if (info->id().value() != id) {
      TRY_VOID(wrong_id(paths.framework_info(id), info->id().value()));
      return std::nullopt;
    }
    TRY(auto pid, read_text(paths.framework_pid(id)));
    if (!pid) return std::nullopt;
    framework.info = *std::move(info);
    framework.pid = *std::move(pid);
    return framework;
  }

  Result<std::optional<RecoveredExecutor>> read_executor(const MetaPaths& paths,
                                                         const std::string& framework,
                                                         const std::string& id) {
    TRY(auto executor, read_executor_files(paths, framework, id));
    if (!executor || executor->run.completed) {
      discard(paths.work_executor(framework, id));
      discard(paths.meta_executor(framework, id));
      return executor;
    }
    for (const std::string& runs :
         {paths.work_runs(framework, id), paths.meta_runs(framework, id)}) {
      TRY(const auto containers, directories_in(runs));
      for (const std::string& container : containers) {
        if (container != executor->run.container) discard(base::join_path(runs, container));
      }
    }
    return executor;
  }

  Result<std::optional<RecoveredExecutor>> read_executor_files(const MetaPaths& paths,
                                                               const std::string& framework,
                                                               const std::string& id) {
    RecoveredExecutor executor;
    TRY(auto info, read_optional<ExecutorInfo>(paths.executor_info(framework, id)));
    if (!info) return std::nullopt;
    if (info->executor_id().value() != id) {
      TRY_VOID(wrong_id(paths.executor_info(framework, id), info->executor_id().value()));
      return std::nullopt;
    }
    TRY(const auto latest, read_latest(paths.meta_latest_run(framework, id)));
    if (!latest) return std::nullopt;
    TRY(const auto generated, read_text(paths.executor_generated(framework, id)));
    executor.generated_for_command_task =
        generated ? base::trim(*generated) == "1" : looks_generated(*info);
    executor.info = *std::move(info);
    TRY(executor.run, read_run(paths, {framework, id, *latest}));
    return executor;
  }

  Result<RecoveredRun> read_run(const MetaPaths& paths, const RunId& id) {
    RecoveredRun run;
    run.container = id.container;
    run.completed = base::path_exists(paths.sentinel(id));
    TRY(run.forked_pid, read_forked_pid(paths.forked_pid(id)));
    TRY(run.libprocess_pid, read_text(paths.libprocess_pid(id)));
    run.http = !run.libprocess_pid && base::path_exists(paths.http_marker(id));
    TRY(const auto tasks, directories_in(paths.meta_tasks(id)));
    for (const std::string& task : tasks) {
      TRY(auto recovered, read_task(paths, id, task));
      if (recovered) run.tasks.push_back(*std::move(recovered));
    }
    return run;
  }

  Result<std::optional<pid_t>> read_forked_pid(const std::string& path) {
    if (found_.rebooted) {
      if (base::path_exists(path)) found_.stale_pid_files.push_back(path);
      return std::nullopt;
    }
    TRY(const auto text, read_text(path));
    if (!text) return std::nullopt;
    const auto pid = base::parse_number<pid_t>(base::trim(*text));
    if (!pid || *pid <= 0) {
      return fail(ErrorKind::kInvalid, concat("'", path, "' holds no pid: '", *text, "'"));
    }
    return pid;
  }

  Result<std::optional<RecoveredTask>> read_task(const MetaPaths& paths, const RunId& run,
                                                 const std::string& id) {
    RecoveredTask task;
    TRY(auto info, read_optional<mesos::v1::Task>(paths.task_info(run, id)));
    if (!info) return std::nullopt;
    if (info->task_id().value() != id) {
      TRY_VOID(wrong_id(paths.task_info(run, id), info->task_id().value()));
      return std::nullopt;
    }
    task.task = *std::move(info);
    task.log = paths.task_updates(run, id);
    TRY(auto history, read_log<StatusUpdateRecord>(task.log));
    task.updates = std::move(history.updates);
    task.acknowledged = std::move(history.acknowledged);
    return task;
  }

  const WorkPaths work_;
  const bool strict_;
  RecoveredAgent found_;
};

}  // namespace

Result<RecoveredAgent> recover_meta(const std::string& work_dir, bool strict) {
  return Reader(work_dir, strict).read();
}

Status finish_recovery(const std::string& work_dir, const RecoveredAgent& recovered) {
  for (const std::string& path : recovered.stale_pid_files) {
    if (unlink(path.c_str()) < 0 && errno != ENOENT) {
      return base::fail_errno(concat("unlink '", path, "'"));
    }
  }
  TRY(const std::string boot_id, read_boot_id());
  const WorkPaths paths(work_dir);
  TRY_VOID(base::make_directories(paths.meta()));
  return base::write_file_atomic(paths.boot_id(), boot_id, base::Durability::kProcessCrash, 0600);
}

Status forget_agent(const std::string& work_dir) {
  const std::string link = WorkPaths(work_dir).latest_agent();
  if (unlink(link.c_str()) == 0 || errno == ENOENT) return {};
  return base::fail_errno(concat("unlink '", link, "'"));
}

}  // namespace agent
