#include "agent/resource_provider_configs.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "base/scope.h"
#include "base/strings.h"
#include "proto/json_read.h"
#include "proto/json_write.h"
#include "tests/base/loop_test.h"
#include "tests/scratch.h"

namespace {

using agent::ResourceProviderConfigs;
using agent::validate_config;
using base::ErrorKind;
using mesos::v1::ResourceProviderInfo;

constexpr char kGood[] = R"({
  "type": "org.apache.mesos.rp.local.storage", "name": "lvm",
  "storage": {"plugin": {"type": "org.example.lvm", "name": "vg0", "containers": [
    {"services": ["CONTROLLER_SERVICE", "NODE_SERVICE"], "command": {"value": "plugin"}}]}}})";

ResourceProviderInfo parse(std::string_view text) {
  ResourceProviderInfo info;
  EXPECT_TRUE(proto::parse_json(text, &info));
  return info;
}

std::string to_json(const ResourceProviderInfo& info) {
  std::string text;
  proto::append_json(info, &text);
  return text;
}

class ResourceProviderConfigsTest : public tests::LoopTest {
 protected:
  std::vector<std::string> files() const { return *base::list_directory(scratch_.path()); }

  base::Status add(const ResourceProviderInfo& info) { return run(configs_.add(info)); }

  const tests::ScratchDirectory scratch_;
  ResourceProviderConfigs configs_{scratch_.path()};
};

TEST_F(ResourceProviderConfigsTest, AddKeepsOneFileForEach) {
  const ResourceProviderInfo info = parse(kGood);
  ASSERT_TRUE(add(info));
  ASSERT_EQ(1U, files().size());
  EXPECT_TRUE(files()[0].starts_with("org.apache.mesos.rp.local.storage.lvm."));
  EXPECT_TRUE(files()[0].ends_with(".json"));
  const auto loaded = configs_.load();
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  ASSERT_EQ(1U, loaded->size());
  EXPECT_EQ(to_json(info), to_json(loaded->front()));

  // The same again changes nothing, another one with its name is a conflict.
  const auto before = files();
  EXPECT_TRUE(add(info));
  EXPECT_EQ(before, files());
  ResourceProviderInfo other = info;
  other.mutable_storage()->mutable_plugin()->set_name("vg1");
  const auto conflict = add(other);
  ASSERT_FALSE(conflict);
  EXPECT_EQ(ErrorKind::kConflict, conflict.error().kind);
  EXPECT_EQ(
      "Resource provider with type 'org.apache.mesos.rp.local.storage' and name 'lvm' already "
      "exists",
      conflict.error().message);
  EXPECT_EQ("vg0", configs_.load()->front().storage().plugin().name());
}

TEST_F(ResourceProviderConfigsTest, UpdateReplacesInPlace) {
  ResourceProviderInfo info = parse(kGood);
  const auto absent = run(configs_.update(info));
  ASSERT_FALSE(absent);
  EXPECT_EQ(ErrorKind::kConflict, absent.error().kind);
  EXPECT_EQ(
      "Resource provider with type 'org.apache.mesos.rp.local.storage' and name 'lvm' does not "
      "exist",
      absent.error().message);
  EXPECT_EQ(std::vector<std::string>{}, files());

  ASSERT_TRUE(add(info));
  const auto before = files();
  EXPECT_TRUE(run(configs_.update(info)));
  info.mutable_storage()->mutable_plugin()->set_name("vg1");
  EXPECT_TRUE(run(configs_.update(info)));
  EXPECT_EQ(before, files());
  EXPECT_EQ("vg1", configs_.load()->front().storage().plugin().name());
}

TEST_F(ResourceProviderConfigsTest, RemoveIsDoneOnce) {
  ASSERT_TRUE(add(parse(kGood)));
  EXPECT_TRUE(run(configs_.remove("org.apache.mesos.rp.local.storage", "other")));
  EXPECT_EQ(1U, files().size());
  EXPECT_TRUE(run(configs_.remove("org.apache.mesos.rp.local.storage", "lvm")));
  EXPECT_EQ(std::vector<std::string>{}, files());
  EXPECT_TRUE(run(configs_.remove("org.apache.mesos.rp.local.storage", "lvm")));
}

TEST_F(ResourceProviderConfigsTest, ThoseAtOnceTakeTurns) {
  // Of twenty that all want the name, each with another plugin, exactly one gets it.
  std::vector<base::Task<base::Status>> tasks;
  for (int i = 0; i < 20; ++i) {
    ResourceProviderInfo info = parse(kGood);
    info.mutable_storage()->mutable_plugin()->set_name(base::concat("vg", i));
    tasks.push_back(configs_.add(std::move(info)));
  }
  int added = 0;
  run([](auto all, int* count) -> base::Task<void> {
    base::Scope scope;
    for (auto& task : all) {
      scope.spawn([](base::Task<base::Status> one, int* counter) -> base::Task<void> {
        if (co_await std::move(one)) ++*counter;
      }(std::move(task), count));
    }
    co_await scope.join();
  }(std::move(tasks), &added));
  EXPECT_EQ(1, added);
  EXPECT_EQ(1U, files().size());
}

