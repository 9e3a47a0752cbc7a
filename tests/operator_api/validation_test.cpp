#include "operator_api/validation.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <string>

#include "base/strings.h"
#include "operator_api/call_table.h"
#include "proto/json_read.h"
#include "tests/recording.h"

namespace {

using base::concat;
using operator_api::Call;

constexpr std::string_view kPrefix = "Failed to validate agent::Call: ";

// What is wrong with a call; empty if nothing is.
std::string refusal(const std::string& json) {
  Call call;
  auto parsed = proto::parse_json(json, &call);
  if (!parsed) return parsed.error().message;
  const auto* rules = operator_api::find_rules(call.type());
  if (rules == nullptr) return "no such call";
  auto valid = operator_api::validate_call(call, *rules);
  if (valid) return "";
  EXPECT_EQ(base::ErrorKind::kInvalid, valid.error().kind);
  return valid.error().message;
}

// A call of the type whose member has these fields, after its id.
std::string make_call(const std::string& type, const std::string& id,
                      const std::string& rest = "") {
  return concat(R"({"type":")", type, R"(",")", base::to_lower(type), R"(":{"container_id":)", id,
                rest.empty() ? "" : ",", rest, "}}");
}

constexpr char kRoot[] = R"({"value":"a"})";
constexpr char kNested[] = R"({"value":"b","parent":{"value":"a"}})";
constexpr char kDeeper[] = R"({"value":"c","parent":{"value":"b","parent":{"value":"a"}}})";

std::string launch_nested(const std::string& rest, const std::string& id = kNested) {
  return refusal(make_call("LAUNCH_NESTED_CONTAINER", id, rest));
}
std::string launch_session(const std::string& rest, const std::string& id = kNested) {
  return refusal(make_call("LAUNCH_NESTED_CONTAINER_SESSION", id, rest));
}
std::string launch(const std::string& rest, const std::string& id = kRoot) {
  return refusal(make_call("LAUNCH_CONTAINER", id, rest));
}

// Word for word what Apache Mesos has answered; what it took, we take.
TEST(Validation, AsRecorded) {
  int refused = 0;
  int accepted = 0;
  for (const char* file : {"containers", "streams"}) {
    for (const auto& recording : tests::read_recordings(file)) {
      if (recording.request.find("Content-Type: application/recordio") != std::string::npos) {
        continue;  // a body of several records
      }
      SCOPED_TRACE(recording.name);
      // "${PARENT}" and the like are ids as good as any.
      const std::string told = refusal(recording.request_body());
      if (recording.body.starts_with(kPrefix)) {
        EXPECT_EQ(recording.body.substr(kPrefix.size()), told);
        ++refused;
      } else if (recording.body.starts_with("Missing required fields: ")) {
        EXPECT_EQ(recording.body, told);
        ++refused;
      } else {
        EXPECT_EQ("", told);
        ++accepted;
      }
    }
  }
  EXPECT_GE(refused, 38);
  EXPECT_GE(accepted, 30);
}

TEST(Validation, IdsOfEveryCall) {
  for (const auto& rules : operator_api::call_table()) {
    const std::string member = operator_api::member_name(rules.type);
    const auto* field = Call::descriptor()->FindFieldByName(member);
    const bool names_container =
        field != nullptr && field->message_type()->FindFieldByName("container_id") != nullptr;
    if (!names_container || rules.type == Call::ATTACH_CONTAINER_INPUT) continue;
    const std::string& type = Call::Type_Name(rules.type);
    SCOPED_TRACE(type);
    EXPECT_EQ(concat("'", member, ".container_id' is invalid: ID must not be empty"),
              refusal(make_call(type, R"({"value":"","parent":{"value":"a"}})")));
    EXPECT_EQ(concat("'", member,
                     ".container_id' is invalid: 'ContainerID.parent' is invalid: "
                     "'..' is disallowed"),
              refusal(make_call(type, R"({"value":"b","parent":{"value":".."}})")));
    const bool is_nested_call = type.find("NESTED") != std::string::npos;
    EXPECT_EQ(
        is_nested_call ? concat("Expecting '", member, ".container_id.parent' to be present") : "",
        refusal(make_call(type, kRoot)));
    EXPECT_EQ("", refusal(make_call(type, kNested)));
    EXPECT_EQ("", refusal(make_call(type, kDeeper)));
  }
}

TEST(Validation, CommandsNeedNotBeThere) {
  for (const std::string rest : {R"()", R"("command":{})", R"("command":{"value":""})",
                                 R"("command":{"shell":false,"arguments":["a"]})"}) {
    EXPECT_EQ("", launch_nested(rest));
    EXPECT_EQ("", launch_session(rest));
    EXPECT_EQ("", launch(rest));
  }
}

TEST(Validation, Environment) {
  const struct {
    std::string variable;
    std::string error;
  } kCases[] = {
      {R"({"name":"A","value":"1"})", ""},
      {R"({"name":"A","value":""})", ""},
      {R"({"name":"A","type":"VALUE","value":"1"})", ""},
      {R"({"name":"A"})", "Environment variable 'A' of type 'VALUE' must have a value set"},
      {R"({"name":"A","value":"1","secret":{"type":"VALUE","value":{"data":"eA=="}}})",
       "Environment variable 'A' of type 'VALUE' must not have a secret set"},
      {R"({"name":"A","type":"UNKNOWN","value":"1"})",
       "Environment variable of type 'UNKNOWN' is not allowed"},
      {R"({"name":"A","type":"SECRET"})",
       "Environment variable 'A' of type 'SECRET' must have a secret set"},
      {R"({"name":"A","type":"SECRET","value":"x",
           "secret":{"type":"VALUE","value":{"data":"eA=="}}})",
       "Environment variable 'A' of type 'SECRET' must not have a value set"},
      {R"({"name":"A","type":"SECRET","secret":{"type":"VALUE","value":{"data":"eA=="}}})", ""},
      {R"({"name":"A","type":"SECRET","secret":{"type":"REFERENCE","reference":{"name":"n"}}})",
       ""},
      {R"({"name":"A","type":"SECRET","secret":{"type":"VALUE"}})",
       "Environment variable 'A' specifies an invalid secret: Secret of type VALUE must have the "
       "'value' field set"},
      {R"({"name":"A","type":"SECRET","secret":{"type":"VALUE","value":{"data":"eA=="},
           "reference":{"name":"n"}}})",
       "Environment variable 'A' specifies an invalid secret: Secret of type VALUE must not have "
       "the 'reference' field set"},
      {R"({"name":"A","type":"SECRET","secret":{"type":"REFERENCE"}})",
       "Environment variable 'A' specifies an invalid secret: Secret of type REFERENCE must have "
       "the 'reference' field set"},
      {R"({"name":"A","type":"SECRET","secret":{"type":"REFERENCE","reference":{"name":"n"},
           "value":{"data":"eA=="}}})",
       "Environment variable 'A' specifies an invalid secret: Secret 'n' of type REFERENCE must "
       "not have the 'value' field set"},
      {R"({"name":"A","type":"SECRET","secret":{"type":"UNKNOWN"}})",
       "Environment variable 'A' specifies an invalid secret: Unknown secret type"},
      {R"({"name":"A","type":"SECRET","secret":{"type":"VALUE","value":{"data":"eAB5"}}})",
       "Environment variable 'A' specifies a secret containing null bytes, which is not allowed in "
       "the environment"},
      // Beyond Apache Mesos: what execve would cut, or take for another name.
      {R"({"name":"A","value":"1\u00002"})",
       "The value of an environment variable must not contain null bytes"},
      {R"({"name":"A\u0000B","value":"1"})",
       "The name of an environment variable must not contain null bytes"},
      {R"({"name":"A=B","value":"1"})",
       "The name of environment variable 'A=B' must not contain '='"},
  };
  for (const auto& test : kCases) {
    const std::string rest = concat(R"("command":{"value":"x","environment":{"variables":[)",
                                    R"({"name":"FIRST","value":"1"},)", test.variable, "]}}");
    const auto in_call = [&](std::string_view call) {
      return test.error.empty() ? "" : concat("'", call, ".command' is invalid: ", test.error);
    };
    EXPECT_EQ(in_call("launch_nested_container"), launch_nested(rest)) << test.variable;
    EXPECT_EQ(in_call("launch_nested_container_session"), launch_session(rest)) << test.variable;
    EXPECT_EQ(in_call("launch_container"), launch(rest)) << test.variable;
  }
}

