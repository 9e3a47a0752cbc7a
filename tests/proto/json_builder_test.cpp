#include "proto/json_builder.h"

#include <gtest/gtest.h>

#include "proto/mesos/v1/mesos.pb.h"

namespace {

using proto::JsonBuilder;

TEST(JsonBuilder, Nothing) {
  EXPECT_EQ("{}", JsonBuilder().begin_object().end_object().take());
  EXPECT_EQ("[]", JsonBuilder().begin_array().end_array().take());
}

TEST(JsonBuilder, CommasAreWhereTheyBelong) {
  JsonBuilder json;
  json.begin_object().member("a", 1).key("b").begin_array().value("x").begin_object().end_object();
  json.begin_array().end_array().value(2.0).end_array().member("c", true).end_object();
  EXPECT_EQ(R"({"a":1,"b":["x",{},[],2.0],"c":true})", json.take());
}

TEST(JsonBuilder, ValuesAreWrittenAsMessagesAre) {
  mesos::v1::ContainerID id;
  id.set_value("a/b");
  JsonBuilder json;
  json.begin_object();
  json.member("text", std::string("\"\n"));
  json.member("max", UINT64_MAX).member("min", INT64_MIN).member("small", uint8_t{7});
  json.member("double", 0.5).member("false", false).member("id", id);
  json.end_object();
  EXPECT_EQ(R"({"text":"\"\n","max":18446744073709551615,"min":-9223372036854775808,"small":7,)"
            R"("double":0.5,"false":false,"id":{"value":"a/b"}})",
            json.take());
}

}  // namespace
