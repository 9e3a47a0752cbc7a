// filesystem/linux and namespaces/pid: what they ask of the launcher and of the launch helper.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <string>

#include "isolators/filesystem_linux.h"
#include "isolators/namespaces_pid.h"
#include "tests/base/loop_test.h"
#include "tests/isolators/config.h"

namespace {

using isolators::ContainerConfig;
using isolators::ContainerId;
using isolators::FilesystemLinuxIsolator;
using isolators::Isolator;
using isolators::LaunchSpec;
using isolators::NamespacesPidIsolator;
using tests::debug_config;

const ContainerId kRoot = ContainerId::root_of("a");
const ContainerId kNested = kRoot.child("b");

ContainerConfig sharing(ContainerConfig config = {}) {
  config.mutable_container_info()->mutable_linux_info()->set_share_pid_namespace(true);
  return config;
}

class NamespacesTest : public tests::LoopTest {
 protected:
  base::Status prepare(Isolator& isolator, const ContainerId& id, const ContainerConfig& config) {
    spec_ = LaunchSpec{};
    return run(isolator.prepare(id, config, &spec_));
  }

  LaunchSpec spec_;
};

TEST_F(NamespacesTest, MountNamespaceForRootAndNested) {
  FilesystemLinuxIsolator isolator;
  EXPECT_EQ("filesystem/linux", isolator.name());
  for (const auto& id : {kRoot, kNested, kNested.child("c")}) {
    ASSERT_TRUE(prepare(isolator, id, {}));
    EXPECT_EQ(CLONE_NEWNS, spec_.clone_namespaces);
    EXPECT_EQ(0, spec_.enter_namespaces);
    EXPECT_TRUE(spec_.detach_mounts);
    EXPECT_TRUE(spec_.mounts.empty());
  }
}

TEST_F(NamespacesTest, SessionsEnterTheMountNamespace) {
  FilesystemLinuxIsolator isolator;
  ASSERT_TRUE(prepare(isolator, kNested, debug_config()));
  EXPECT_EQ(0, spec_.clone_namespaces);
  EXPECT_EQ(CLONE_NEWNS, spec_.enter_namespaces);
  // It is the parent's namespace, whose mounts are detached already.
  EXPECT_FALSE(spec_.detach_mounts);
}

TEST_F(NamespacesTest, SessionsHaveNoVolumes) {
  FilesystemLinuxIsolator isolator;
  ContainerConfig config = debug_config();
  config.mutable_container_info()->add_volumes();
  auto prepared = prepare(isolator, kNested, config);
  ASSERT_FALSE(prepared.has_value());
  EXPECT_EQ("Volumes not supported for DEBUG containers", prepared.error().message);
  EXPECT_EQ(base::ErrorKind::kInvalid, prepared.error().kind);
}

TEST_F(NamespacesTest, PidNamespace) {
  NamespacesPidIsolator isolator(false);
  EXPECT_EQ("namespaces/pid", isolator.name());
  const struct {
    const char* what;
    ContainerId id;
    ContainerConfig config;
    int clone;
    int enter;
    bool mounts_proc;
  } kCases[] = {
      {"root", kRoot, {}, CLONE_NEWPID, 0, true},
      {"nested", kNested, {}, CLONE_NEWPID, CLONE_NEWPID, true},
      {"deeper", kNested.child("c"), {}, CLONE_NEWPID, CLONE_NEWPID, true},
      {"session", kNested, debug_config(), 0, CLONE_NEWPID, false},
      {"root sharing the agent's", kRoot, sharing(), 0, 0, false},
      // Its mount namespace starts from the agent's, so it must see another /proc all the same.
      {"nested sharing its parent's", kNested, sharing(), 0, CLONE_NEWPID, true},
      {"session that says it shares", kNested, sharing(debug_config()), 0, CLONE_NEWPID, false},
  };
  for (const auto& test : kCases) {
    SCOPED_TRACE(test.what);
    ASSERT_TRUE(prepare(isolator, test.id, test.config));
    EXPECT_EQ(test.clone, spec_.clone_namespaces);
    EXPECT_EQ(test.enter, spec_.enter_namespaces);
    ASSERT_EQ(test.mounts_proc ? 1U : 0U, spec_.mounts.size());
    if (!test.mounts_proc) continue;
    const auto& proc = spec_.mounts.front();
    EXPECT_EQ("proc", proc.source);
    EXPECT_EQ("/proc", proc.target);
    EXPECT_EQ("proc", proc.type);
    EXPECT_EQ(uint64_t{MS_NOSUID | MS_NODEV | MS_NOEXEC}, proc.flags);
  }
}

TEST_F(NamespacesTest, SharingTheAgentsPidNamespaceCanBeForbidden) {
  NamespacesPidIsolator isolator(true);
  auto prepared = prepare(isolator, kRoot, sharing());
  ASSERT_FALSE(prepared.has_value());
  EXPECT_EQ("Sharing agent pid namespace with top level container is not allowed",
            prepared.error().message);
  EXPECT_EQ(base::ErrorKind::kInvalid, prepared.error().kind);
  // Not the agent's, but the parent's.
  EXPECT_TRUE(prepare(isolator, kNested, sharing()));
  EXPECT_TRUE(prepare(isolator, kRoot, {}));
}

// The two add to one spec, whichever comes first.
TEST_F(NamespacesTest, BothTogether) {
  FilesystemLinuxIsolator filesystem;
  NamespacesPidIsolator pid(false);
  LaunchSpec spec;
  ASSERT_TRUE(run(filesystem.prepare(kNested, {}, &spec)));
  ASSERT_TRUE(run(pid.prepare(kNested, {}, &spec)));
  EXPECT_EQ(CLONE_NEWNS | CLONE_NEWPID, spec.clone_namespaces);
  EXPECT_EQ(CLONE_NEWPID, spec.enter_namespaces);

  LaunchSpec session;
  ASSERT_TRUE(run(pid.prepare(kNested, debug_config(), &session)));
  ASSERT_TRUE(run(filesystem.prepare(kNested, debug_config(), &session)));
  EXPECT_EQ(0, session.clone_namespaces);
  EXPECT_EQ(CLONE_NEWNS | CLONE_NEWPID, session.enter_namespaces);
}

}  // namespace
