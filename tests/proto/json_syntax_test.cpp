// What is JSON and what is not, and the error texts for the latter. Those marked "recorded" are
// what an Apache Mesos agent answered to such a body.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "proto/json_read.h"
#include "proto/mesos/v1/agent/agent.pb.h"

namespace proto {
namespace {

using namespace std::string_view_literals;

JsonError error_of(std::string_view text) {
  mesos::v1::agent::Call call;
  const auto parsed = parse_json(text, &call);
  return parsed ? JsonError{JsonErrorKind::kSyntax, "no error"} : parsed.error();
}

struct Case {
  std::string_view text;
  std::string_view message;
};

TEST(JsonSyntax, SaysWhereTheTextCeasesToBeJson) {
  constexpr Case kCases[] = {
      // recorded
      {"", "syntax error at line 1 near: "},
      {"{", "syntax error at line 1 near: "},
      {R"(/*x*/{"type":"GET_HEALTH"})",
       R"(syntax error at line 1 near: /*x*/{"type":"GET_HEALTH"})"},
      // words
      {"x", "syntax error at line 1 near: x"},
      {"   tru }", "syntax error at line 1 near:  }"},
      {"nul", "syntax error at line 1 near: "},
      {"True", "syntax error at line 1 near: True"},
      // objects and lists
      {"{]", "syntax error at line 1 near: ]"},
      {"{type:1}", "syntax error at line 1 near: type:1}"},
      {"{'type':1}", "syntax error at line 1 near: 'type':1}"},
      {R"({"type" 1})", "syntax error at line 1 near: 1}"},
      {R"({"type":})", "syntax error at line 1 near: }"},
      {R"({"type":"GET_HEALTH")", "syntax error at line 1 near: "},
      {R"({"type":"GET_HEALTH",})", "syntax error at line 1 near: }"},
      {R"({"type":"GET_HEALTH" "x":1})", R"(syntax error at line 1 near: "x":1})"},
      {R"({"x":[1 2]})", "syntax error at line 1 near: 2]}"},
      {R"({"x":[1,]})", "syntax error at line 1 near: ]}"},
      {R"({"x":[1})", "syntax error at line 1 near: }"},
      {"[[1]", "syntax error at line 1 near: "},
      // numbers
      {R"({"x":-})", "syntax error at line 1 near: }"},
      {R"({"x":+1})", "syntax error at line 1 near: +1}"},
      {R"({"x":.5})", "syntax error at line 1 near: .5}"},
      {R"({"x":1e})", "syntax error at line 1 near: }"},
      {R"({"x":1.5e+-7,"y":1})", R"(syntax error at line 1 near: ,"y":1})"},
      {R"({"x":0x10})", "syntax error at line 1 near: x10}"},
      {R"({"x":NaN})", "syntax error at line 1 near: NaN}"},
      // strings
      {R"({"x":"abc)", "syntax error at line 1 near: "},
      {R"({"x":"a\xb"})", R"(syntax error at line 1 near: b"})"},
      {R"({"x":"a\)", "syntax error at line 1 near: "},
      {R"({"x":"\u12G4"})", R"(syntax error at line 1 near: G4"})"},
      {R"({"x":"\u12)", "syntax error at line 1 near: "},
      {R"({"x":"\ud83d!"})", R"(syntax error at line 1 near: !"})"},
      {R"({"x":"\ud83d\n"})", R"(syntax error at line 1 near: n"})"},
      {R"({"x":"\ud83d\u0041"})", R"(syntax error at line 1 near: "})"},
      {R"({"x":"\ud83d\u00z1"})", R"(syntax error at line 1 near: z1"})"},
      {R"({"x":"\ude00yz"})", R"(syntax error at line 1 near: yz"})"},
      {"{\"x\":\"tab\there\"}", "syntax error at line 1 near: here\"}"},
      {"{\"x\":\"long enough for words \x1f here\"}", "syntax error at line 1 near:  here\"}"},
      {"{\"x\":\"nul\0here\"}"sv, "syntax error at line 1 near: here\"}"},
      {"{\"x\0\":1}"sv, "syntax error at line 1 near: \":1}"},
      {"{\0}"sv, "syntax error at line 1 near: }"},
      // lines: only the rest of the one with the error is shown
      {"{\n\n  \"x\": y,\n \"z\": 1}", "syntax error at line 3 near: y,"},
      {"{\r\n\"x\": \"broken\r\nline\"}", "syntax error at line 2 near: "},
      {"\n\n", "syntax error at line 3 near: "},
  };
  for (const Case& c : kCases) {
    const JsonError error = error_of(c.text);
    EXPECT_EQ(error.kind, JsonErrorKind::kSyntax) << c.text;
    EXPECT_EQ(error.message, c.message) << c.text;
  }
}

