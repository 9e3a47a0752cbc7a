// Control files of lines "KEY NUMBER" ("flat keyed", in the kernel's words), such as memory.stat.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/strings.h"

namespace isolators {

// Calls `take(key, number)` for each line; others are left out.
template <typename Take>
void for_each_key(std::string_view text, Take take) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() < text.size() ? line.size() + 1 : line.size());
    const size_t blank = line.find(' ');
    if (blank == std::string_view::npos) continue;
    if (const auto number = base::parse_number<uint64_t>(line.substr(blank + 1))) {
      take(line.substr(0, blank), *number);
    }
  }
}

}  // namespace isolators
