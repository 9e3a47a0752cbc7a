#include "operator_api/call_table.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace {

using operator_api::Call;
using operator_api::call_table;
using operator_api::find_rules;
using operator_api::member_name;
using operator_api::validate_call;

TEST(CallTable, HasEveryTypeOnce) {
  std::set<int> types;
  int last = 0;
  for (const auto& rules : call_table()) {
    EXPECT_TRUE(types.insert(rules.type).second) << Call::Type_Name(rules.type);
    EXPECT_LT(last, rules.type) << "not in order";
    last = rules.type;
    EXPECT_EQ(&rules, find_rules(rules.type));
  }
  const auto* all = Call::Type_descriptor();
  for (int i = 0; i < all->value_count(); ++i) {
    const int number = all->value(i)->number();
    EXPECT_EQ(number != Call::UNKNOWN, types.contains(number)) << all->value(i)->name();
  }
  EXPECT_EQ(nullptr, find_rules(Call::UNKNOWN));
}

TEST(CallTable, MembersExist) {
  EXPECT_EQ("launch_nested_container_session", member_name(Call::LAUNCH_NESTED_CONTAINER_SESSION));
  for (const auto& rules : call_table()) {
    const auto* member = Call::descriptor()->FindFieldByName(member_name(rules.type));
    if (rules.needs_message || rules.validate != nullptr) {
      ASSERT_NE(nullptr, member) << Call::Type_Name(rules.type);
    }
    if (member != nullptr) {
      EXPECT_EQ(google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE, member->cpp_type());
    }
  }
}

TEST(CallTable, WhatNobodyIsRefused) {
  // Everything else is up to an authorizer.
  const std::set<int> open = {Call::GET_HEALTH, Call::GET_VERSION, Call::GET_METRICS,
                              Call::GET_LOGGING_LEVEL, Call::GET_AGENT};
  for (const auto& rules : call_table()) {
    EXPECT_EQ(open.contains(rules.type), rules.check == operator_api::Check::kNothing)
        << Call::Type_Name(rules.type);
    // Those that are about a container name it where it is looked for.
    if (rules.check != operator_api::Check::kContainer &&
        rules.check != operator_api::Check::kLaunch) {
      continue;
    }
    const auto* member = Call::descriptor()->FindFieldByName(member_name(rules.type));
    ASSERT_NE(nullptr, member);
    ASSERT_NE(nullptr, member->message_type()->FindFieldByName("container_id"));
    const bool launches = rules.check == operator_api::Check::kLaunch;
    EXPECT_EQ(launches, member->message_type()->FindFieldByName("command") != nullptr);
  }
}

TEST(CallTable, WhoStreams) {
  for (const auto& rules : call_table()) {
    const std::string& name = Call::Type_Name(rules.type);
    EXPECT_EQ(rules.type == Call::ATTACH_CONTAINER_INPUT, rules.streams_request) << name;
    EXPECT_EQ(rules.type == Call::ATTACH_CONTAINER_OUTPUT ||
                  rules.type == Call::LAUNCH_NESTED_CONTAINER_SESSION,
              rules.streams_response)
        << name;
  }
}

TEST(CallTable, WhoNeedsAMessage) {
  // The messages of these are optional, or there is none.
  const std::set<int> without = {Call::GET_HEALTH,
                                 Call::GET_FLAGS,
                                 Call::GET_VERSION,
                                 Call::GET_LOGGING_LEVEL,
                                 Call::GET_STATE,
                                 Call::GET_CONTAINERS,
                                 Call::GET_FRAMEWORKS,
                                 Call::GET_EXECUTORS,
                                 Call::GET_TASKS,
                                 Call::GET_AGENT,
                                 Call::GET_RESOURCE_PROVIDERS,
                                 Call::PRUNE_IMAGES,
                                 Call::GET_OPERATIONS};
  for (const auto& rules : call_table()) {
    Call call;
    call.set_type(rules.type);
    const auto valid = validate_call(call, rules);
    if (without.contains(rules.type)) {
      EXPECT_TRUE(valid) << Call::Type_Name(rules.type);
      continue;
    }
    ASSERT_FALSE(valid.has_value()) << Call::Type_Name(rules.type);
    EXPECT_EQ("Expecting '" + member_name(rules.type) + "' to be present", valid.error().message);
    EXPECT_EQ(base::ErrorKind::kInvalid, valid.error().kind);
  }
}

}  // namespace
