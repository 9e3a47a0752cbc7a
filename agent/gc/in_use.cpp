#include "agent/gc/in_use.h"

#include <algorithm>
#include <string_view>

#include "agent/meta/paths.h"

namespace agent {

bool is_in_use(const Agent& agent, const std::string& path) {
  const auto takes_away = [&path](std::string_view needed) {
    return needed.starts_with(path) && (needed.size() == path.size() || needed[path.size()] == '/');
  };
  const auto& containers = agent.containers.containers();
  if (std::ranges::any_of(containers, [&](const auto& entry) {
        return takes_away(entry.second->config().directory());
      })) {
    return true;
  }
  if (!agent.info.has_id()) return false;
  const MetaPaths paths(agent.flags.work_dir, agent.info.id().value());
  if (takes_away(paths.work_agent()) || takes_away(paths.agent_info())) return true;
  for (const auto& [framework_id, framework] : agent.state.frameworks) {
    if (takes_away(paths.work_framework(framework_id)) ||
        takes_away(paths.framework_info(framework_id))) {
      return true;
    }
    for (const auto& [executor_id, executor] : framework.executors) {
      const RunId run{framework_id, executor_id, executor.container_id.to_string()};
      if (takes_away(executor.sandbox) || takes_away(paths.meta_tasks(run))) return true;
    }
  }
  return false;
}

}  // namespace agent
