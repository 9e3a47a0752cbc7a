#include "proto/json_read.h"

#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "proto/mesos/v1/agent/agent.pb.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace proto {
namespace {

using namespace std::string_view_literals;
using mesos::v1::agent::Call;

// The message as protobuf's own one-line text, or "error: <message>".
template <typename Message>
std::string read(std::string_view text) {
  Message message;
  if (const auto parsed = parse_json(text, &message); !parsed) {
    return "error: " + parsed.error().message;
  }
  std::string shown = message.ShortDebugString();
  return shown;
}

struct Case {
  std::string_view text;
  std::string_view result;
};

template <typename Message>
void expect_read(std::initializer_list<Case> cases) {
  for (const Case& c : cases) EXPECT_EQ(read<Message>(c.text), c.result) << c.text;
}

TEST(JsonRead, ReadsACall) {
  expect_read<Call>({
      {"{}", ""},
      {R"({"type":"GET_HEALTH"})", "type: GET_HEALTH"},
      {R"( { "type" : "READ_FILE" , "read_file" : { "path" : "/x" , "offset" : 0 } } )",
       R"(type: READ_FILE read_file { path: "/x" offset: 0 })"},
  });
}

TEST(JsonRead, ReplacesWhatWasThere) {
  Call call;
  call.set_type(Call::READ_FILE);
  call.mutable_read_file()->set_path("/x");
  ASSERT_TRUE(parse_json(R"({"type":"GET_HEALTH"})", &call));
  EXPECT_EQ(call.ShortDebugString(), "type: GET_HEALTH");
}

TEST(JsonRead, SkipsUnknownKeys) {
  expect_read<Call>({
      {R"({"type":"GET_HEALTH","zzz":1})", "type: GET_HEALTH"},  // recorded
      {R"({"zzz":{"type":"X","y":[{"z":[1,null,true,"s",{}]}]},"type":"GET_HEALTH"})",
       "type: GET_HEALTH"},
      {R"({"getMetrics":{},"GET_METRICS":{},"get_metrics ":{}})", ""},
      {R"({"list_files":{"path":"/x","paths":[1]}})", R"(list_files { path: "/x" })"},
      {R"({"":1,"type\u0000":"GET_FLAGS"})", ""},
  });
}

TEST(JsonRead, TakesNullForUnset) {
  expect_read<Call>({
      {R"({"type":null,"list_files":null})", ""},
      {R"({"list_files":{"path":null}})", "error: Missing required fields: list_files.path"},
  });
  expect_read<mesos::v1::CommandInfo>({
      {R"({"value":"ls","uris":null,"arguments":[null,"ls",null]})",
       R"(value: "ls" arguments: "ls")"},
  });
}

TEST(JsonRead, ReadsStrings) {
  expect_read<mesos::v1::Flag>({
      {R"({"name":""})", R"(name: "")"},
      {R"({"name":"\"\\\/\b\f\n\r\t"})", R"(name: "\"\\/\010\014\n\r\t")"},
      {R"({"name":"\u0041\u00e9\u20AC\ud83d\uDE00"})",
       R"(name: "A\303\251\342\202\254\360\237\230\200")"},
      {R"({"name":"a\u0000b"})", R"(name: "a\000b")"},
      {"{\"name\":\"\xff\xfe \xc3( \x7f\"}", R"(name: "\377\376 \303( \177")"},
      {"{\"name\":\"\xc3\xa9\"}", R"(name: "\303\251")"},
      {R"({"name":"a plain string of more than one word\n and some more\u0021"})",
       R"(name: "a plain string of more than one word\n and some more!")"},
  });
  // Strings of every length around a machine word, with an escape at every place.
  for (size_t size = 1; size < 40; ++size) {
    for (size_t place = 0; place < size; ++place) {
      std::string value(size, 'x');
      value[place] = '\n';
      std::string escaped = value;
      escaped.replace(place, 1, "\\n");
      mesos::v1::Flag flag;
      ASSERT_TRUE(parse_json(R"({"name":")" + escaped + R"(","value":"v"})", &flag));
      ASSERT_EQ(flag.name(), value);
      ASSERT_EQ(flag.value(), "v");
    }
  }
}

TEST(JsonRead, ReadsBytesAsBase64) {
  expect_read<mesos::v1::agent::ProcessIO::Data>({
      {R"({"data":"b3V0Cg=="})", R"(data: "out\n")"},
      {R"({"data":""})", R"(data: "")"},
      {R"({"data":"b3V0\n Cg"})", R"(data: "out\n")"},
      {R"({"data":"b3V0Cg=ignored!"})", R"(data: "out\n")"},
      {R"({"data":"b3V0!"})",
       "error: Failed to base64 decode bytes field 'data': Invalid character '!'"},
  });
}

TEST(JsonRead, ReadsEnumsByName) {
  expect_read<Call>({
      {R"({"type":"GET_FLAGS"})", "type: GET_FLAGS"},
      {R"({"type":"UNKNOWN"})", "type: UNKNOWN"},
      {R"({"type":"NOPE"})", ""},
      {R"({"type":"get_flags"})", ""},
      {R"({"type":"GET_HEALTH\u0000"})", ""},                                     // recorded
      {R"({"type":1})", "error: Not expecting a JSON number for field 'type'"},   // recorded
      {R"({"type":[1]})", "error: Not expecting a JSON array for field 'type'"},  // recorded
      {R"({"type":["GET_FLAGS"]})", "error: Not expecting a JSON array for field 'type'"},
      {R"({"type":{}})", "error: Not expecting a JSON object for field 'type'"},
      {R"({"type":true})", "error: Not expecting a JSON boolean for field 'type'"},
  });
  expect_read<mesos::v1::Attribute>({
      {R"({"name":"a","type":"NOPE"})", "error: Failed to find enum for 'NOPE'"},
  });
  expect_read<mesos::v1::CapabilityInfo>({
      {R"({"capabilities":["CHOWN","NOPE","KILL"]})", "capabilities: CHOWN capabilities: KILL"},
  });
}

TEST(JsonRead, ReadsNumbers) {
  expect_read<mesos::v1::FileInfo>({
      {R"({"path":"","size":18446744073709551615})", R"(path: "" size: 18446744073709551615)"},
      {R"({"path":"","size":-1})", R"(path: "" size: 18446744073709551615)"},
      {R"({"path":"","size":2.99})", R"(path: "" size: 2)"},
      {R"({"path":"","size":1e3})", R"(path: "" size: 1000)"},
      {R"({"path":"","mode":4294967297})", R"(path: "" mode: 1)"},
      {R"({"path":"","nlink":-7.5})", R"(path: "" nlink: -7)"},
      {R"({"path":"","mtime":{"nanoseconds":1795254989000000000}})",
       R"(path: "" mtime { nanoseconds: 1795254989000000000 })"},
      {R"({"path":1})", "error: Not expecting a JSON number for field 'path'"},
      {R"({"path":"","mtime":1})", "error: Not expecting a JSON number for field 'mtime'"},
  });
  expect_read<mesos::v1::Value::Scalar>({
      {R"({"value":0.1})", "value: 0.1"},
      {R"({"value":3})", "value: 3"},
      {R"({"value":-2.5E-3})", "value: -0.0025"},
      {R"({"value":9223372036854775808})", "value: 9.2233720368547758e+18"},
  });
  expect_read<mesos::v1::TTYInfo::WindowSize>({
      {R"({"rows":24,"columns":80})", "rows: 24 columns: 80"},
  });
  expect_read<mesos::v1::LinuxInfo>({
      {R"({"share_cgroups":1})", "error: Not expecting a JSON number for field 'share_cgroups'"},
  });
  expect_read<mesos::v1::agent::ProcessIO::Data>({
      {R"({"data":1})", "error: Not expecting a JSON number for field 'data'"},
  });
}

TEST(JsonRead, ReadsNumbersInStrings) {
  expect_read<mesos::v1::FileInfo>({
      {R"({"path":"","size":"5"})", R"(path: "" size: 5)"},
      {R"({"path":"","size":" 1e3 "})", R"(path: "" size: 1000)"},
      {R"({"path":"","size":"5x"})",
       "error: Failed to parse '5x' as a JSON number for field 'size': Parsed JSON included "
       "non-whitespace trailing characters: x"},
      {R"({"path":"","size":""})",
       "error: Failed to parse '' as a JSON number for field 'size': syntax error at line 1 "
       "near: "},
      {R"({"path":"","size":"five"})",
       "error: Failed to parse 'five' as a JSON number for field 'size': syntax error at line 1 "
       "near: ive"},
      {R"({"path":"","size":"true"})",
       "error: Failed to parse 'true' as a JSON number for field 'size': Unexpected JSON type "
       "parsed"},
      {R"({"path":"","size":"[5]"})",
       "error: Failed to parse '[5]' as a JSON number for field 'size': Unexpected JSON type "
       "parsed"},
      {R"({"path":"","size":"Infinity"})",
       "error: Failed to parse 'Infinity' as a JSON number for field 'size': syntax error at "
       "line 1 near: Infinity"},
  });
  expect_read<mesos::v1::Value::Scalar>({
      {R"({"value":"Infinity"})", "value: inf"},
      {R"({"value":"-Infinity"})", "value: -inf"},
      {R"({"value":"0.5"})", "value: 0.5"},
      {R"({"value":"NaN"})",
       "error: Failed to parse 'NaN' as a JSON number for field 'value': syntax error at line 1 "
       "near: NaN"},
  });
}

TEST(JsonRead, ReadsBooleans) {
  expect_read<mesos::v1::LinuxInfo>({
      {R"({"share_cgroups":false,"share_pid_namespace":true})",
       "share_pid_namespace: true share_cgroups: false"},
      {R"({"share_cgroups":"false"})", "share_cgroups: false"},
      {R"({"share_cgroups":"False"})",
       "error: Failed to parse 'False' as a JSON boolean for field 'share_cgroups': syntax error "
       "at line 1 near: False"},
      {R"({"share_cgroups":"1"})",
       "error: Failed to parse '1' as a JSON boolean for field 'share_cgroups': Unexpected JSON "
       "type parsed"},
      {R"({"shm_size":true})", "error: Not expecting a JSON boolean for field 'shm_size'"},
      {R"({"seccomp":false})", "error: Not expecting a JSON boolean for field 'seccomp'"},
      {R"({"seccomp":"x"})", "error: Not expecting a JSON string for field 'seccomp'"},
      {R"({"seccomp":[]})", "error: Not expecting a JSON array for field 'seccomp'"},
      {R"({"shm_size":{"x":[1]}})", "error: Not expecting a JSON object for field 'shm_size'"},
  });
}

TEST(JsonRead, ReadsLists) {
  expect_read<mesos::v1::CommandInfo>({
      {R"({"arguments":[]})", ""},
      {R"({"arguments":["a","b"]})", R"(arguments: "a" arguments: "b")"},
      {R"({"arguments":"a"})", R"(arguments: "a")"},
      {R"({"arguments":[["a"],[["b",[]],"c"]]})",
       R"(arguments: "a" arguments: "b" arguments: "c")"},
      {R"({"uris":{"value":"x"}})", R"(uris { value: "x" })"},
      {R"({"uris":[{"value":"x"},{"value":"y"}]})", R"(uris { value: "x" } uris { value: "y" })"},
      {R"({"uris":["x"]})", "error: Not expecting a JSON string for field 'uris'"},
      {R"({"arguments":[{}]})", "error: Not expecting a JSON object for field 'arguments'"},
      {R"({"arguments":["a",1]})", "error: Not expecting a JSON number for field 'arguments'"},
  });
  expect_read<mesos::v1::HealthCheck::HTTPCheckInfo>({
      {R"({"port":"80","statuses":["200",204.9,-1]})",
       "port: 80 statuses: 200 statuses: 204 statuses: 4294967295"},
  });
}

TEST(JsonRead, ReadsMaps) {
  using Launch = Call::LaunchContainer;
  Launch launch;
  ASSERT_TRUE(parse_json(
      R"({"container_id":{"value":"x"},"limits":{"cpus":{"value":1.5},"mem":{"value":"Infinity"}}})",
      &launch));
  ASSERT_EQ(launch.limits().size(), 2u);
  EXPECT_EQ(launch.limits().at("cpus").value(), 1.5);
  EXPECT_EQ(launch.limits().at("mem").value(), HUGE_VAL);

  expect_read<Launch>({
      {R"({"container_id":{"value":"x"},"limits":{}})", R"(container_id { value: "x" })"},
      {R"({"container_id":{"value":"x"},"limits":[{"a":{"value":1}}]})",
       R"(container_id { value: "x" } limits { key: "a" value { value: 1 } })"},
      {R"({"container_id":{"value":"x"},"limits":{"a":{"value":1},"a":{"value":2}}})",
       R"(container_id { value: "x" } limits { key: "a" value { value: 2 } })"},
      {R"({"container_id":{"value":"x"},"limits":[[{"a":{"value":1}}],{"a":{"value":2}}]})",
       R"(container_id { value: "x" } limits { key: "a" value { value: 2 } })"},
      {R"({"container_id":{"value":"x"},"limits":{"a":{"value":1}},"limits":{"b":{"value":2}}})",
       R"(container_id { value: "x" } limits { key: "b" value { value: 2 } })"},
      {R"({"container_id":{"value":"x"},"limits":"a"})",
       "error: Not expecting a JSON string for field 'limits'"},
      {R"({"container_id":{"value":"x"},"limits":{"a":1}})",
       "error: Not expecting a JSON number for field 'value'"},
      {R"({"container_id":{"value":"x"},"limits":{"a":[]}})",
       "error: Not expecting a JSON array for field 'value'"},
      {R"({"container_id":{"value":"x"},"limits":{"a":{"value":1},"b":{}}})",
       "error: Missing required fields: limits[1].value.value"},
  });
  // Maps within the values of a map.
  mesos::v1::FrameworkInfo framework;
  ASSERT_TRUE(parse_json(R"({"user":"u","name":"n","offer_filters":{"r":{
      "min_allocatable_resources":{"quantities":[{"quantities":{"cpus":{"value":1},"mem":{"value":2}}},
      {"quantities":{"cpus":{"value":3}}}]}}}})",
                         &framework));
  const auto& quantities =
      framework.offer_filters().at("r").min_allocatable_resources().quantities();
  ASSERT_EQ(quantities.size(), 2);
  EXPECT_EQ(quantities[0].quantities().at("mem").value(), 2);
  EXPECT_EQ(quantities[1].quantities().at("cpus").value(), 3);
}

