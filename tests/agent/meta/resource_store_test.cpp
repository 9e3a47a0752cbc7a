#include "agent/meta/resource_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agent/meta/recover.h"
#include "agent/meta/volumes.h"
#include "base/fd.h"
#include "base/files.h"
#include "proto/record.h"
#include "tests/agent/resources.h"
#include "tests/scratch.h"

namespace {

using agent::ResourceSet;
using agent::ResourceStore;
using base::ErrorKind;
using mesos::internal::ResourceState;
using mesos::v1::Resource;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::on_disk;
using tests::reserved;
using tests::resource_of;
using tests::volume;
using Source = Resource::DiskInfo::Source;

void put(const std::string& path, std::string_view content) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  ASSERT_TRUE(base::write_file(path, content).has_value());
}

class Store : public testing::Test {
 protected:
  static ResourceState state_of(const std::vector<Resource>& resources) {
    ResourceState state;
    for (const Resource& resource : resources) *state.add_resources() = resource;
    return state;
  }

  agent::RecoveredResources read() {
    const auto found = agent::recover_meta(scratch_.path(), true);
    EXPECT_TRUE(found.has_value()) << found.error().message;
    return found->resources;
  }

  // As the next start does. What deletes volumes is not done by recover(), which may not take long.
  ResourceStore reopen() {
    ResourceStore store(scratch_.path());
    const auto recovered = store.recover(read());
    EXPECT_TRUE(recovered.has_value()) << recovered.error().message;
    if (store.is_changing()) {
      EXPECT_TRUE(store.deletes_volumes());
      EXPECT_TRUE(store.volume_work()().has_value());
      EXPECT_TRUE(store.conclude().has_value());
    }
    return store;
  }

  std::vector<std::string> files() {
    return base::list_directory(paths_.resources_dir()).value_or(std::vector<std::string>());
  }

  std::string directory_of(const Resource& volume) {
    return *agent::volume_path(scratch_.path(), volume);
  }

  const Resource disk_ = reserved(resource_of("disk:64"), "a/b");
  const Resource volume_ = volume(disk_, "v1");
  tests::ScratchDirectory scratch_;
  const agent::WorkPaths paths_{scratch_.path()};
  ResourceStore store_{scratch_.path()};
};

TEST_F(Store, CommitsAndReadsBack) {
  ResourceState state = state_of({volume_});
  auto& operation = *state.add_operations();
  operation.mutable_uuid()->set_value("0123456789abcdef");
  operation.mutable_info()->set_type(mesos::v1::Offer::Operation::CREATE);
  operation.mutable_latest_status()->set_state(mesos::v1::OPERATION_FINISHED);
  ASSERT_TRUE(store_.commit(state).has_value());
  EXPECT_THAT(files(), ElementsAre("resources.info", "resources_and_operations.state"));
  const auto found = read();
  EXPECT_EQ(state.DebugString(), found.committed.DebugString());
  EXPECT_FALSE(found.target.has_value());
  EXPECT_EQ(state.DebugString(), reopen().committed().DebugString());
  EXPECT_TRUE(std::filesystem::is_directory(scratch_ / "volumes/roles/a b/v1"));
}

// The older file says the same as far as it can, in the older form.
TEST_F(Store, WritesWhatOlderAgentsRead) {
  ASSERT_TRUE(store_.commit(state_of({volume_, reserved(resource_of("cpus:1"), "r")})).has_value());
  const std::string content = *base::read_file(paths_.resources_info());
  proto::RecordReader reader(content);
  Resource first;
  ASSERT_TRUE(first.ParseFromString(std::string(*reader.next())));
  EXPECT_EQ("a/b", first.role());
  EXPECT_EQ("p", first.reservation().principal());
  EXPECT_EQ(0, first.reservations_size());
  EXPECT_TRUE(reader.next().has_value());
  EXPECT_EQ(content.size(), reader.offset());

  std::filesystem::remove(paths_.operations_state());
  EXPECT_EQ(state_of({volume_, reserved(resource_of("cpus:1"), "r")}).DebugString(),
            read().committed.DebugString());

  ASSERT_TRUE(store_.commit(state_of({})).has_value());
  EXPECT_EQ("", *base::read_file(paths_.resources_info()));
}

