// Which executor: what is held where a reference would not outlive the executor.
#pragma once

#include <compare>
#include <string>

namespace agent {

struct ExecutorKey {
  std::string framework;
  std::string executor;
  auto operator<=>(const ExecutorKey&) const = default;
};

}  // namespace agent
