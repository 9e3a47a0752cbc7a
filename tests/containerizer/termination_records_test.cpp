#include "containerizer/termination_records.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/files.h"
#include "containerizer/checkpoint.h"
#include "tests/scratch.h"

namespace {

using namespace std::chrono_literals;
using containerizer::ContainerId;
using containerizer::RuntimePaths;
using containerizer::TerminationRecords;
using isolators::ContainerTermination;
using std::chrono::steady_clock;
using Ids = std::vector<ContainerId>;

ContainerId root(const std::string& name) { return ContainerId::root_of(name); }

class TerminationRecordsTest : public testing::Test {
 protected:
  // As the container itself leaves it.
  void write_record(const ContainerId& id, int status) {
    ASSERT_TRUE(base::make_directories(paths_.directory(id)));
    ContainerTermination termination;
    termination.set_status(status);
    ASSERT_TRUE(containerizer::write_checkpoint(paths_.file(id, containerizer::kTerminationFile),
                                                termination));
  }

  const tests::ScratchDirectory scratch_;
  const RuntimePaths paths_{scratch_.path()};
};

TEST_F(TerminationRecordsTest, FindsWhatWasWritten) {
  const TerminationRecords records(paths_, 1h, 1000);
  EXPECT_FALSE(records.find(root("a")).has_value());
  EXPECT_FALSE(records.knows_root(root("a")));
  write_record(root("a"), 256);
  write_record(root("a").child("b"), 9);
  EXPECT_EQ(256, records.find(root("a"))->status());
  EXPECT_EQ(9, records.find(root("a").child("b"))->status());
  EXPECT_FALSE(records.find(root("a").child("c")).has_value());
  EXPECT_TRUE(records.knows_root(root("a")));

  ASSERT_TRUE(base::write_file(paths_.file(root("a"), containerizer::kTerminationFile), "x"));
  EXPECT_FALSE(records.find(root("a")).has_value());
}

// A full disk.
TEST_F(TerminationRecordsTest, KeepsWhatCouldNotBeWritten) {
  TerminationRecords records(paths_, 1h, 1000);
  const ContainerId child = root("a").child("b");
  ContainerTermination termination;
  termination.set_status(9);
  for (const auto& id : {root("a"), child, root("ab")}) records.keep(id, termination);
  EXPECT_EQ(9, records.find(root("a"))->status());
  EXPECT_EQ(9, records.find(child)->status());
  EXPECT_TRUE(records.knows_root(root("a")));
  // What has been written counts, and is not kept.
  write_record(root("a"), 256);
  EXPECT_EQ(256, records.find(root("a"))->status());
  write_record(root("c"), 256);
  records.keep(root("c"), termination);
  EXPECT_EQ(256, records.find(root("c"))->status());
  ASSERT_TRUE(base::remove_tree(paths_.containers()));
  EXPECT_FALSE(records.find(root("c")).has_value());

  records.forget(child);
  EXPECT_FALSE(records.find(child).has_value());
  EXPECT_TRUE(records.find(root("a")).has_value());
  records.keep(child, termination);
  records.forget(root("a"));
  EXPECT_FALSE(records.find(root("a")).has_value());
  EXPECT_FALSE(records.find(child).has_value());
  EXPECT_TRUE(records.find(root("ab")).has_value());
}

TEST_F(TerminationRecordsTest, OfNothingNothingExpires) {
  TerminationRecords records(paths_, 0s, 0);
  EXPECT_EQ(Ids{}, records.take_expired());
  EXPECT_EQ(std::nullopt, records.next_expiry());
}

TEST_F(TerminationRecordsTest, ByAge) {
  TerminationRecords records(paths_, 1h, 1000);
  const auto now = steady_clock::now();
  // In any order: the clock may have been set.
  records.root_ended(root("young"), now - 59min);
  records.root_ended(root("old"), now - 61min);
  records.root_ended(root("oldest"), now - 24h);
  records.root_ended(root("future"), now + 24h);
  EXPECT_EQ(0ns, records.next_expiry());
  EXPECT_EQ((Ids{root("oldest"), root("old")}), records.take_expired());
  EXPECT_EQ(Ids{}, records.take_expired());
  ASSERT_TRUE(records.next_expiry().has_value());
  EXPECT_LE(*records.next_expiry(), 1min);
  EXPECT_GT(*records.next_expiry(), 50s);
}

TEST_F(TerminationRecordsTest, ByCount) {
  TerminationRecords records(paths_, 1h, 2);
  const auto now = steady_clock::now();
  records.root_ended(root("c"), now - 1s);
  records.root_ended(root("a"), now - 3s);
  records.root_ended(root("d"), now);
  records.root_ended(root("b"), now - 2s);
  EXPECT_EQ((Ids{root("a"), root("b")}), records.take_expired());
  EXPECT_EQ(Ids{}, records.take_expired());
}

TEST_F(TerminationRecordsTest, NothingIsKeptOnRequest) {
  TerminationRecords at_once(paths_, 0s, 1000);
  at_once.root_ended(root("a"), steady_clock::now());
  EXPECT_EQ(Ids{root("a")}, at_once.take_expired());
  TerminationRecords none(paths_, 1h, 0);
  none.root_ended(root("a"), steady_clock::now());
  EXPECT_EQ(Ids{root("a")}, none.take_expired());
}

TEST_F(TerminationRecordsTest, ForEverIsForEver) {
  TerminationRecords records(paths_, std::chrono::nanoseconds::max(), 1000);
  records.root_ended(root("a"), steady_clock::now() - 24h);
  EXPECT_EQ(Ids{}, records.take_expired());
  ASSERT_TRUE(records.next_expiry().has_value());
  EXPECT_GT(*records.next_expiry(), 24h * 365 * 200);
}

TEST_F(TerminationRecordsTest, WhoIsDroppedNoLongerAges) {
  TerminationRecords records(paths_, 1h, 1000);
  records.root_ended(root("a"), steady_clock::now() - 2h);
  records.root_ended(root("b"), steady_clock::now() - 2h);
  records.drop_root(root("a"));
  records.drop_root(root("unknown"));
  EXPECT_EQ(Ids{root("b")}, records.take_expired());
}

// The file itself tells when.
TEST_F(TerminationRecordsTest, RecoveredRootsGoOnAgeing) {
  write_record(root("a"), 0);
  write_record(root("b"), 0);
  const timespec long_ago[2] = {{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 1, .tv_nsec = 0}};
  const std::string file = paths_.file(root("a"), containerizer::kTerminationFile);
  ASSERT_EQ(0, utimensat(AT_FDCWD, file.c_str(), long_ago, 0));
  TerminationRecords records(paths_, 1h, 1000);
  records.recover_root(root("a"));
  records.recover_root(root("b"));
  records.recover_root(root("without a record"));
  EXPECT_EQ(Ids{root("a")}, records.take_expired());
  EXPECT_TRUE(records.next_expiry().has_value());
}

}  // namespace