TEST_F(Store, NoChangeWritesNothing) {
  ASSERT_TRUE(store_.commit({}).has_value());
  EXPECT_FALSE(base::path_exists(paths_.resources_dir()));
  ASSERT_TRUE(store_.commit(state_of({disk_})).has_value());
  std::filesystem::remove_all(paths_.resources_dir());
  ASSERT_TRUE(store_.commit(state_of({disk_})).has_value());
  EXPECT_FALSE(base::path_exists(paths_.resources_dir()));
}

TEST_F(Store, OperationsAloneLeaveTheResourcesAlone) {
  ASSERT_TRUE(store_.commit(state_of({disk_})).has_value());
  std::filesystem::remove(paths_.resources_info());
  ResourceState state = state_of({disk_});
  auto& operation = *state.add_operations();
  operation.mutable_uuid()->set_value("0123456789abcdef");
  operation.mutable_info()->set_type(mesos::v1::Offer::Operation::CREATE);
  operation.mutable_latest_status()->set_state(mesos::v1::OPERATION_PENDING);
  ASSERT_TRUE(store_.commit(state).has_value());
  EXPECT_FALSE(base::path_exists(paths_.resources_info()));
  EXPECT_EQ(1, reopen().committed().operations_size());
}

TEST_F(Store, VolumesKeepTheirDataUntilTheyAreDestroyed) {
  ASSERT_TRUE(store_.commit(state_of({volume_})).has_value());
  put(directory_of(volume_) + "/deep/data", "x");
  std::filesystem::create_symlink(scratch_ / "kept", directory_of(volume_) + "/link");
  put(scratch_ / "kept/file", "x");
  ASSERT_TRUE(store_.commit(state_of({volume_, volume(disk_, "v2")})).has_value());
  EXPECT_TRUE(base::path_exists(directory_of(volume_) + "/deep/data"));
  ASSERT_TRUE(store_.commit(state_of({volume(disk_, "v2"), disk_})).has_value());
  EXPECT_FALSE(base::path_exists(directory_of(volume_)));
  EXPECT_TRUE(base::path_exists(directory_of(volume(disk_, "v2"))));
  EXPECT_TRUE(base::path_exists(scratch_ / "kept/file"));
}

// As if whoever had it has mounted something there.
TEST_F(Store, WhatCannotBeDeletedOfAVolumeIsLeftAside) {
  if (getuid() != 0) GTEST_SKIP() << "only root mounts";
  ASSERT_TRUE(store_.commit(state_of({volume_})).has_value());
  const std::string directory = directory_of(volume_);
  put(directory + "/data", "x");
  std::filesystem::create_directories(directory + "/busy");
  put(scratch_ / "other/precious", "x");
  const pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWNS) != 0) _exit(1);
    if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) _exit(2);
    const std::string other = scratch_ / "other";
    const std::string busy = directory + "/busy";
    if (mount(other.c_str(), busy.c_str(), nullptr, MS_BIND, nullptr) != 0) _exit(3);
    _exit(store_.commit(state_of({disk_})) ? 0 : 4);
  }
  int status = -1;
  ASSERT_EQ(child, waitpid(child, &status, 0));
  EXPECT_EQ(0, status);
  EXPECT_FALSE(base::path_exists(directory));
  EXPECT_TRUE(base::path_exists(scratch_ / "other/precious"));
  ResourceStore store = reopen();
  ASSERT_TRUE(store.commit(state_of({volume_})).has_value());
  EXPECT_THAT(base::list_directory(directory).value(), IsEmpty()) << "another volume's data";
}

// Who has the volume may make a file immutable if it is root, or else take the right to write from
// a directory.
TEST_F(Store, WhatMayNotBeDeletedOfAVolumeIsLeftAside) {
  ASSERT_TRUE(store_.commit(state_of({volume_})).has_value());
  const std::string directory = directory_of(volume_);
  put(directory + "/kept/data", "x");
  const auto protect = [](const std::string& path, bool on) {
    const base::Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    const int flags = on ? FS_IMMUTABLE_FL : 0;
    if (getuid() == 0) return ioctl(fd.get(), FS_IOC_SETFLAGS, &flags) == 0;
    return fchmod(fd.get(), on ? 0555 : 0755) == 0;
  };
  ASSERT_TRUE(protect(directory + "/kept", true));
  EXPECT_TRUE(store_.commit(state_of({disk_})).has_value());
  EXPECT_FALSE(base::path_exists(directory));
  ResourceStore store = reopen();
  ASSERT_TRUE(store.commit(state_of({volume_})).has_value());
  EXPECT_THAT(base::list_directory(directory).value(), IsEmpty()) << "another volume's data";
  for (const auto& found : std::filesystem::recursive_directory_iterator(scratch_.path())) {
    if (found.path().filename() == "kept") EXPECT_TRUE(protect(found.path(), false));
  }
}

