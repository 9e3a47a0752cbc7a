#include "agent/agent.h"

#include <string>
#include <vector>

#include "agent/gc/in_use.h"
#include "base/files.h"
#include "containerizer/paths.h"

namespace agent {

namespace {

GarbageCollector::Options collector_options(const Agent& agent) {
  GarbageCollector::Options options;
  options.work_dir = agent.flags.work_dir;
  options.delay = agent.flags.gc_delay;
  options.disk_headroom = agent.flags.gc_disk_headroom;
  options.disk_watch_interval = agent.flags.disk_watch_interval;
  options.in_use = [&agent](const std::string& path) { return is_in_use(agent, path); };
  return options;
}

// Those of executors are no matter of the containerizer's.
containerizer::Services with_collector(containerizer::Services services, const Flags& flags,
                                       GarbageCollector* garbage) {
  if (flags.gc_non_executor_container_sandboxes) services.sandbox_collector = garbage;
  return services;
}

}  // namespace

Agent::Agent(Flags flags_, mesos::v1::AgentInfo info_, containerizer::Services services)
    : flags(std::move(flags_)),
      info(std::move(info_)),
      request_bodies(kLargeRequests * flags.max_request_size.count()),
      garbage(collector_options(*this)),
      containers(with_collector(std::move(services), flags, &garbage)) {
  if (flags.resource_provider_config_dir) {
    resource_provider_configs.emplace(*flags.resource_provider_config_dir);
  }
  if (flags.acls) authorizer.emplace(*flags.acls);
}

void start_garbage_collection(Agent& agent) {
  agent.garbage.start();
  if (!agent.flags.gc_non_executor_container_sandboxes) return;
  // Of standalone containers that even their terminations are forgotten of.
  const std::string directory =
      base::join_path(agent.flags.work_dir, containerizer::kChildrenDirectory);
  const auto names = base::list_directory(directory);
  for (const auto& name : names ? *names : std::vector<std::string>()) {
    const std::string sandbox = base::join_path(directory, name);
    if (!is_in_use(agent, sandbox)) {
      agent.garbage.schedule(sandbox, GarbageCollector::Age::kAsOnDisk);
    }
  }
}

}  // namespace agent
