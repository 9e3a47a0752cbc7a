// What becomes of directories when their task, executor or framework has ended, and when there is
// one of that id again.

#include <glog/logging.h>

#include "agent/gc/forgotten.h"
#include "agent/tasks/tasks.h"
#include "base/worker.h"

namespace agent {

using Age = GarbageCollector::Age;

void Tasks::discard_task(const Framework& framework, const Executor& executor,
                         const std::string& task, Age age) const {
  if (!framework.info.checkpoint()) return;
  agent_.garbage.schedule(paths().meta_task(run_of(framework, executor), task), age);
}

// Each run by itself too: if there is another one, the executor's own directories stay.
void Tasks::discard_executor(const Framework& framework, const Executor& executor) const {
  const RunId run = run_of(framework, executor);
  const MetaPaths all = paths();
  std::vector<std::string> directories = {all.work_executor(run.framework, run.executor),
                                          all.sandbox(run)};
  if (framework.info.checkpoint()) {
    directories.push_back(all.meta_executor(run.framework, run.executor));
    directories.push_back(all.meta_run(run));
  }
  for (const auto& directory : directories) agent_.garbage.schedule(directory, Age::kFromNow);
}

void Tasks::discard_framework(const Framework& framework, Age age) const {
  const std::string& id = framework.info.id().value();
  agent_.garbage.schedule(paths().work_framework(id), age);
  if (framework.info.checkpoint()) agent_.garbage.schedule(paths().meta_framework(id), age);
}

void Tasks::unschedule_framework(const std::string& framework) const {
  agent_.garbage.unschedule(paths().work_framework(framework));
  agent_.garbage.unschedule(paths().meta_framework(framework));
}

// The directories of an executor that there is not yet, and of its framework.
base::Task<base::Status> Tasks::reclaim(ExecutorKey key) {
  const MetaPaths all = paths();
  const std::string frameworks[] = {all.work_framework(key.framework),
                                    all.meta_framework(key.framework)};
  const std::string executors[] = {all.work_executor(key.framework, key.executor),
                                   all.meta_executor(key.framework, key.executor)};
  // All at once, so that none goes while another one is waited for.
  unschedule_framework(key.framework);
  for (const auto& directory : executors) agent_.garbage.unschedule(directory);
  bool whole = true;
  for (const auto& directory : frameworks) {
    CO_TRY(const bool kept, co_await agent_.garbage.reclaim(directory));
    whole = whole && kept;
  }
  for (const auto& directory : executors) {
    CO_TRY_VOID(co_await agent_.garbage.reclaim(directory));
  }
  if (whole) co_return {};
  // What was written when the framework came has gone with the rest.
  if (const Framework* framework = find_framework(key.framework)) checkpoint_framework(*framework);
  co_return {};
}

// What an earlier run of the agent has left.
base::Task<void> Tasks::discard_leftovers(const RecoveredAgent& recovered) {
  std::vector<std::string> garbage = recovered.garbage;
  if (recovered.info) {
    KnownExecutors known;
    for (const auto& framework : recovered.frameworks) {
      for (const auto& executor : framework.executors) {
        known[framework.info.id().value()].insert(executor.info.executor_id().value());
      }
    }
    auto forgotten = co_await base::run_on_worker([paths = paths(), known = std::move(known)] {
      return find_forgotten_sandboxes(paths, known);
    });
    garbage.insert(garbage.end(), forgotten.begin(), forgotten.end());
  }
  for (const auto& directory : garbage) agent_.garbage.schedule(directory, Age::kAsOnDisk);
  // Nobody has looked after these for as long as their agent was not this one.
  for (const auto& directory : recovered.other_agents) {
    agent_.garbage.schedule(directory, Age::kFromNow);
  }
}

}  // namespace agent
