#include "executors/process_tree.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/process.h"

namespace executors {
namespace {

std::vector<pid_t> pids(const std::vector<ProcessEntry>& entries) {
  std::vector<pid_t> found;
  for (const auto& entry : entries) found.push_back(entry.pid);
  std::ranges::sort(found);
  return found;
}

// Numbers above all that the kernel gives, so that none is this process's.
constexpr pid_t kBase = 10'000'000;

ProcessEntry entry(int pid, int parent, int group, int session) {
  return {.pid = kBase + pid,
          .parent = kBase + parent,
          .group = kBase + group,
          .session = kBase + session,
          .state = 'S'};
}

std::vector<pid_t> numbers(std::initializer_list<int> list) {
  std::vector<pid_t> found;
  for (const int each : list) found.push_back(kBase + each);
  return found;
}

TEST(ProcessTreeTest, ParsesStat) {
  ProcessEntry entry;
  std::string fields = "S 2 3 4 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 12345 0 0";
  ASSERT_TRUE(parse_stat("17 (a) b (c)) " + fields, &entry));
  EXPECT_EQ(entry.pid, 17);
  EXPECT_EQ(entry.state, 'S');
  EXPECT_EQ(entry.parent, 2);
  EXPECT_EQ(entry.group, 3);
  EXPECT_EQ(entry.session, 4);
  EXPECT_EQ(entry.start_time, 12345);
  EXPECT_FALSE(parse_stat("", &entry));
  EXPECT_FALSE(parse_stat("17 (a)", &entry));
  EXPECT_FALSE(parse_stat("17 (a) S 2 3", &entry));
  EXPECT_FALSE(parse_stat("x (a) " + fields, &entry));
}

TEST(ProcessTreeTest, FindsThisProcess) {
  const auto all = list_processes();
  const auto self = std::ranges::find(all, getpid(), &ProcessEntry::pid);
  ASSERT_NE(self, all.end());
  EXPECT_EQ(self->parent, getppid());
  EXPECT_EQ(self->group, getpgrp());
  EXPECT_EQ(self->session, getsid(0));
  EXPECT_EQ(self->start_time, base::process_start_time(getpid()));
}

TEST(ProcessTreeTest, FollowsDescendantsGroupsAndSessions) {
  const std::vector<ProcessEntry> all = {
      entry(1, 0, 1, 1),     entry(10, 1, 10, 10),  // the root: its own session
      entry(11, 10, 10, 10),                        // a child
      entry(12, 11, 12, 10),                        // a job of it
      entry(13, 1, 10, 10),   // a child whose parent has ended, of the same group
      entry(14, 1, 14, 10),   // and one of the same session
      entry(15, 11, 15, 15),  // a session below
      entry(16, 1, 16, 15),   // and an orphan of that
      entry(17, 16, 17, 17), entry(20, 1, 20, 20),  // somebody else
      entry(21, 20, 20, 20),
  };
  EXPECT_EQ(pids(tree_of(all, kBase + 10)), numbers({10, 11, 12, 13, 14, 15, 16, 17}));
  EXPECT_EQ(pids(tree_of(all, kBase + 20)), numbers({20, 21}));
}

TEST(ProcessTreeTest, FindsWhatIsLeftOfARootThatHasEnded) {
  const std::vector<ProcessEntry> all = {entry(1, 0, 1, 1), entry(11, 1, 10, 10),
                                         entry(12, 11, 12, 12), entry(20, 1, 20, 20)};
  EXPECT_EQ(pids(tree_of(all, kBase + 10)), numbers({11, 12}));
}

TEST(ProcessTreeTest, Descendants) {
  // Children before their parents, as after the numbers have wrapped around.
  const std::vector<ProcessEntry> all = {entry(3, 7, 3, 3), entry(5, 1, 5, 5), entry(6, 1, 5, 5),
                                         entry(7, 5, 5, 5)};
  EXPECT_EQ(pids(descendants_of(all, kBase + 5)), numbers({3, 7}));
  EXPECT_EQ(pids(descendants_of(all, kBase + 1)), numbers({3, 5, 6, 7}));
  EXPECT_EQ(pids(descendants_of(all, kBase + 3)), numbers({}));
}

}  // namespace
}  // namespace executors
