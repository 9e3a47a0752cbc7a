#include "agent/attachments.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "base/files.h"
#include "base/strings.h"
#include "containerizer/paths.h"

namespace agent {

using base::concat;

namespace {

constexpr std::string_view kLog = "/slave/log";

// glog keeps a link to the newest file of each severity.
std::optional<std::string> log_file(const Flags& flags) {
  if (flags.external_log_file) return flags.external_log_file;
  if (!flags.log_dir) return std::nullopt;
  return base::join_path(*flags.log_dir, concat(std::string_view(program_invocation_short_name),
                                                ".", flags.logging_level));
}

std::string standalone_sandboxes(const Agent& agent) {
  return base::join_path(agent.flags.work_dir, containerizer::kChildrenDirectory);
}

// Not by a link: sandboxes that were collected are not attached any more.
bool is_directory(const std::string& path) {
  struct stat info{};
  return lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// Of a name below <work_dir>/containers.
std::optional<Attachment> standalone_sandbox(const Agent& agent, std::string_view name) {
  mesos::v1::ContainerID id;
  id.set_value(std::string(name));
  if (!isolators::validate_container_id(id)) return std::nullopt;
  std::string path = base::join_path(standalone_sandboxes(agent), name);
  if (!is_directory(path)) return std::nullopt;
  return Attachment{path, path};
}

// Later ones take the place of earlier ones: `latest` is the newest run.
void attach_executor(const Agent& agent, const Framework& framework, const Executor& executor,
                     std::map<std::string, Attachment>* to) {
  const std::string runs = concat("/frameworks/", framework.info.id().value(), "/executors/",
                                  executor.info.executor_id().value(), "/runs");
  const auto attach = [&](std::string path) {
    to->insert_or_assign(path, Attachment{.virtual_path = path,
                                          .real_path = executor.sandbox,
                                          .framework_id = framework.info.id().value(),
                                          .executor_id = executor.info.executor_id().value()});
  };
  attach(concat(runs, "/latest"));
  if (!agent.info.has_id()) return;
  const std::string real =
      base::join_path(agent.flags.work_dir, concat("slaves/", agent.info.id().value(), runs));
  attach(concat(real, "/latest"));
  attach(concat(real, "/", executor.container_id.to_string()));
}

std::map<std::string, Attachment> attach_executors(const Agent& agent) {
  std::map<std::string, Attachment> attached;
  const auto attach_all = [&](const Framework& framework) {
    for (const auto& executor : framework.completed_executors) {
      attach_executor(agent, framework, executor, &attached);
    }
    for (const auto& [id, executor] : framework.executors) {
      attach_executor(agent, framework, executor, &attached);
    }
  };
  for (const auto& framework : agent.state.completed_frameworks) attach_all(framework);
  for (const auto& [id, framework] : agent.state.frameworks) attach_all(framework);
  return attached;
}

// What follows `prefix` and a slash in `path`; nothing if the path is not below it.
std::optional<std::string_view> below(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return std::nullopt;
  path.remove_prefix(prefix.size());
  if (path.empty()) return path;
  if (path.front() != '/') return std::nullopt;
  path.remove_prefix(1);
  return path;
}

// A running executor's volumes are shown where it sees them, in its sandbox, though for the agent
// they are elsewhere.
VirtualPath enter_volume(const Agent& agent, VirtualPath path) {
  const auto framework = agent.state.frameworks.find(path.attachment.framework_id);
  if (framework == agent.state.frameworks.end()) return path;
  const auto executor = framework->second.executors.find(path.attachment.executor_id);
  const bool is_present = executor != framework->second.executors.end() &&
                          executor->second.sandbox == path.attachment.real_path;
  const auto container =
      is_present ? agent.containers.find(executor->second.container_id) : nullptr;
  if (container == nullptr) return path;
  for (const auto& volume : container->config().volumes()) {
    if (const auto rest = below(path.rest, volume.container_path())) {
      path.attachment.virtual_path =
          base::join_path(path.attachment.virtual_path, volume.container_path());
      path.attachment.real_path = volume.host_path();
      path.rest = std::string(*rest);
      return path;
    }
  }
  return path;
}

}  // namespace

std::vector<Attachment> list_attachments(const Agent& agent) {
  auto attached = attach_executors(agent);
  std::erase_if(attached, [](const auto& entry) { return !is_directory(entry.second.real_path); });
  if (auto file = log_file(agent.flags)) {
    attached.emplace(kLog, Attachment{std::string(kLog), *std::move(file), true});
  }
  if (const auto names = base::list_directory(standalone_sandboxes(agent))) {
    for (const std::string& name : *names) {
      if (auto sandbox = standalone_sandbox(agent, name)) {
        attached.emplace(sandbox->virtual_path, *sandbox);
      }
    }
  }
  std::vector<Attachment> list;
  for (auto& [path, attachment] : attached) list.push_back(std::move(attachment));
  return list;
}

std::string normalize_virtual_path(std::string_view path) {
  while (path.starts_with("//")) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path);
}

std::optional<VirtualPath> find_attachment(const Agent& agent, const std::string& path) {
  if (path == kLog) {
    if (auto file = log_file(agent.flags)) {
      return VirtualPath{{std::string(kLog), *std::move(file), true}, {}};
    }
    return std::nullopt;
  }
  if (const auto rest = below(path, standalone_sandboxes(agent))) {
    const size_t end = std::min(rest->find('/'), rest->size());
    auto sandbox = standalone_sandbox(agent, rest->substr(0, end));
    if (!sandbox) return std::nullopt;
    return VirtualPath{*std::move(sandbox),
                       std::string(rest->substr(std::min(end + 1, rest->size())))};
  }
  // One executor's paths are never below another's.
  for (auto& [virtual_path, attachment] : attach_executors(agent)) {
    const auto rest = below(path, virtual_path);
    if (rest && is_directory(attachment.real_path)) {
      return enter_volume(agent, {std::move(attachment), std::string(*rest)});
    }
  }
  return std::nullopt;
}

}  // namespace agent
