// What a call of the executor API must have.
#pragma once

#include <string>

#include "proto/mesos/v1/executor/executor.pb.h"

namespace operator_api {

// What is wrong with the call, in the words of Apache Mesos; empty if nothing is. Updates in a
// SUBSCRIBE are not looked at: they were good when they were made.
std::string validate_executor_call(const mesos::v1::executor::Call& call);

}  // namespace operator_api
