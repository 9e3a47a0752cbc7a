#include "agent/attributes.h"

#include <string>

#include "agent/value_text.h"
#include "base/strings.h"

namespace agent {
namespace {

using base::concat;
using mesos::v1::Attribute;
using mesos::v1::Value;

base::Result<Attribute> parse_attribute(std::string_view part) {
  const auto refuse = [part](std::string_view reason) {
    return base::fail(base::ErrorKind::kInvalid,
                      concat("--attributes: cannot take '", part, "': ", reason));
  };
  const size_t colon = part.find(':');
  if (colon == std::string_view::npos) return refuse("expected name:value");
  const std::string_view name = base::trim(part.substr(0, colon));
  const std::string_view text = base::trim(part.substr(colon + 1));
  if (name.empty()) return refuse("expected a name before the colon");
  if (text.empty()) return refuse("expected a value after the colon");
  auto value = parse_value(text);
  if (!value) return refuse(value.error().message);

  Attribute attribute;
  attribute.set_name(std::string(name));
  attribute.set_type(value->type());
  switch (value->type()) {
    case Value::SCALAR:
      attribute.mutable_scalar()->Swap(value->mutable_scalar());
      break;
    case Value::RANGES:
      attribute.mutable_ranges()->Swap(value->mutable_ranges());
      break;
    case Value::TEXT:
      attribute.mutable_text()->Swap(value->mutable_text());
      break;
    case Value::SET:
      return refuse("an attribute cannot be a set; expected a number, ranges or text");
  }
  return attribute;
}

}  // namespace

base::Result<std::vector<Attribute>> parse_attributes(std::string_view text) {
  std::vector<Attribute> attributes;
  for (const std::string_view line : base::split(text, '\n')) {
    for (const std::string_view part : base::split(line, ';')) {
      if (base::trim(part).empty()) continue;
      TRY(Attribute attribute, parse_attribute(base::trim(part)));
      attributes.push_back(std::move(attribute));
    }
  }
  return attributes;
}

}  // namespace agent
