// What is written can be read, and is then written the same.
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <string_view>

#include "proto/json_read.h"
#include "proto/json_write.h"
#include "proto/mesos/v1/agent/agent.pb.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace proto {
namespace {

using namespace std::string_view_literals;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Sets every field of a message, those of the messages in it included, down to a depth at which
// recursive ones end.
void fill(Message* message, int depth);

void fill_field(Message* message, const FieldDescriptor* field, int depth) {
  const Reflection* reflection = message->GetReflection();
  const bool repeated = field->is_repeated();
  auto put = [&](auto set, auto add, auto value) {
    (reflection->*(repeated ? add : set))(message, field, value);
  };
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return put(&Reflection::SetInt32, &Reflection::AddInt32, INT32_MIN);
    case FieldDescriptor::CPPTYPE_INT64:
      return put(&Reflection::SetInt64, &Reflection::AddInt64, INT64_MIN);
    case FieldDescriptor::CPPTYPE_UINT32:
      return put(&Reflection::SetUInt32, &Reflection::AddUInt32, UINT32_MAX);
    case FieldDescriptor::CPPTYPE_UINT64:
      return put(&Reflection::SetUInt64, &Reflection::AddUInt64, UINT64_MAX);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return put(&Reflection::SetDouble, &Reflection::AddDouble,
                 field->number() % 2 ? 1.0 / 3 : HUGE_VAL);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return put(&Reflection::SetFloat, &Reflection::AddFloat, 0.25f);
    case FieldDescriptor::CPPTYPE_BOOL:
      return put(&Reflection::SetBool, &Reflection::AddBool, true);
    case FieldDescriptor::CPPTYPE_ENUM:
      return put(&Reflection::SetEnum, &Reflection::AddEnum,
                 field->enum_type()->value(field->enum_type()->value_count() - 1));
    case FieldDescriptor::CPPTYPE_STRING:
      return put(&Reflection::SetString, &Reflection::AddString,
                 std::string("\0\"\\/\n\x1f\xff text of "sv) + field->name());
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (depth == 0 && !field->is_required()) return;
      return fill(repeated ? reflection->AddMessage(message, field)
                           : reflection->MutableMessage(message, field),
                  depth - 1);
  }
}

void fill(Message* message, int depth) {
  const Descriptor* type = message->GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) fill_field(message, type->field(i), depth);
}

template <typename T>
void expect_round_trip() {
  T message;
  fill(&message, 5);
  std::string first;
  append_json(message, &first);
  T back;
  const auto parsed = parse_json(first, &back);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(message, back));
  std::string second;
  append_json(back, &second);
  EXPECT_EQ(first, second);
}

TEST(JsonRoundTrip, KeepsEveryFieldOfEveryMessage) {
  expect_round_trip<mesos::v1::agent::Call>();
  expect_round_trip<mesos::v1::agent::Response>();
  expect_round_trip<mesos::v1::agent::ProcessIO>();
  expect_round_trip<mesos::v1::TaskInfo>();
  expect_round_trip<mesos::v1::Offer>();
  expect_round_trip<mesos::v1::MasterInfo>();
  expect_round_trip<mesos::v1::ResourceStatistics>();
}

}  // namespace
}  // namespace proto