TEST(JsonSyntax, RefusesWhatFollowsTheObject) {
  constexpr Case kCases[] = {
      // recorded
      {R"({"type":"GET_HEALTH"} x)", "Parsed JSON included non-whitespace trailing characters:  x"},
      {"{}{}", "Parsed JSON included non-whitespace trailing characters: {}"},
      {"{}\n ] \r\n\t", "Parsed JSON included non-whitespace trailing characters: \n ]"},
      {"{}\0"sv, "Parsed JSON included non-whitespace trailing characters: \0"sv},
      {"1 2", "Parsed JSON included non-whitespace trailing characters:  2"},
  };
  for (const Case& c : kCases) {
    const JsonError error = error_of(c.text);
    EXPECT_EQ(error.kind, JsonErrorKind::kSyntax) << c.text;
    EXPECT_EQ(error.message, c.message) << c.text;
  }
  EXPECT_EQ(error_of("\r\n\t {} \r\n\t ").message, "no error");
}

TEST(JsonSyntax, WantsAnObject) {
  // The first two are recorded.
  for (const std::string_view text : {"[]", "1", "null", "true", "\"{}\"", "[{}]", " -1.5e3 "}) {
    const JsonError error = error_of(text);
    EXPECT_EQ(error.kind, JsonErrorKind::kNotAnObject) << text;
    EXPECT_EQ(error.message, "Expecting a JSON object") << text;
  }
}

TEST(JsonSyntax, CountsMoreThanAnyOtherError) {
  EXPECT_EQ(error_of("[1, 2").kind, JsonErrorKind::kSyntax);
  EXPECT_EQ(error_of(R"({"type":1,"list_files":{)").kind, JsonErrorKind::kSyntax);
  EXPECT_EQ(error_of(R"({"type":1} x)").kind, JsonErrorKind::kSyntax);
  EXPECT_EQ(error_of("[] x").kind, JsonErrorKind::kSyntax);
}

// A call with `depth` levels, the call itself being the first.
std::string nested(int depth, std::string_view open, std::string_view close) {
  std::string text = R"({"unknown":)";
  for (int i = 1; i < depth; ++i) text += open;
  text += "1";
  for (int i = 1; i < depth; ++i) text += close;
  return text + "}";
}

TEST(JsonSyntax, BoundsTheDepth) {
  EXPECT_EQ(error_of(nested(200, "[", "]")).message, "no error");
  EXPECT_EQ(error_of(nested(200, R"({"a":)", "}")).message, "no error");
  EXPECT_EQ(error_of(nested(201, "[", "]")).message,
            "syntax error at line 1 near: 1" + std::string(200, ']') + "}");
  EXPECT_EQ(error_of(nested(201, R"({"a":)", "}")).kind, JsonErrorKind::kSyntax);
  EXPECT_EQ(error_of(std::string(10'000'000, '[')).kind, JsonErrorKind::kSyntax);

  std::string parents = R"({"wait_container":{"container_id":)";
  for (int i = 0; i < 10'000; ++i) parents += R"({"value":"x","parent":)";
  EXPECT_EQ(error_of(parents).kind, JsonErrorKind::kSyntax);
}

TEST(JsonSyntax, BoundsTheDepthOfScalarsInStrings) {
  const std::string brackets(1'000'000, '[');
  const JsonError error = error_of(R"({"kill_container":{"signal":")" + brackets + "\"}}");
  EXPECT_EQ(error.kind, JsonErrorKind::kConversion);
}

}  // namespace
}  // namespace proto