TEST_F(Store, AResizedVolumeKeepsItsData) {
  ASSERT_TRUE(store_.commit(state_of({volume_})).has_value());
  put(directory_of(volume_) + "/data", "x");
  Resource grown = volume_;
  grown.mutable_scalar()->set_value(128);
  ASSERT_TRUE(store_.commit(state_of({grown})).has_value());
  EXPECT_TRUE(base::path_exists(directory_of(volume_) + "/data"));
}

TEST_F(Store, VolumesOnDisksOfTheirOwn) {
  const Resource absolute = volume(on_disk(disk_, Source::PATH, scratch_ / "disk1"), "v");
  const Resource relative = volume(on_disk(disk_, Source::PATH, "disk2"), "v");
  const Resource mount = volume(on_disk(disk_, Source::MOUNT, scratch_ / "disk3"), "v");
  EXPECT_EQ(scratch_ / "disk1/volumes/roles/a b/v", directory_of(absolute));
  EXPECT_EQ(scratch_ / "disk2/volumes/roles/a b/v", directory_of(relative));
  EXPECT_EQ(scratch_ / "disk3", directory_of(mount));
  ASSERT_TRUE(store_.commit(state_of({absolute, relative, mount})).has_value());
  for (const Resource& made : {absolute, relative, mount}) {
    put(directory_of(made) + "/deep/data", "x");
  }
  ASSERT_TRUE(store_.commit(state_of({})).has_value());
  EXPECT_FALSE(base::path_exists(directory_of(absolute)));
  EXPECT_FALSE(base::path_exists(directory_of(relative)));
  EXPECT_TRUE(std::filesystem::is_directory(directory_of(mount)));
  EXPECT_TRUE(std::filesystem::is_empty(directory_of(mount)));
}

TEST_F(Store, DisksMustBeThere) {
  const auto prepare = [this](Source::Type type, const std::string& root) {
    return agent::prepare_disks(
        scratch_.path(), {resource_of("cpus:1"), on_disk(resource_of("disk:1"), type, root)});
  };
  EXPECT_TRUE(prepare(Source::PATH, scratch_ / "a/b").has_value());
  EXPECT_TRUE(std::filesystem::is_directory(scratch_ / "a/b"));
  EXPECT_TRUE(prepare(Source::PATH, "c").has_value());
  EXPECT_TRUE(std::filesystem::is_directory(scratch_ / "c"));
  EXPECT_TRUE(prepare(Source::MOUNT, "/proc").has_value());
  EXPECT_TRUE(prepare(Source::MOUNT, "/proc/").has_value());
  for (const std::string& root :
       {scratch_ / "a", scratch_ / "no", std::string("/"), std::string("/proc/..")}) {
    const auto prepared = prepare(Source::MOUNT, root);
    ASSERT_FALSE(prepared.has_value()) << root;
    EXPECT_EQ(ErrorKind::kInvalid, prepared.error().kind);
  }
}

