#include "agent/role.h"

#include "base/strings.h"

namespace agent {

base::Status check_role(std::string_view role) {
  const auto refuse = [role](std::string_view reason) {
    return base::fail(base::ErrorKind::kInvalid,
                      base::concat("'", role, "' is not the name of a role: ", reason));
  };
  if (role == "*") return {};
  if (role.empty()) return refuse("it is empty");
  for (const char c : role) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte == 0x7f) return refuse("it contains a blank or a control character");
  }
  for (const std::string_view component : base::split(role, '/')) {
    if (component.empty()) return refuse("it begins or ends with a slash, or has two in a row");
    if (component == "." || component == ".." || component == "*") {
      return refuse(base::concat("'", component, "' cannot be a part of it"));
    }
    if (component.front() == '-') return refuse("a part of it begins with '-'");
  }
  return {};
}

}  // namespace agent
