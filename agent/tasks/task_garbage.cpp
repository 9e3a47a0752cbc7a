#include "agent/tasks/task_garbage.h"

#include <vector>

#include "agent/gc/forgotten.h"
#include "base/worker.h"

namespace agent {

void TaskGarbage::discard_task(const RunId& run, const std::string& task, Age age) const {
  collector_.schedule(checkpoints_.paths().meta_task(run, task), age);
}

// Each run by itself too: if there is another one, the executor's own directories stay. What waits
// of its tasks goes with it, so it need not wait by itself any longer: there may be many.
void TaskGarbage::discard_executor(const RunId& run, bool checkpointed) const {
  const MetaPaths all = checkpoints_.paths();
  std::vector<std::string> directories = {all.work_executor(run.framework, run.executor),
                                          all.sandbox(run)};
  if (checkpointed) {
    collector_.forget(all.meta_run(run));
    directories.push_back(all.meta_executor(run.framework, run.executor));
    directories.push_back(all.meta_run(run));
  }
  for (const auto& directory : directories) collector_.schedule(directory, Age::kFromNow);
}

void TaskGarbage::discard_framework(const std::string& framework, bool checkpointed,
                                    Age age) const {
  const MetaPaths all = checkpoints_.paths();
  collector_.schedule(all.work_framework(framework), age);
  if (checkpointed) collector_.schedule(all.meta_framework(framework), age);
}

void TaskGarbage::keep_framework(const std::string& framework) const {
  const MetaPaths all = checkpoints_.paths();
  collector_.unschedule(all.work_framework(framework));
  collector_.unschedule(all.meta_framework(framework));
}

base::Task<base::Result<bool>> TaskGarbage::reclaim(ExecutorKey key) const {
  const MetaPaths all = checkpoints_.paths();
  const std::string frameworks[] = {all.work_framework(key.framework),
                                    all.meta_framework(key.framework)};
  const std::string executors[] = {all.work_executor(key.framework, key.executor),
                                   all.meta_executor(key.framework, key.executor)};
  // All at once, so that none goes while another one is waited for.
  keep_framework(key.framework);
  for (const auto& directory : executors) collector_.unschedule(directory);
  bool whole = true;
  for (const auto& directory : frameworks) {
    CO_TRY(const bool kept, co_await collector_.reclaim(directory));
    whole = whole && kept;
  }
  for (const auto& directory : executors) {
    CO_TRY_VOID(co_await collector_.reclaim(directory));
  }
  co_return whole;
}

base::Task<void> TaskGarbage::discard_leftovers(const RecoveredAgent& recovered) const {
  std::vector<std::string> garbage = recovered.garbage;
  if (recovered.info) {
    KnownExecutors known;
    for (const auto& framework : recovered.frameworks) {
      for (const auto& executor : framework.executors) {
        known[framework.info.id().value()].insert(executor.info.executor_id().value());
      }
    }
    auto forgotten =
        co_await base::run_on_worker([paths = checkpoints_.paths(), known = std::move(known)] {
          return find_forgotten_sandboxes(paths, known);
        });
    garbage.insert(garbage.end(), forgotten.begin(), forgotten.end());
  }
  for (const auto& directory : garbage) collector_.schedule(directory, Age::kAsOnDisk);
  // Nobody has looked after these for as long as their agent was not this one.
  for (const auto& directory : recovered.other_agents) {
    collector_.schedule(directory, Age::kFromNow);
  }
}

}  // namespace agent
