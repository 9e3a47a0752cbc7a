// Resources as messages of a master bring them.
#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

// Brings each resource into the present form (agent/resource_format.h), and says for which role it
// is allocated where the message does not, which can only be if the framework has a single role.
void complete_resources(const mesos::v1::FrameworkInfo& framework,
                        google::protobuf::RepeatedPtrField<mesos::v1::Resource>* resources);

}  // namespace agent
