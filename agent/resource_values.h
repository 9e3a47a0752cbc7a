// The arithmetic of resources' values: scalars with three decimals, ranges, sets.
#pragma once

#include "proto/mesos/v1/common.pb.h"
#include "proto/mesos/v1/resources.pb.h"

namespace agent {

// Whether all of the second is in the first.
bool covers(const mesos::v1::Value::Scalar& all, const mesos::v1::Value::Scalar& some);
bool covers(const mesos::v1::Value::Ranges& all, const mesos::v1::Value::Ranges& some);
bool covers(const mesos::v1::Value::Set& all, const mesos::v1::Value::Set& some);

// The same of resources' values, which must be of one type.
bool covers_value(const mesos::v1::Resource& all, const mesos::v1::Resource& some);
void add_value(mesos::v1::Resource& total, const mesos::v1::Resource& more);

// What of `less` is not in the total is passed over. Ranges become coalesced.
void subtract_value(mesos::v1::Resource& total, const mesos::v1::Resource& less);

// Nothing, or less.
bool is_empty(const mesos::v1::Resource& resource);

}  // namespace agent