TEST(Validation, NulBytesInTheCommand) {
  const struct {
    const char* command;
    const char* what;
  } kCases[] = {
      {R"({"value":"a\u0000b"})", "'value'"},
      {R"({"value":"a","user":"root\u0000"})", "'user'"},
      {R"({"value":"a","shell":false,"arguments":["x","y\u0000"]})", "'arguments'"},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(concat("'launch_container.command' is invalid: ", test.what,
                     " must not contain null bytes"),
              launch(concat(R"("command":)", test.command)));
  }
}

TEST(Validation, Containers) {
  constexpr char kOne[] =
      "Invalid volume: Only one of them should be set: 'host_path', 'image' and 'source'";
  const auto volume = [](const std::string& fields) {
    return concat(R"({"type":"MESOS","volumes":[{"mode":"RW","container_path":"x")",
                  fields.empty() ? "" : ",", fields, "}]}");
  };
  const struct {
    std::string container;
    std::string error;
  } kCases[] = {
      {R"({"type":"MESOS"})", ""},
      {R"({"type":"DOCKER"})", "DockerInfo 'docker' is not set for DOCKER typed ContainerInfo"},
      {R"({"type":"DOCKER","docker":{"image":"x"}})", ""},
      {R"({"type":"DOCKER","docker":{"image":"x","parameters":[{"key":"name","value":"y"}]}})",
       "Parameter in DockerInfo must not be 'name'"},
      {R"({"type":"DOCKER","docker":{"image":"x","parameters":[{"key":"names","value":"y"}]}})",
       ""},
      {volume(""), kOne},
      {volume(R"("host_path":"/a")"), ""},
      {volume(R"("image":{"type":"DOCKER","docker":{"name":"x"}})"), ""},
      {volume(R"("host_path":"/a","image":{"type":"DOCKER","docker":{"name":"x"}})"), kOne},
      {volume(R"("source":{"type":"SANDBOX_PATH","sandbox_path":{"type":"SELF","path":"y"}})"), ""},
      {volume(R"("source":{"type":"SANDBOX_PATH"})"),
       "Invalid volume: 'source.sandbox_path' is not set for SANDBOX_PATH volume"},
      {volume(R"("source":{"type":"HOST_PATH"})"),
       "Invalid volume: 'source.host_path' is not set for HOST_PATH volume"},
      {volume(R"("source":{"type":"DOCKER_VOLUME"})"),
       "Invalid volume: 'source.docker_volume' is not set for DOCKER_VOLUME volume"},
      {volume(R"("source":{"type":"SECRET"})"),
       "Invalid volume: 'source.secret' is not set for SECRET volume"},
      {volume(R"("source":{"type":"CSI_VOLUME"})"),
       "Invalid volume: 'source.csi_volume' is not set for CSI_VOLUME volume"},
      {volume(R"("source":{"type":"UNKNOWN"})"), "Invalid volume: 'source.type' is unknown"},
      // The first that is wrong.
      {R"({"type":"DOCKER","volumes":[{"mode":"RW","container_path":"x"}]})", kOne},
  };
  for (const auto& test : kCases) {
    const std::string rest = concat(R"("container":)", test.container);
    const auto in_call = [&](std::string_view call) {
      return test.error.empty() ? "" : concat("'", call, ".container' is invalid: ", test.error);
    };
    EXPECT_EQ(in_call("launch_nested_container"), launch_nested(rest)) << test.container;
    EXPECT_EQ(in_call("launch_nested_container_session"), launch_session(rest)) << test.container;
    EXPECT_EQ(in_call("launch_container"), launch(rest)) << test.container;
  }
}

