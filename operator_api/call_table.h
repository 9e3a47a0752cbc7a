// The calls of /api/v1 in one table: dispatch, validation and the rules of streaming read it.
#pragma once

#include <span>
#include <string_view>

#include "agent/authorizer.h"
#include "base/result.h"
#include "base/task.h"
#include "operator_api/exchange.h"

namespace operator_api {

// What decides whether a principal may make a call.
enum class Check {
  kNothing,    // whoever gets to the API may
  kAction,     // `action` must be allowed on whatever there is, else 403
  kContainer,  // `action` on the container that is named, if it is nested, else `root_action`
  kLaunch,     // the same, for a container that is to be launched
  kInHandler,  // the handler leaves out what must not be seen, or refuses once it knows more
};

struct CallRules {
  Call::Type type;
  // Whether the member of Call that belongs to the type must be there.
  bool needs_message = false;
  // The body is a RecordIO stream of Calls.
  bool streams_request = false;
  // The response is a RecordIO stream.
  bool streams_response = false;
  // Further rules; nullptr: none. The error's text follows "Failed to validate agent::Call: ".
  base::Status (*validate)(const Call& call) = nullptr;
  Check check = Check::kNothing;
  agent::Action action = {};
  agent::Action root_action = {};
  // Answers the call. nullptr: not built yet, which is what the client is told (501).
  base::Task<void> (*handle)(Exchange& exchange) = nullptr;
};

// Every type but UNKNOWN, in the order of their numbers.
std::span<const CallRules> call_table();

// The rules of a type; nullptr for UNKNOWN.
const CallRules* find_rules(Call::Type type);

// "launch_container" for LAUNCH_CONTAINER: the member of Call that belongs to it.
std::string member_name(Call::Type type);

// Checks the call by its rules, `rules` being those of call.type(). kInvalid, with Apache Mesos's
// text.
base::Status validate_call(const Call& call, const CallRules& rules);

}  // namespace operator_api
