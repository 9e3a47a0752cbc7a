// From the bytes of a request to those of the response: routing, negotiation, parsing, refusals.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "operator_api/call_table.h"
#include "proto/mesos/v1/agent/agent.pb.h"
#include "tests/operator_api/support.h"
#include "tests/recording.h"

namespace {

using base::concat;
using mesos::v1::agent::Call;
using mesos::v1::agent::Response;
using tests::json_request;
using tests::make_request;

constexpr char kHealth[] = R"({"type":"GET_HEALTH"})";
constexpr char kHealthy[] = R"({"type":"GET_HEALTH","get_health":{"healthy":true}})";

class ApiTest : public tests::ApiTest {};

TEST_F(ApiTest, NegotiationAsRecorded) {
  // Where ours is better, or names the build.
  const std::map<std::string, std::string> better = {
      {"health: charset", kHealthy},
      {"health: content type upper", kHealthy},
      {"body duplicate key", R"({"type":"GET_VERSION","get_version":)"}};
  for (const auto& recording : tests::read_recordings("negotiation")) {
    SCOPED_TRACE(recording.name);
    http_test::Peer peer = connect();
    const Reply reply = run(on(peer, recording.request));
    EXPECT_TRUE(reply.complete);
    if (const auto differs = better.find(recording.name); differs != better.end()) {
      EXPECT_EQ(200, reply.status);
      EXPECT_TRUE(reply.body.starts_with(differs->second)) << reply.body;
      continue;
    }
    EXPECT_EQ(recording.status, reply.status);
    // Mesos sends a body in answer to HEAD, which breaks whoever keeps the connection.
    const bool is_head = recording.request.starts_with("HEAD ");
    EXPECT_EQ(is_head ? "" : recording.body, reply.body);
    for (const char* name : {"Content-Type", "Allow"}) {
      const auto recorded = recording.headers.find(name);
      EXPECT_EQ(recorded == recording.headers.end() ? "" : recorded->second, header(reply, name));
    }
    EXPECT_NE("", header(reply, "Date"));
    // The connection takes another request.
    EXPECT_EQ(kHealthy, run(on(peer, json_request(kHealth))).body);
  }
}

TEST_F(ApiTest, Paths) {
  const struct {
    const char* path;
    int status;
  } kCases[] = {
      {"/api/v1", 200},
      {"/api/v1/", 200},
      {"/api/v1//", 200},
      {"//api/v1", 200},
      {"/api/v1/operator", 200},
      {"/api/v1/x/y", 200},
      {"/slave(1)/api/v1", 200},
      {"/slave(1)/api/v1/", 200},
      {"/slave%281%29/api/v1", 200},
      {"/slave%281%29//api/v1/x", 200},
      {"/%61pi/v1", 200},
      {"/api/v1?a=b", 200},
      {"/api/v1#x", 200},
      {"http://agent:5051/api/v1", 200},
      {"/api", 404},
      {"/api/v2", 404},
      {"/api/v1x", 404},
      {"/", 404},
      {"//", 404},
      {"/slave(1)", 404},
      {"/slave(1)/", 404},
      {"/slave(2)/api/v1", 404},
      {"/slave(1)api/v1", 404},
      {"/slave(1)/slave(1)/api/v1", 404},
      {"/..", 404},
      {"/../api/v1", 404},
      {"/api/v1/..", 404},
      {"/api/v1/%2e%2e/x", 404},
      {"/api/v1/..x", 404},
      {"/api/../api/v1", 404},
      {"/nope", 404},
      {"/API/V1", 404},
      {"/api/v1/%", 400},
      {"/api/v1/%zz", 400},
  };
  for (const auto& test : kCases) {
    SCOPED_TRACE(test.path);
    const Reply reply = exchange(json_request(kHealth, test.path));
    EXPECT_EQ(test.status, reply.status);
    if (test.status == 200) EXPECT_EQ(kHealthy, reply.body);
    if (test.status == 404) EXPECT_EQ("404 Not Found.", reply.body);
  }
}

TEST_F(ApiTest, Health) {
  for (const char* method : {"GET", "POST", "PUT"}) {
    for (const char* path : {"/health", "/slave(1)/health", "/health/"}) {
      const Reply reply = exchange(make_request(method, path, "", ""));
      EXPECT_EQ(200, reply.status);
      EXPECT_EQ("", reply.body);
      EXPECT_EQ("0", header(reply, "Content-Length"));
      EXPECT_EQ("", header(reply, "Content-Type"));
    }
  }
}

TEST_F(ApiTest, MethodsThatAreNotAllowed) {
  for (const char* method : {"GET", "PUT", "DELETE", "PATCH", "OPTIONS", "MKCOL"}) {
    const Reply reply = exchange(make_request(method, "/api/v1", "", ""));
    EXPECT_EQ(405, reply.status);
    EXPECT_EQ("POST", header(reply, "Allow"));
    EXPECT_EQ(
        concat("405 Method Not Allowed. Expecting one of { 'POST' }, but received '", method, "'."),
        reply.body);
  }
  // The method is looked at before the content type.
  EXPECT_EQ(405, exchange(make_request("PUT", "/api/v1", "Content-Type: x/y\r\n", "")).status);
}

TEST_F(ApiTest, CallsThatAreNotImplemented) {
  Reply reply = call(R"({"type":"UNKNOWN"})");
  EXPECT_EQ(501, reply.status);
  EXPECT_EQ("501 Not Implemented.", reply.body);
  // Which call it is, and what it may come as, is looked at first.
  reply = exchange(make_request(
      "POST", "/api/v1", "Content-Type: application/json\r\nAccept: application/recordio\r\n",
      R"({"type":"UNKNOWN"})"));
  EXPECT_EQ(406, reply.status);
  EXPECT_EQ("Streaming response is not supported for UNKNOWN call", reply.body);
  reply = exchange(make_request("POST", "/api/v1",
                                "Content-Type: application/recordio\r\n"
                                "Message-Content-Type: application/json\r\n",
                                "18\n{\"type\":\"UNKNOWN\"}"));
  EXPECT_EQ(415, reply.status);
  EXPECT_EQ("Streaming 'Content-Type' application/recordio is not supported for UNKNOWN call",
            reply.body);
}

bool needs_message(const std::string& type) {
  Call::Type value{};
  return Call::Type_Parse(type, &value) && operator_api::find_rules(value)->needs_message;
}

TEST_F(ApiTest, EveryCallIsAnswered) {
  const auto* types = Call::Type_descriptor();
  for (int i = 0; i < types->value_count(); ++i) {
    const std::string type = types->value(i)->name();
    SCOPED_TRACE(type);
    const Reply reply = call(concat(R"({"type":")", type, R"("})"));
    EXPECT_TRUE(reply.complete);
    const int expected = type == "UNKNOWN" ? 501 : needs_message(type) ? 400 : 200;
    EXPECT_EQ(expected, reply.status) << reply.body;
    if (reply.status == 200) continue;
    EXPECT_EQ("text/plain; charset=utf-8", header(reply, "Content-Type"));
    EXPECT_NE("", reply.body);
  }
}

TEST_F(ApiTest, BothEncodings) {
  Call wanted;
  wanted.set_type(Call::GET_HEALTH);
  const std::string bytes = wanted.SerializeAsString();
  const struct {
    std::string content_type;
    std::string accept;
    std::string body;
  } kCases[] = {
      {"application/json", "application/json", kHealth},
      {"application/json", "application/x-protobuf", kHealth},
      {"application/x-protobuf", "application/json", bytes},
      {"application/x-protobuf", "application/x-protobuf", bytes},
  };
  for (const auto& test : kCases) {
    const Reply reply = exchange(make_request(
        "POST", "/api/v1",
        concat("Content-Type: ", test.content_type, "\r\nAccept: ", test.accept, "\r\n"),
        test.body));
    EXPECT_EQ(200, reply.status);
    // Exactly so: some clients compare it as a whole.
    EXPECT_EQ(test.accept, header(reply, "Content-Type"));
    Response response;
    if (test.accept == "application/json") {
      EXPECT_EQ(kHealthy, reply.body);
    } else {
      ASSERT_TRUE(response.ParseFromString(reply.body));
      EXPECT_EQ(Response::GET_HEALTH, response.type());
      EXPECT_TRUE(response.get_health().healthy());
    }
  }
}

TEST_F(ApiTest, Bodies) {
  // In chunks, however small.
  EXPECT_EQ(kHealthy, exchange("POST /api/v1 HTTP/1.1\r\nHost: agent\r\n"
                               "Content-Type: application/json\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n"
                               "1\r\n{\r\n13\r\n\"type\":\"GET_HEALTH\"\r\n1\r\n}\r\n0\r\n\r\n")
                          .body);
  const struct {
    std::string body;
    std::string error;
  } kCases[] = {
      {R"("a string")", "Expecting a JSON object"},
      {R"({"type":"GET_HEALTH")", ""},
      {R"({"type":"LAUNCH_NESTED_CONTAINER","launch_nested_container":{}})",
       "Missing required fields: launch_nested_container.container_id"},
      {R"({"type":"SET_LOGGING_LEVEL","set_logging_level":{"level":1}})",
       "Missing required fields: set_logging_level.duration"},
      {R"({"type":"NOPE"})", "Failed to validate agent::Call: Expecting 'type' to be present"},
  };
  for (const auto& test : kCases) {
    const Reply reply = call(test.body);
    EXPECT_EQ(400, reply.status) << test.body;
    if (!test.error.empty()) EXPECT_EQ(test.error, reply.body);
  }
}

TEST_F(ApiTest, FirstRecordOfAStream) {
  const auto stream = [&](const std::string& body) {
    return exchange(make_request("POST", "/api/v1",
                                 "Content-Type: application/recordio\r\n"
                                 "Message-Content-Type: application/json\r\n",
                                 body));
  };
  const auto record = [](const std::string& text) { return concat(text.size(), "\n", text); };
  const std::string id = R"({"type":"ATTACH_CONTAINER_INPUT","attach_container_input":)"
                         R"({"type":"CONTAINER_ID","container_id":{"value":"unknown"}}})";
  const struct {
    std::string body;
    int status;
    std::string error;
  } kCases[] = {
      {"", 400, "Received EOF while reading request body"},
      {"12", 400, "Received EOF while reading request body"},
      {"100\n{}", 400, "Received EOF while reading request body"},
      {"x\n{}", 500,
       "Decoder failure: Failed to decode length 'x': Failed to convert 'x' to number"},
      {record("{}"), 400, "Failed to validate agent::Call: Expecting 'type' to be present"},
      {record(kHealth), 415,
       "Streaming 'Content-Type' application/recordio is not supported for GET_HEALTH call"},
      // A broken client of the wild.
      {record(R"("ATTACH_CONTAINER_INPUT")"), 400, "Expecting a JSON object"},
      {record(id), 404, "Container unknown cannot be found"},
      {record(id) + record(id), 404, "Container unknown cannot be found"},
      {record(R"({"type":"ATTACH_CONTAINER_INPUT","attach_container_input":)"
              R"({"type":"PROCESS_IO"}})"),
       400, "Expecting 'attach_container_input.type' to be CONTAINER_ID"},
  };
  for (const auto& test : kCases) {
    const Reply reply = stream(test.body);
    EXPECT_EQ(test.status, reply.status) << test.body;
    EXPECT_EQ(test.error, reply.body) << test.body;
  }
  const Reply reply = call(id);
  EXPECT_EQ(415, reply.status);
  EXPECT_EQ("Expecting 'Content-Type' to be application/recordio for ATTACH_CONTAINER_INPUT call",
            reply.body);
}

TEST_F(ApiTest, Introspection) {
  Response response;
  const auto answered = [&](const std::string& body) {
    const Reply reply = call(body);
    EXPECT_EQ(200, reply.status) << reply.body;
    const auto parsed = proto::parse_json(reply.body, &response);
    EXPECT_TRUE(parsed.has_value()) << reply.body;
  };
  answered(R"({"type":"GET_VERSION"})");
  EXPECT_EQ("1.12.0", response.get_version().version_info().version());

  answered(R"({"type":"GET_FLAGS"})");
  std::string last;
  bool has_work_dir = false;
  for (const auto& flag : response.get_flags().flags()) {
    EXPECT_LT(last, flag.name());
    last = flag.name();
    has_work_dir = has_work_dir || (flag.name() == "work_dir" && flag.value() == scratch_ / "work");
  }
  EXPECT_TRUE(has_work_dir);

  answered(R"({"type":"GET_METRICS","get_metrics":{"timeout":{"nanoseconds":1}}})");
  std::set<std::string> names;
  for (const auto& metric : response.get_metrics().metrics()) {
    EXPECT_TRUE(metric.has_value());
    EXPECT_TRUE(names.insert(metric.name()).second);
  }
  EXPECT_TRUE(names.contains("slave/uptime_secs"));
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));

  answered(R"({"type":"GET_LOGGING_LEVEL"})");
  const uint32_t level = response.get_logging_level().level();
  const Reply set = call(R"({"type":"SET_LOGGING_LEVEL","set_logging_level":)"
                         R"({"level":3,"duration":{"nanoseconds":60000000000}}})");
  EXPECT_EQ(200, set.status);
  EXPECT_EQ("", set.body);
  EXPECT_EQ("", header(set, "Content-Type"));
  answered(R"({"type":"GET_LOGGING_LEVEL"})");
  EXPECT_EQ(3U, response.get_logging_level().level());
  EXPECT_EQ(200, call(concat(R"({"type":"SET_LOGGING_LEVEL","set_logging_level":{"level":)", level,
                             R"(,"duration":{"nanoseconds":0}}})"))
                     .status);

  EXPECT_EQ(R"({"type":"GET_CONTAINERS","get_containers":{}})",
            call(R"({"type":"GET_CONTAINERS"})").body);
}

}  // namespace