TEST(Validation, SharedCgroups) {
  const auto share = [](const char* value) {
    return concat(R"("container":{"type":"MESOS","linux_info":{"share_cgroups":)", value, "}}");
  };
  const std::string unset = R"("container":{"type":"MESOS","linux_info":{}})";
  constexpr char kDeep[] =
      " is invalid: containers nested at the second level or greater cannot set 'share_cgroups' to "
      "'false'";

  EXPECT_EQ("", launch_nested(share("false")));
  EXPECT_EQ("", launch_nested(share("true")));
  EXPECT_EQ("", launch_nested(unset, kDeeper));
  EXPECT_EQ("", launch_nested(share("true"), kDeeper));
  EXPECT_EQ(concat("'launch_nested_container'", kDeep), launch_nested(share("false"), kDeeper));

  EXPECT_EQ("", launch(share("false")));
  EXPECT_EQ("", launch(unset));
  EXPECT_EQ(
      "'launch_container' is invalid: containers without a parent cannot set 'share_cgroups' to "
      "'true'",
      launch(share("true")));
  EXPECT_EQ("", launch(share("true"), kNested));
  EXPECT_EQ("", launch(share("false"), kNested));
  EXPECT_EQ("", launch(share("true"), kDeeper));
  EXPECT_EQ(concat("'launch_container'", kDeep), launch(share("false"), kDeeper));

  EXPECT_EQ("", launch_session(unset));
  EXPECT_EQ("", launch_session(share("true"), kDeeper));
  for (const char* id : {kNested, kDeeper}) {
    EXPECT_EQ(
        "'launch_nested_container_session.container.linux_info' is invalid: 'share_cgroups' cannot "
        "be set to 'false' for nested container sessions",
        launch_session(share("false"), id));
  }
}

