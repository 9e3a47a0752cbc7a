// The cgroups isolator: who gets groups of its own, and who lives in whose.
#include "isolators/cgroups/cgroups.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "isolators/cgroups/cpu.h"
#include "isolators/cgroups/memory.h"
#include "tests/base/loop_test.h"
#include "tests/isolators/cgroup_fixture.h"
#include "tests/isolators/config.h"

namespace {

using isolators::CgroupsIsolator;
using isolators::ContainerConfig;
using isolators::ContainerId;
using isolators::Subsystem;
using tests::CgroupFixture;
using tests::debug_config;

const ContainerId kRoot = ContainerId::root_of("a");
const ContainerId kNested = kRoot.child("b");

ContainerConfig with_share_cgroups(bool share) {
  ContainerConfig config;
  config.mutable_container_info()->mutable_linux_info()->set_share_cgroups(share);
  return config;
}

ContainerConfig with_linux_info() {
  ContainerConfig config;
  config.mutable_container_info()->mutable_linux_info();
  return config;
}

// As pids and blkio are: nothing but a place. Makes and removes by itself what the kernel would.
class PlaceSubsystem final : public Subsystem {
 public:
  explicit PlaceSubsystem(const CgroupFixture& fixture)
      : Subsystem(fixture.open()), fixture_(fixture) {}

  void start_counting(const std::string& group) override { fixture_.set(group, "tasks", ""); }
  void stop_counting(const std::string& group) override { fixture_.unset(group, "tasks"); }

 private:
  const CgroupFixture& fixture_;
};

class CgroupsTest : public tests::LoopTest {
 protected:
  CgroupsTest() : isolator_(make()) {}

  std::unique_ptr<CgroupsIsolator> make() const {
    std::vector<std::unique_ptr<Subsystem>> subsystems;
    subsystems.push_back(std::make_unique<PlaceSubsystem>(pids_));
    subsystems.push_back(std::make_unique<PlaceSubsystem>(blkio_));
    return std::make_unique<CgroupsIsolator>(std::move(subsystems));
  }

  base::Status prepare(const ContainerId& id, const ContainerConfig& config) {
    isolators::LaunchSpec spec;
    return run(isolator_->prepare(id, config, &spec));
  }
  // The groups that the container's helper is to join, as paths.
  using Groups = std::vector<std::string>;
  Groups groups_for(const ContainerId& id, const ContainerConfig& config) {
    isolators::LaunchSpec spec;
    EXPECT_TRUE(run(isolator_->prepare(id, config, &spec)));
    Groups groups;
    for (const auto& entrance : spec.groups) {
      const auto file =
          std::filesystem::read_symlink(base::concat("/proc/self/fd/", entrance.get()));
      EXPECT_EQ("tasks", file.filename());
      const auto& fixture = groups.empty() ? pids_ : blkio_;
      groups.push_back(std::filesystem::relative(file.parent_path(), fixture.directory()));
    }
    return groups;
  }
  base::Status cleanup(const ContainerId& id) { return run(isolator_->cleanup(id)); }

  bool both_have(const std::string& group) const {
    EXPECT_EQ(pids_.has(group), blkio_.has(group));
    return pids_.has(group) && blkio_.has(group);
  }

