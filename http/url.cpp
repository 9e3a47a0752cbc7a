#include "http/url.h"

#include <algorithm>
#include <utility>

namespace http {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

base::Result<std::string> decode(std::string_view text, bool plus_is_blank) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_blank) {
      out += ' ';
    } else if (text[i] == '%') {
      const int high = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return base::fail(base::ErrorKind::kInvalid, "Malformed % escape in '" + std::string(text) +
                                                         "': '" + std::string(text.substr(i, 3)) +
                                                         "'");
      }
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

base::Result<std::string> percent_decode(std::string_view text) { return decode(text, false); }

const std::string* Query::find(std::string_view name) const {
  const auto found = std::ranges::find(parameters_, name, &Parameter::name);
  return found == parameters_.end() ? nullptr : &found->value;
}

void Query::set(std::string name, std::string value) {
  const auto found = std::ranges::find(parameters_, name, &Parameter::name);
  if (found != parameters_.end()) {
    found->value = std::move(value);
  } else {
    parameters_.push_back({std::move(name), std::move(value)});
  }
}

base::Result<Query> parse_query(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find_first_of("&;"));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    TRY(std::string name, decode(pair.substr(0, equals), true));
    TRY(std::string value, decode(pair.substr(std::min(pair.size(), equals + 1)), true));
    query.set(std::move(name), std::move(value));
  }
  return query;
}

base::Result<Target> split_target(std::string_view target) {
  target = target.substr(0, target.find('#'));
  if (!target.starts_with('/')) {
    const size_t scheme = target.find("://");
    if (scheme != std::string_view::npos && scheme < target.find_first_of("/?")) {
      const size_t path = target.find_first_of("/?", scheme + 3);
      target = path == std::string_view::npos ? "/" : target.substr(path);
      if (target.starts_with('?')) return Target{"/", target.substr(1)};
    }
  }
  if (!target.starts_with('/')) {
    return base::fail(base::ErrorKind::kInvalid, "Request URL path must start with '/'");
  }
  const size_t mark = std::min(target.find('?'), target.size());
  return Target{target.substr(0, mark), target.substr(std::min(target.size(), mark + 1))};
}

}  // namespace http
