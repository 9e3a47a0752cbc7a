#include "operator_api/byte_range.h"

#include <algorithm>

#include "base/strings.h"

namespace operator_api {

std::expected<std::optional<ByteRange>, RangeError> parse_range(std::string_view header,
                                                                uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  header = base::trim(header);
  if (!base::equals_ignoring_case(header.substr(0, kUnit.size()), kUnit)) return std::nullopt;
  header = base::trim(header.substr(kUnit.size()));
  const size_t dash = header.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view before = header.substr(0, dash);
  const std::string_view after = header.substr(dash + 1);
  const auto first = base::parse_number<uint64_t>(before);
  const auto last = base::parse_number<uint64_t>(after);
  if (before.empty() && last) {  // the last so many bytes
    const uint64_t wanted = std::min(*last, size);
    if (wanted == 0) return std::unexpected(RangeError::kUnsatisfiable);
    return ByteRange{size - wanted, wanted};
  }
  if (!first || (!after.empty() && !last) || (last && *last < *first)) return std::nullopt;
  if (*first >= size) return std::unexpected(RangeError::kUnsatisfiable);
  const uint64_t end = last ? std::min(*last, size - 1) : size - 1;
  return ByteRange{*first, end - *first + 1};
}

}  // namespace operator_api