TEST(Validation, Resources) {
  const auto one = [](const std::string& fields) {
    return concat(R"("resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}},{)", fields,
                  "}]");
  };
  const std::string scalar = R"("name":"mem","type":"SCALAR","scalar":{"value":32})";
  const struct {
    std::string fields;
    std::string error;
  } kAnywhere[] = {
      {scalar, ""},
      {R"("name":"gpus","type":"SCALAR","scalar":{"value":2})", ""},
      {R"("name":"gpus","type":"SCALAR","scalar":{"value":0.5})",
       "Invalid GPU resources: The 'gpus' resource must be an unsigned integer"},
      {R"("name":"","type":"SCALAR","scalar":{"value":1})",
       "Invalid resource: empty resource name"},
      {R"("name":"mem","type":"SCALAR","scalar":{"value":-1})",
       "Invalid scalar resource 'mem': value < 0"},
      {R"("name":"mem","type":"SCALAR")",
       "Resource 'mem' must have exactly the value of type SCALAR"},
      {R"("name":"mem","type":"RANGES","scalar":{"value":1})",
       "Resource 'mem' must have exactly the value of type RANGES"},
      {R"("name":"mem","type":"SCALAR","scalar":{"value":1},"set":{"item":["a"]})",
       "Resource 'mem' must have exactly the value of type SCALAR"},
      {R"("name":"ports","type":"RANGES","ranges":{"range":[{"begin":1,"end":2}]})", ""},
      {R"("name":"ports","type":"RANGES","ranges":{"range":[{"begin":2,"end":1}]})",
       "Invalid ranges resource 'ports': begin > end"},
  };
  for (const auto& test : kAnywhere) {
    EXPECT_EQ(test.error, launch(one(test.fields))) << test.fields;
    EXPECT_EQ(test.error, launch(one(test.fields), kNested)) << test.fields;
  }

  // A container without a parent is outside of what a master accounts for.
  const struct {
    std::string fields;
    std::string error;
  } kStandalone[] = {
      {scalar + R"(,"role":"*")", ""},
      {scalar + R"(,"role":"x")", "'launch_container.resources' must be unreserved"},
      {scalar + R"(,"reservations":[{"type":"STATIC","role":"x"}])",
       "'launch_container.resources' must be unreserved"},
      {scalar + R"(,"disk":{"persistence":{"id":"p"}})",
       "'launch_container.resources' must not use persistent volumes"},
      {scalar + R"(,"revocable":{})", "'launch_container.resources' must be non-revocable"},
  };
  for (const auto& test : kStandalone) {
    EXPECT_EQ(test.error, launch(one(test.fields))) << test.fields;
    EXPECT_EQ("", launch(one(test.fields), kNested)) << test.fields;
  }

  constexpr std::string_view kDeep =
      "'launch_container' is invalid: containers nested at the second level or greater cannot ";
  EXPECT_EQ(concat(kDeep, "specify resources"), launch(one(scalar), kDeeper));
  const std::string limits = R"("limits":{"mem":{"value":64}})";
  EXPECT_EQ("", launch(limits));
  EXPECT_EQ("", launch(limits, kNested));
  EXPECT_EQ(concat(kDeep, "specify resource limits"), launch(limits, kDeeper));
}

TEST(Validation, AttachInput) {
  const auto attach = [](const std::string& fields) {
    return refusal(
        concat(R"({"type":"ATTACH_CONTAINER_INPUT","attach_container_input":{)", fields, "}}"));
  };
  EXPECT_EQ("Expecting 'attach_container_input.type' to be present", attach(""));
  EXPECT_EQ("Expecting 'attach_container_input.type' to be present", attach(R"("type":"NOPE")"));
  EXPECT_EQ("'attach_container_input.type' is unknown", attach(R"("type":"UNKNOWN")"));
  EXPECT_EQ("Expecting 'attach_container_input.container_id' to be present",
            attach(R"("type":"CONTAINER_ID")"));
  EXPECT_EQ("'attach_container_input.container_id' is invalid: '..' is disallowed",
            attach(R"("type":"CONTAINER_ID","container_id":{"value":".."})"));
  EXPECT_EQ("", attach(concat(R"("type":"CONTAINER_ID","container_id":)", kRoot)));
  EXPECT_EQ("", attach(concat(R"("type":"CONTAINER_ID","container_id":)", kNested)));
  // The switchboard looks at what is in it.
  EXPECT_EQ("", attach(R"("type":"PROCESS_IO")"));
  EXPECT_EQ("", attach(R"("type":"PROCESS_IO","process_io":{"type":"DATA"})"));
}

}  // namespace