TEST_F(ResourceProviderConfigsTest, FilesThatOperatorsWriteCount) {
  ASSERT_TRUE(base::write_file(scratch_ / "mine.json", kGood));
  ASSERT_TRUE(base::write_file(scratch_ / "notes.txt", "nothing"));
  ASSERT_EQ(1U, configs_.load()->size());
  EXPECT_TRUE(add(parse(kGood)));
  EXPECT_EQ((std::vector<std::string>{"mine.json", "notes.txt"}), files());
}

TEST_F(ResourceProviderConfigsTest, BadFilesAreNamed) {
  const auto expect_error = [this](const std::string& text) {
    const auto loaded = configs_.load();
    ASSERT_FALSE(loaded.has_value());
    EXPECT_EQ(text, loaded.error().message);
    // Whoever adds then has done nothing wrong.
    EXPECT_EQ(ErrorKind::kInternal, add(parse(kGood)).error().kind);
  };
  const std::string bad = scratch_ / "bad.json";
  ASSERT_TRUE(base::write_file(bad, "[]"));
  expect_error("'" + bad + "': Expecting a JSON object");
  ASSERT_TRUE(base::write_file(bad, R"({"type":"x","name":"n"})"));
  expect_error("'" + bad +
               "': Failed to validate resource provider config with type 'x' and name 'n': "
               "Unknown local resource provider type 'x'");
  std::string with_id = kGood;
  with_id.insert(1, R"("id":{"value":"i"},)");
  ASSERT_TRUE(base::write_file(bad, with_id));
  expect_error("'" + bad + "': 'id' must not be set");
  ASSERT_TRUE(base::write_file(bad, kGood));
  ASSERT_TRUE(base::write_file(scratch_ / "same.json", kGood));
  expect_error("'" + bad + "' and '" + scratch_ / "same.json" + "' have the same type and name");
}

TEST_F(ResourceProviderConfigsTest, DirectoryMustExist) {
  const ResourceProviderConfigs missing(scratch_ / "missing");
  EXPECT_FALSE(missing.load().has_value());
}

TEST(ResourceProviderConfig, Faults) {
  EXPECT_TRUE(validate_config(parse(kGood)));
  ResourceProviderInfo by_endpoint = parse(kGood);
  by_endpoint.mutable_storage()->mutable_plugin()->clear_containers();
  auto* endpoint = by_endpoint.mutable_storage()->mutable_plugin()->add_endpoints();
  endpoint->set_csi_service(mesos::v1::CSIPluginContainerInfo::NODE_SERVICE);
  endpoint->set_endpoint("unix:///csi");
  EXPECT_TRUE(validate_config(by_endpoint));

  const auto fault = [](auto change) {
    ResourceProviderInfo info = parse(kGood);
    change(info);
    const auto valid = validate_config(info);
    EXPECT_FALSE(valid);
    EXPECT_EQ(ErrorKind::kInvalid, valid.error().kind);
    const std::string prefix =
        base::concat("Failed to validate resource provider config with type '", info.type(),
                     "' and name '", info.name(), "': ");
    EXPECT_TRUE(valid.error().message.starts_with(prefix)) << valid.error().message;
    return valid.error().message.substr(prefix.size());
  };
  using Info = ResourceProviderInfo;
  EXPECT_EQ("Unknown local resource provider type 'x.y'",
            fault([](Info& info) { info.set_type("x.y"); }));
  for (const char* name : {"", "a.b", "a b", "../x", "a/b", "ä"}) {
    EXPECT_EQ(base::concat("Resource provider name '", std::string_view(name),
                           "' does not follow Java package naming convention"),
              fault([name](Info& info) { info.set_name(name); }));
  }
  EXPECT_EQ("Expecting 'storage' to be present", fault([](Info& info) { info.clear_storage(); }));
  EXPECT_EQ("CSI plugin type 'a..b' does not follow Java package naming convention",
            fault([](Info& info) { info.mutable_storage()->mutable_plugin()->set_type("a..b"); }));
  EXPECT_EQ("CSI plugin name 'a-b' does not follow Java package naming convention",
            fault([](Info& info) { info.mutable_storage()->mutable_plugin()->set_name("a-b"); }));
  EXPECT_EQ("NODE_SERVICE not found", fault([](Info& info) {
              info.mutable_storage()->mutable_plugin()->clear_containers();
            }));
}

}  // namespace
