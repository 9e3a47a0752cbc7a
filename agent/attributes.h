// --attributes: what the operator says about the node, passed on to frameworks as it is.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "proto/mesos/v1/common.pb.h"

namespace agent {

// "name:value;name:value", also separated by line ends; the first colon ends the name. A value is a
// SCALAR, RANGES or TEXT, told apart as parse_value() (agent/value_text.h) does. Blanks around
// names and anywhere in values are dropped. Empty parts are passed over and names may repeat, as
// with Apache Mesos. kInvalid for a part without a colon, with an empty name or value, with
// malformed ranges, or with a set, which attributes cannot be.
base::Result<std::vector<mesos::v1::Attribute>> parse_attributes(std::string_view text);

}  // namespace agent
