// Request targets: path, query, percent-encoding.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace http {

// "%41" is "A"; everything else, '+' too, stands for itself. kInvalid for a '%' that is not
// followed by two hexadecimal digits.
base::Result<std::string> percent_decode(std::string_view text);

// The decoded parameters of a query, each name once.
class Query {
 public:
  struct Parameter {
    std::string name;
    std::string value;
  };

  Query() = default;
  Query(std::initializer_list<Parameter> parameters) : parameters_(parameters) {}

  // nullptr if there is no such parameter. Names are case-sensitive.
  const std::string* find(std::string_view name) const;

  // Replaces the value if the name is there already.
  void set(std::string name, std::string value);

  bool empty() const { return parameters_.empty(); }
  size_t size() const { return parameters_.size(); }
  auto begin() const { return parameters_.begin(); }
  auto end() const { return parameters_.end(); }

 private:
  std::vector<Parameter> parameters_;
};

// "a=1&b=2;c": parameters are separated by '&' or ';', a missing '=' means an empty value, the last
// of several values counts, '+' is a blank. kInvalid for a bad escape.
base::Result<Query> parse_query(std::string_view text);

// The two parts of a request target, still encoded, as views into it.
struct Target {
  std::string_view path;   // begins with '/'
  std::string_view query;  // without the '?'
};

// Takes "/path?query" and "http://host/path?query"; a fragment is dropped. kInvalid if the path
// does not begin with '/' (as in "*" or the "host:port" of CONNECT).
base::Result<Target> split_target(std::string_view target);

}  // namespace http