TEST(JsonRead, TakesTheLastOfDuplicateKeys) {
  expect_read<Call>({
      {R"({"type":"GET_HEALTH","type":"GET_VERSION"})", "type: GET_VERSION"},  // recorded
      {R"({"type":"GET_HEALTH","type":null})", ""},
      {R"({"type":"GET_HEALTH","type":"NOPE"})", ""},
      {R"({"read_file":{"path":"/x","offset":1,"length":5},"read_file":{"offset":2,"path":"/y"}})",
       R"(read_file { path: "/y" offset: 2 })"},
      {R"({"list_files":{"path":"/x"},"list_files":{}})",
       "error: Missing required fields: list_files.path"},
  });
  expect_read<mesos::v1::CommandInfo>({
      {R"({"arguments":["a","b"],"arguments":["c"]})", R"(arguments: "c")"},
      {R"({"uris":[{"value":"x"}],"uris":[]})", ""},
  });
}

TEST(JsonRead, NamesAllMissingFields) {
  expect_read<Call>({
      {R"({"set_logging_level":{"level":1}})",  // recorded
       "error: Missing required fields: set_logging_level.duration"},
      {R"({"launch_nested_container":{"container_id":{"parent":{"value":"p"}}}})",  // recorded
       "error: Missing required fields: launch_nested_container.container_id.value"},
      {R"({"set_logging_level":{},"read_file":{"path":"x"}})",
       "error: Missing required fields: set_logging_level.level, set_logging_level.duration, "
       "read_file.offset"},
      {R"({"launch_container":{"container_id":{"value":"x"},"resources":[
          {"name":"cpus","type":"SCALAR"},{"name":"mem","scalar":{}}]}})",
       "error: Missing required fields: launch_container.resources[1].type, "
       "launch_container.resources[1].scalar.value"},
  });
}

