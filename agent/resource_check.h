// Which resources an operator may give an agent.
#pragma once

#include <string_view>

#include "base/result.h"
#include "proto/mesos/v1/resources.pb.h"

namespace agent {

// Checks one resource and brings it into the form that parse_resources() (agent/resources.h)
// describes; kInvalid with what was expected if it may not be given.
base::Status normalize_resource(mesos::v1::Resource& resource, std::string_view default_role);

}  // namespace agent
