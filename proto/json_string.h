// Strings as JSON writes them.
#pragma once

#include <string>
#include <string_view>

namespace proto {

// Appends text as a JSON string. Only quotes, backslashes and control characters are escaped; all
// other bytes stay as they are, even where they are not UTF-8.
void append_json_string(std::string_view text, std::string* out);

}  // namespace proto
