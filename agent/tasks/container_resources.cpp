#include "agent/tasks/container_resources.h"

namespace agent {

namespace {

double scalar_of(const auto& resources, const std::string& name) {
  double sum = 0;
  for (const auto& resource : resources) {
    if (resource.name() == name) sum += resource.scalar().value();
  }
  return sum;
}

// What has come together for one resource.
struct Sum {
  double value = 0;
  bool limited = false;    // a task has a limit
  bool unlimited = false;  // a task has none

  void add(const auto& task, const std::string& name) {
    const auto limit = task.limits().find(name);
    if (limit != task.limits().end()) {
      limited = true;
      value += limit->second.value();
    } else {
      unlimited = true;
      value += scalar_of(task.resources(), name);
    }
  }
};

}  // namespace

std::map<std::string, double> container_limits(const Executor& executor, bool cgroups_enable_cfs) {
  std::map<std::string, double> limits;
  for (const std::string name : {"cpus", "mem"}) {
    Sum sum;
    sum.value = scalar_of(executor.info.resources(), name);
    for (const auto& task : executor.queued_tasks) sum.add(task, name);
    for (const auto& task : executor.launched_tasks) sum.add(task, name);
    const bool none = name == "cpus" && sum.unlimited && !cgroups_enable_cfs;
    if (sum.limited && !none) limits[name] = sum.value;
  }
  return limits;
}

}  // namespace agent