  const CgroupFixture pids_{"pids"};
  const CgroupFixture blkio_{"blkio"};
  std::unique_ptr<CgroupsIsolator> isolator_;
};

TEST_F(CgroupsTest, WhoHasGroupsOfItsOwn) {
  const struct {
    const char* what;
    ContainerId id;
    ContainerConfig config;
    bool own;
  } kCases[] = {
      {"root", kRoot, {}, true},
      {"root that says it shares", ContainerId::root_of("r"), with_share_cgroups(true), true},
      {"nested", kRoot.child("n1"), {}, false},
      {"nested with linux_info", kRoot.child("n2"), with_linux_info(), false},
      {"nested that shares", kRoot.child("n3"), with_share_cgroups(true), false},
      {"nested that does not share", kRoot.child("n4"), with_share_cgroups(false), true},
      {"session", kRoot.child("n5"), debug_config(), false},
  };
  for (const auto& test : kCases) {
    SCOPED_TRACE(test.what);
    ASSERT_TRUE(prepare(test.id, test.config));
    EXPECT_EQ(test.own, both_have(test.id.to_path("mesos")));
  }
}

TEST_F(CgroupsTest, ProcessesGoToTheNearestAncestor) {
  ASSERT_TRUE(prepare(kRoot, {}));
  ASSERT_TRUE(prepare(kNested, with_share_cgroups(false)));
  EXPECT_EQ((Groups{"a", "a"}), groups_for(kRoot.child("plain"), {}));
  // Two levels below, and a session beside.
  EXPECT_EQ((Groups{"a/mesos/b", "a/mesos/b"}), groups_for(kNested.child("c").child("d"), {}));
  EXPECT_EQ((Groups{"a", "a"}), groups_for(kRoot.child("session"), debug_config()));
  EXPECT_EQ((Groups{"a/mesos/own", "a/mesos/own"}),
            groups_for(kRoot.child("own"), with_share_cgroups(false)));

  isolators::LaunchSpec spec;
  auto unknown = run(isolator_->prepare(ContainerId::root_of("unknown").child("x"), {}, &spec));
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ("No cgroup is known for unknown.x", unknown.error().message);
}

TEST_F(CgroupsTest, AGroupThatIsThereIsAnError) {
  pids_.make_group("a");
  auto prepared = prepare(kRoot, {});
  ASSERT_FALSE(prepared.has_value());
  EXPECT_EQ(base::ErrorKind::kAlreadyExists, prepared.error().kind);
}

TEST_F(CgroupsTest, CleanupRemovesWhatItKnows) {
  ASSERT_TRUE(prepare(kRoot, {}));
  ASSERT_TRUE(prepare(kNested, with_share_cgroups(false)));
  // One that shares has nothing to be removed, and takes nothing of its parent's along.
  ASSERT_TRUE(prepare(kRoot.child("shares"), {}));
  ASSERT_TRUE(cleanup(kRoot.child("shares")));
  EXPECT_TRUE(both_have("a/mesos/b"));

  ASSERT_TRUE(cleanup(kNested));
  EXPECT_FALSE(both_have("a/mesos/b"));
  EXPECT_TRUE(both_have("a"));
  ASSERT_TRUE(cleanup(kRoot));
  EXPECT_FALSE(both_have("a"));
  // Again, and one that was never known.
  EXPECT_TRUE(cleanup(kRoot));
  EXPECT_TRUE(cleanup(ContainerId::root_of("unknown")));
}

TEST_F(CgroupsTest, CleanupTakesGroupsBelowAlong) {
  ASSERT_TRUE(prepare(kRoot, {}));
  pids_.make_group("a/made/by/the/container");
  ASSERT_TRUE(cleanup(kRoot));
  EXPECT_FALSE(both_have("a"));
}

// After a failure in the middle of prepare().
TEST_F(CgroupsTest, CleanupOfWhatWasPreparedInPart) {
  blkio_.make_group("a");
  ASSERT_FALSE(prepare(kRoot, {}).has_value());
  EXPECT_TRUE(cleanup(kRoot));
  EXPECT_FALSE(pids_.has("a"));
}

TEST_F(CgroupsTest, RecoveredContainersAreKnown) {
  ASSERT_TRUE(prepare(kRoot, {}));
  ASSERT_TRUE(prepare(kNested, with_share_cgroups(false)));
  isolator_ = make();
  ASSERT_TRUE(isolator_->recover(kRoot, {}));
  ASSERT_TRUE(isolator_->recover(kNested, with_share_cgroups(false)));
  ASSERT_TRUE(isolator_->recover(kRoot.child("shares"), {}));
  ASSERT_TRUE(cleanup(kRoot.child("shares")));
  ASSERT_TRUE(cleanup(kNested));
  EXPECT_FALSE(both_have("a/mesos/b"));
  ASSERT_TRUE(cleanup(kRoot));
  EXPECT_FALSE(both_have("a"));
}

TEST_F(CgroupsTest, NothingIsKnownOfOthers) {
  EXPECT_FALSE(isolator_->watch(kRoot).has_value());
  EXPECT_FALSE(isolator_->limitation_at_end(kRoot).has_value());
  EXPECT_EQ(nullptr, isolator_->usage_reader(kRoot));
}

TEST_F(CgroupsTest, EverySubsystemThatFailsIsNamed) {
  const CgroupFixture memory("memory");
  const CgroupFixture cpu("cpu");
  std::vector<std::unique_ptr<Subsystem>> subsystems;
  subsystems.push_back(std::make_unique<isolators::MemorySubsystem>(memory.open(), false));
  subsystems.push_back(std::make_unique<isolators::CpuSubsystem>(cpu.open(), false));
  CgroupsIsolator isolator(std::move(subsystems));
  isolators::LaunchSpec spec;
  auto prepared = run(isolator.prepare(kRoot, {}, &spec));
  ASSERT_FALSE(prepared.has_value());
  EXPECT_EQ(
      "Failed to update subsystems: Failed to update subsystem 'memory': No memory resource given; "
      "Failed to update subsystem 'cpu': No cpus resource given",
      prepared.error().message);
  // What was made of it goes.
  EXPECT_TRUE(memory.has("a"));
  ASSERT_TRUE(run(isolator.cleanup(kRoot)));
  EXPECT_FALSE(memory.has("a"));
  EXPECT_FALSE(cpu.has("a"));
}

}  // namespace