TEST(JsonRead, ReportsTheFirstErrorOfTheFirstKind) {
  Call call;
  auto parsed = parse_json(R"({"type":1,"list_files":true,"read_file":{}})", &call);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().kind, JsonErrorKind::kConversion);
  EXPECT_EQ(parsed.error().message, "Not expecting a JSON number for field 'type'");
  parsed = parse_json(R"({"read_file":{}})", &call);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().kind, JsonErrorKind::kMissingRequired);
  // An error stays one, whatever follows under the same key.
  EXPECT_FALSE(parse_json(R"({"type":1,"type":"GET_HEALTH"})", &call));
}

// What no message of the API has: maps with other keys, and types that it does not use.
class JsonReadOtherTypes : public testing::Test {
 protected:
  void SetUp() override {
    google::protobuf::FileDescriptorProto file;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(R"(
        name: "other.proto"
        message_type {
          name: "Other"
          nested_type {
            name: "ByNumberEntry"
            options { map_entry: true }
            field { name: "key" number: 1 label: LABEL_OPTIONAL type: TYPE_INT32 }
            field { name: "value" number: 2 label: LABEL_OPTIONAL type: TYPE_STRING }
          }
          nested_type {
            name: "ByBoolEntry"
            options { map_entry: true }
            field { name: "key" number: 1 label: LABEL_OPTIONAL type: TYPE_BOOL }
            field { name: "value" number: 2 label: LABEL_OPTIONAL type: TYPE_BYTES }
          }
          field { name: "by_number" number: 1 label: LABEL_REPEATED
                  type: TYPE_MESSAGE type_name: ".Other.ByNumberEntry" }
          field { name: "by_bool" number: 2 label: LABEL_REPEATED
                  type: TYPE_MESSAGE type_name: ".Other.ByBoolEntry" }
          field { name: "blobs" number: 3 label: LABEL_REPEATED type: TYPE_BYTES }
          field { name: "bools" number: 4 label: LABEL_REPEATED type: TYPE_BOOL }
          field { name: "floats" number: 5 label: LABEL_REPEATED type: TYPE_FLOAT }
          field { name: "zigzag" number: 6 label: LABEL_OPTIONAL type: TYPE_SINT64 }
          field { name: "fixed" number: 7 label: LABEL_OPTIONAL type: TYPE_FIXED32 }
        })",
                                                              &file));
    const auto* built = pool_.BuildFile(file);
    ASSERT_NE(built, nullptr);
    message_.reset(factory_.GetPrototype(built->message_type(0))->New());
  }

  std::string read(std::string_view text) {
    if (const auto parsed = parse_json(text, message_.get()); !parsed) {
      return "error: " + parsed.error().message;
    }
    return message_->ShortDebugString();
  }

  google::protobuf::DescriptorPool pool_;
  google::protobuf::DynamicMessageFactory factory_{&pool_};
  std::unique_ptr<google::protobuf::Message> message_;
};

