// The two forms of a resource's reservations. Now it is a list, `reservations`, from the outermost
// to the innermost. Older agents and frameworks know one at most, by `role` and `reservation`; and
// Apache Mesos still writes that form to disk where it can.
#pragma once

#include <google/protobuf/message.h>

#include "proto/mesos/v1/resources.pb.h"

namespace agent {

// Brings the resource into the present form; fine if it is in that form.
void upgrade_resource(mesos::v1::Resource& resource);

// The same for every resource in the message, at any depth.
void upgrade_resources(google::protobuf::Message& message);

// Brings all resources in the message into the older form, and says true. If one of them has
// refined reservations, which that form cannot express, nothing is changed. They must be in the
// present form.
bool downgrade_resources(google::protobuf::Message& message);

}  // namespace agent
