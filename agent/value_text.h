// The text form of a mesos.v1.Value, as --resources and --attributes write it, and the arithmetic
// that keeps values in Apache Mesos's normal form.
#pragma once

#include <string_view>

#include "base/result.h"
#include "proto/mesos/v1/common.pb.h"

namespace agent {

// text, from which all blanks are dropped, as
//   1.5          SCALAR, rounded to three decimals
//   [1-5,6-9]    RANGES, in order and coalesced: [1-9]; [] is none
//   {a,b}        SET; {} is empty
// and TEXT otherwise. A range or a set that is malformed is kInvalid, with a message that says what
// was expected, but not of what flag.
base::Result<mesos::v1::Value> parse_value(std::string_view text);

// To three decimals: Mesos keeps scalars as fixed-point numbers of that precision.
double round_scalar(double value);

// Sorts the ranges, and joins those that overlap or touch. Each must have begin <= end.
void coalesce(mesos::v1::Value::Ranges& ranges);

}  // namespace agent