TEST_F(Store, RefusesVolumesThatWouldBeElsewhere) {
  ASSERT_TRUE(store_.commit(state_of({disk_})).has_value());
  const Resource bad[] = {
      volume(disk_, ".."),
      volume(disk_, ""),
      volume(disk_, "a/b"),
      volume(reserved(resource_of("disk:1"), "../x"), "v"),
      volume(resource_of("disk:1"), "v"),
      volume(on_disk(disk_, Source::MOUNT, "/"), "v"),
      volume(on_disk(disk_, Source::MOUNT, ""), "v"),
      volume(on_disk(disk_, Source::MOUNT, "/./"), "v"),
      volume(on_disk(disk_, Source::MOUNT, "/a/../b"), "v"),
      volume(on_disk(disk_, Source::PATH, ".."), "v"),
      volume(on_disk(disk_, Source::RAW, ""), "v"),
  };
  for (const Resource& resource : bad) {
    SCOPED_TRACE(resource.ShortDebugString());
    EXPECT_FALSE(agent::volume_path(scratch_.path(), resource).has_value());
    EXPECT_FALSE(store_.commit(state_of({resource})).has_value());
  }
  EXPECT_EQ(state_of({disk_}).DebugString(), store_.committed().DebugString());
  EXPECT_THAT(files(), ElementsAre("resources.info", "resources_and_operations.state"));
}

// What a crash leaves after each step of a commit, which destroys v1 and makes v2.
TEST_F(Store, RollsForwardFromWhereverACommitWasInterrupted) {
  const ResourceState before = state_of({volume_});
  const ResourceState target = state_of({volume(disk_, "v2")});
  for (int step = 1; step <= 5; ++step) {
    SCOPED_TRACE(step);
    std::filesystem::remove_all(paths_.meta());
    ResourceStore store(scratch_.path());
    ASSERT_TRUE(store.commit(before).has_value());
    put(directory_of(volume_) + "/data", "x");

    put(paths_.operations_target(), *proto::make_record(target));
    if (step >= 2) put(paths_.resources_target(), *proto::make_record(target.resources(0)));
    if (step >= 3) std::filesystem::create_directories(scratch_ / "volumes/roles/a b/v2");
    if (step >= 4) std::filesystem::remove_all(directory_of(volume_));
    if (step >= 5) std::filesystem::rename(paths_.resources_target(), paths_.resources_info());
    EXPECT_EQ(target.DebugString(), reopen().committed().DebugString());
    EXPECT_THAT(files(), ElementsAre("resources.info", "resources_and_operations.state"));
    EXPECT_FALSE(base::path_exists(directory_of(volume_)));
    EXPECT_TRUE(base::path_exists(scratch_ / "volumes/roles/a b/v2"));
    EXPECT_EQ(target.DebugString(), read().committed.DebugString());
  }
}

TEST_F(Store, TakesItsTimeForVolumesThatACommitWasDeleting) {
  ASSERT_TRUE(store_.commit(state_of({volume_})).has_value());
  put(directory_of(volume_) + "/data", "x");
  const ResourceState target = state_of({volume(disk_, "v2")});
  put(paths_.operations_target(), *proto::make_record(target));
  ResourceStore store(scratch_.path());
  ASSERT_TRUE(store.recover(read()).has_value());
  EXPECT_TRUE(store.is_changing());
  EXPECT_TRUE(base::path_exists(directory_of(volume_) + "/data"));
  EXPECT_EQ(target.DebugString(), store.newest().DebugString());
  EXPECT_FALSE(store.commit(state_of({})).has_value());
  // Stopped, it leaves what the next one goes on with.
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(store.volume_work(stop.get_token())().has_value());
  EXPECT_TRUE(base::path_exists(directory_of(volume_) + "/data"));
  EXPECT_EQ(target.DebugString(), reopen().committed().DebugString());
  EXPECT_FALSE(base::path_exists(directory_of(volume_)));
}

TEST_F(Store, RollsForwardWhatAnOlderAgentHasLeft) {
  put(paths_.resources_info(), *proto::make_record(volume_));
  put(paths_.resources_target(), "");
  put(directory_of(volume_) + "/data", "x");
  EXPECT_EQ(0, reopen().committed().resources_size());
  EXPECT_FALSE(base::path_exists(directory_of(volume_)));
}

TEST_F(Store, DamagedResources) {
  for (const std::string& path : {paths_.resources_info(), paths_.operations_state()}) {
    put(path, "damage");
    const auto strict = agent::recover_meta(scratch_.path(), true);
    ASSERT_FALSE(strict.has_value());
    EXPECT_THAT(strict.error().message, HasSubstr(path));
    std::filesystem::remove_all(paths_.resources_dir());
  }
  put(paths_.resources_info(), "damage");
  EXPECT_EQ(1, agent::recover_meta(scratch_.path(), false)->errors);
}

}  // namespace
