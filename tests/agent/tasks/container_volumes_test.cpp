#include "agent/tasks/container_volumes.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/agent/resources.h"
#include "tests/scratch.h"

namespace {

using agent::container_volumes;
using mesos::v1::Resource;
using tests::resource_of;

Resource make(const std::string& id, const std::string& path,
              mesos::v1::Volume::Mode mode = mesos::v1::Volume::RW) {
  Resource volume = tests::volume(tests::reserved(resource_of("disk:10"), "a/b"), id);
  volume.mutable_disk()->mutable_volume()->set_container_path(path);
  volume.mutable_disk()->mutable_volume()->set_mode(mode);
  return volume;
}

// "host path:container path:mode" of each, or the error.
std::vector<std::string> volumes_of(const std::vector<Resource>& resources) {
  const auto volumes = container_volumes("/srv/mesos", resources);
  if (!volumes) {
    EXPECT_EQ(base::ErrorKind::kInvalid, volumes.error().kind);
    return {volumes.error().message};
  }
  std::vector<std::string> texts;
  for (const auto& volume : *volumes) {
    texts.push_back(volume.host_path() + ":" + volume.container_path() +
                    (volume.read_only() ? ":ro" : ":rw"));
  }
  return texts;
}

using Texts = std::vector<std::string>;
constexpr auto kReadOnly = mesos::v1::Volume::RO;

TEST(ContainerVolumes, AreThoseAmongTheResources) {
  EXPECT_EQ(Texts(), volumes_of({resource_of("cpus:1"), resource_of("disk:10")}));
  const Resource mounted = tests::on_disk(make("m", "m"), Resource::DiskInfo::Source::MOUNT, "/m");
  EXPECT_EQ((Texts{"/srv/mesos/volumes/roles/a b/v:data:rw",
                   "/srv/mesos/volumes/roles/a b/w:x/y:ro", "/m:m:rw"}),
            volumes_of({make("v", "./data/"), resource_of("cpus:1"), make("w", "x/y", kReadOnly),
                        mounted}));
}

TEST(ContainerVolumes, SharedOnesAreThereOnce) {
  const std::string path = "/srv/mesos/volumes/roles/a b/v:data";
  EXPECT_EQ(Texts{path + ":ro"},
            volumes_of({make("v", "data", kReadOnly), make("v", "data", kReadOnly)}));
  EXPECT_EQ(Texts{path + ":rw"}, volumes_of({make("v", "data", kReadOnly), make("v", "data")}));
  EXPECT_EQ(Texts{path + ":rw"}, volumes_of({make("v", "data"), make("v", "data", kReadOnly)}));
  // In two places it may be different things.
  EXPECT_EQ((Texts{path + ":rw", "/srv/mesos/volumes/roles/a b/v:more:ro"}),
            volumes_of({make("v", "data"), make("v", "more", kReadOnly)}));
}

TEST(ContainerVolumes, EachHasItsPlace) {
  for (const auto& [one, other] :
       {std::pair{"data", "data"}, {"data", "data/x"}, {"data/x", "data"}, {"a/b", "./a//b"}}) {
    const auto texts = volumes_of({make("v", one), make("w", other)});
    ASSERT_EQ(1U, texts.size());
    EXPECT_TRUE(texts[0].starts_with("Persistent volume 'w': the container paths '")) << texts[0];
    EXPECT_TRUE(texts[0].ends_with("are in each other's way")) << texts[0];
  }
  EXPECT_EQ(2U, volumes_of({make("v", "data"), make("w", "data2")}).size());
}

TEST(ContainerVolumes, PlacesThatAreNone) {
  const struct {
    const char* path;
    const char* why;
  } kCases[] = {
      {"/abs", "the container path '/abs' is absolute: it must be below the sandbox"},
      {"a/../..", "the container path 'a/../..' has '..' in it"},
      {"stderr", "the container path 'stderr' is where the agent has something of its own"},
      {"containers/x",
       "the container path 'containers/x' is where the agent has something of its own"},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(Texts{std::string("Persistent volume 'v': ") + test.why},
              volumes_of({make("v", test.path)}));
  }
  EXPECT_EQ(1U, volumes_of({make("v", "stdout2")}).size());
  // Without persistence it is nothing that an agent could keep.
  Resource scratch = make("v", "data");
  scratch.mutable_disk()->clear_persistence();
  EXPECT_EQ(Texts{"Persistent volume '': not a persistent volume"}, volumes_of({scratch}));
}

TEST(ContainerVolumes, HaveDirectories) {
  const tests::ScratchDirectory work;
  const auto volumes = container_volumes(work.path(), {make("v", "data")});
  ASSERT_TRUE(volumes.has_value());
  const std::string path = work / "volumes/roles/a b/v";
  const auto missing = agent::check_directories(*volumes);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ("The directory '" + path + "' of a persistent volume is missing",
            missing.error().message);
  std::filesystem::create_directories(path);
  EXPECT_TRUE(agent::check_directories(*volumes));
}

}  // namespace
