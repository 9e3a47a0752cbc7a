#include "isolators/cgroups/subsystem.h"

namespace isolators {

base::Status Subsystem::update(const std::string&, const ContainerConfig&) { return {}; }

void Subsystem::start_counting(const std::string&) {}

void Subsystem::stop_counting(const std::string&) {}

base::Status Subsystem::isolate(const ContainerId&, const ContainerConfig&, pid_t) { return {}; }

UsageReader Subsystem::usage_reader(const std::string&) { return nullptr; }

std::optional<base::Task<Limitation>> Subsystem::watch(const std::string&) { return std::nullopt; }

std::optional<Limitation> Subsystem::limitation_at_end(const std::string&) { return std::nullopt; }

}  // namespace isolators
