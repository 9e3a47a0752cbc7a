#include "isolators/isolator.h"

#include "base/scope.h"
#include "base/sync.h"

namespace isolators {

using base::Status;
using base::Task;

Task<Status> Isolator::prepare(const ContainerId&, const ContainerConfig&, LaunchSpec*) {
  co_return {};
}

void Isolator::set_process(const ContainerId&, const ContainerConfig&,
                           const std::shared_ptr<const base::Fd>&) {}

Task<Status> Isolator::isolate(const ContainerId&, pid_t) { co_return {}; }

Status Isolator::update(const ContainerId&, const ContainerConfig&) { return {}; }

std::optional<Task<Limitation>> Isolator::watch(const ContainerId&) { return std::nullopt; }

std::optional<Limitation> Isolator::limitation_at_end(const ContainerId&) { return std::nullopt; }

UsageReader Isolator::usage_reader(const ContainerId&) { return nullptr; }

void Isolator::status(const ContainerId&, mesos::v1::ContainerStatus*) {}

Task<Status> Isolator::cleanup(const ContainerId&) { co_return {}; }

Status Isolator::recover(const ContainerId&, const ContainerConfig&) { return {}; }

namespace {

Task<void> relay(Task<Limitation> watch, base::OneShot<Limitation>* result) {
  result->set(co_await std::move(watch));
}

}  // namespace

Task<Limitation> first_limitation(std::vector<Task<Limitation>> watches) {
  base::OneShot<Limitation> result;
  base::Scope scope;
  for (auto& watch : watches) scope.spawn(relay(std::move(watch), &result));
  co_return co_await result.wait();
}

}  // namespace isolators
