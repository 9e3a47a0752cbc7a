#include <gtest/gtest.h>

#include "tests/operator_api/support.h"

namespace {

constexpr char kType[] = "org.apache.mesos.rp.local.storage";

class ResourceProviderCallsTest : public tests::ApiTest {
 protected:
  static std::string info(const std::string& plugin, const std::string& more = "") {
    return base::concat(R"({"type":")", std::string_view(kType), R"(","name":"lvm",)", more,
                        R"("storage":{"plugin":{"type":"org.example","name":")", plugin,
                        R"(","containers":[{"services":["NODE_SERVICE"]}]}}})");
  }
  Reply with_info(const std::string& verb, const std::string& info) {
    const std::string member = verb + "_resource_provider_config";
    std::string type = member;
    for (char& c : type) c = static_cast<char>(std::toupper(c));
    return call(R"({"type":")" + type + R"(",")" + member + R"(":{"info":)" + info + "}}");
  }
  Reply remove() {
    return call(base::concat(
        R"({"type":"REMOVE_RESOURCE_PROVIDER_CONFIG","remove_resource_provider_config":{"type":")",
        std::string_view(kType), R"(","name":"lvm"}})"));
  }
  void keep_configs() {
    directory_ = scratch_ / "providers";
    ASSERT_TRUE(base::make_directories(directory_));
    agent_->resource_provider_configs.emplace(directory_);
  }

  std::string directory_;
};

TEST_F(ResourceProviderCallsTest, NeedADirectory) {
  for (const Reply& reply :
       {with_info("add", info("vg0")), with_info("update", info("vg0")), remove()}) {
    EXPECT_EQ(500, reply.status);
    EXPECT_EQ("Missing required flag --resource_provider_config_dir", reply.body);
  }
}

TEST_F(ResourceProviderCallsTest, Statuses) {
  keep_configs();
  EXPECT_EQ(409, with_info("update", info("vg0")).status);
  const Reply added = with_info("add", info("vg0"));
  EXPECT_EQ(200, added.status);
  EXPECT_EQ("", added.body);
  EXPECT_EQ(200, with_info("add", info("vg0")).status);
  const Reply conflict = with_info("add", info("vg1"));
  EXPECT_EQ(409, conflict.status);
  EXPECT_EQ(base::concat("Resource provider with type '", std::string_view(kType),
                         "' and name 'lvm' already exists"),
            conflict.body);
  EXPECT_EQ(200, with_info("update", info("vg1")).status);
  EXPECT_EQ(1U, base::list_directory(directory_)->size());
  EXPECT_EQ(200, remove().status);
  EXPECT_EQ(0U, base::list_directory(directory_)->size());
  EXPECT_EQ(200, remove().status);
}

TEST_F(ResourceProviderCallsTest, Refusals) {
  keep_configs();
  for (const std::string verb : {"add", "update"}) {
    const Reply with_id = with_info(verb, info("vg0", R"("id":{"value":"x"},)"));
    EXPECT_EQ(400, with_id.status);
    EXPECT_EQ("Failed to validate agent::Call: Expecting '" + verb +
                  "_resource_provider_config.info.id' to be unset",
              with_id.body);
    const Reply unknown = with_info(verb, R"({"type":"x","name":"n"})");
    EXPECT_EQ(400, unknown.status);
    EXPECT_EQ(
        "Failed to validate resource provider config with type 'x' and name 'n': Unknown local "
        "resource provider type 'x'",
        unknown.body);
  }
  EXPECT_EQ(0U, base::list_directory(directory_)->size());
}

TEST_F(ResourceProviderCallsTest, NoneCanBeGone) {
  const std::string request =
      R"({"type":"MARK_RESOURCE_PROVIDER_GONE","mark_resource_provider_gone":)"
      R"({"resource_provider_id":{"value":"p"}}})";
  Reply reply = call(request);
  EXPECT_EQ(500, reply.status);
  EXPECT_EQ("Could not mark resource provider 'p' as gone: Agent has not registered yet",
            reply.body);
  agent_->info.mutable_id()->set_value("agent-1");
  reply = call(request);
  EXPECT_EQ(500, reply.status);
  EXPECT_EQ("Could not mark resource provider 'p' as gone: No such resource provider", reply.body);
}

TEST_F(ResourceProviderCallsTest, PruneImagesHasNothingToDo) {
  for (const char* request :
       {R"({"type":"PRUNE_IMAGES"})", R"({"type":"PRUNE_IMAGES","prune_images":{}})",
        R"({"type":"PRUNE_IMAGES","prune_images":{"excluded_images":[{"type":"DOCKER",)"
        R"("docker":{"name":"x"}}]}})"}) {
    const Reply reply = call(request);
    EXPECT_EQ(200, reply.status);
    EXPECT_EQ("", reply.body);
  }
}

}  // namespace