TEST_F(JsonReadOtherTypes, AreReadAlike) {
  EXPECT_EQ(read(R"({"by_number":{"7":"x","-1e1":"y"}})"),
            R"(by_number { key: -10 value: "y" } by_number { key: 7 value: "x" })");
  EXPECT_EQ(read(R"({"by_number":{"x":"y"}})"),
            "error: Failed to parse 'x' as a JSON number for field 'key': syntax error at line 1 "
            "near: x");
  EXPECT_EQ(read(R"({"by_bool":{"true":"eA=="}})"), R"(by_bool { key: true value: "x" })");
  EXPECT_EQ(read(R"({"blobs":["eA==","eQ"]})"), R"(blobs: "x" blobs: "y")");
  EXPECT_EQ(read(R"({"bools":[true,"false"]})"), "bools: true bools: false");
  EXPECT_EQ(read(R"({"floats":[1.5,"-Infinity",2]})"), "floats: 1.5 floats: -inf floats: 2");
  EXPECT_EQ(read(R"({"zigzag":"-5","fixed":7.9})"), "zigzag: -5 fixed: 7");
}

TEST(JsonRead, TakesTimeInProportionToTheText) {
  // Each of these would take hours if it were quadratic, and no test is given as much.
  std::string many_keys = R"({"container_id":{"value":"x"},"limits":{)";
  std::string many_objects = R"({"container_id":{"value":"x"},"limits":[)";
  std::string duplicates = "{";
  for (int i = 0; i < 200'000; ++i) {
    const std::string key = "\"k" + std::to_string(i) + "\":{\"value\":1}";
    many_keys += key + ",";
    many_objects += "{" + key + "},";
    duplicates += R"("limits":{"a":{"value":1}},)";
  }
  many_keys += R"("a":{"value":1}}})";
  many_objects += R"({"a":{"value":1}}]})";
  duplicates += R"("container_id":{"value":"x"}})";
  for (const std::string& text : {many_keys, many_objects, duplicates}) {
    Call::LaunchContainer launch;
    ASSERT_TRUE(parse_json(text, &launch));
    EXPECT_EQ(launch.limits().at("a").value(), 1);
  }
}

}  // namespace
}  // namespace proto
