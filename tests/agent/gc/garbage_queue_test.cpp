#include "agent/gc/garbage_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace {

using agent::GarbageQueue;
using testing::ElementsAre;
using namespace std::chrono_literals;

constexpr char kExecutors[] = "/w/slaves/S/frameworks/F/executors/";

GarbageQueue::Clock::time_point at(std::chrono::nanoseconds time) {
  return GarbageQueue::Clock::time_point(time);
}

std::string executor(const std::string& rest) { return kExecutors + rest; }

// What is due by then, in its order.
std::vector<std::string> take(GarbageQueue& queue, std::chrono::nanoseconds now = 1000h) {
  std::vector<std::string> paths;
  while (auto path = queue.take_due(at(now))) paths.push_back(*std::move(path));
  return paths;
}

TEST(GarbageQueue, WhoIsDueFirst) {
  GarbageQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(std::nullopt, queue.next_due());
  EXPECT_EQ(std::nullopt, queue.take_due(at(1h)));
  queue.add(executor("late"), at(3s));
  queue.add("/w/containers/c", at(1s));
  queue.add(executor("soon/runs/r"), at(2s));
  queue.add(executor("soon"), at(2s));
  EXPECT_EQ(4, queue.size());
  EXPECT_EQ(at(1s), queue.next_due());
  EXPECT_EQ(std::nullopt, queue.take_due(at(1s - 1ns)));
  EXPECT_THAT(take(queue, 2s),
              ElementsAre("/w/containers/c", executor("soon/runs/r"), executor("soon")));
  EXPECT_THAT(take(queue), ElementsAre(executor("late")));
  EXPECT_TRUE(queue.empty());
}

TEST(GarbageQueue, Again) {
  GarbageQueue queue;
  queue.add(executor("a"), at(1s));
  queue.add(executor("b"), at(1s));
  queue.add(executor("a"), at(1s));
  EXPECT_EQ(2, queue.size());
  EXPECT_THAT(take(queue), ElementsAre(executor("b"), executor("a")));
}

TEST(GarbageQueue, Removed) {
  GarbageQueue queue;
  for (const char* name : {"a", "b", "b/runs/r"}) queue.add(executor(name), at(1s));
  EXPECT_TRUE(queue.contains(executor("b")));
  EXPECT_TRUE(queue.remove(executor("b")));
  EXPECT_FALSE(queue.contains(executor("b")));
  EXPECT_FALSE(queue.remove(executor("b")));
  EXPECT_FALSE(queue.remove("/w/slaves/S/frameworks/F"));
  EXPECT_THAT(take(queue), ElementsAre(executor("a"), executor("b/runs/r")));
}

TEST(GarbageQueue, WithAllBelow) {
  const std::vector<std::string> all = {
      "/w/containers/c", "/w/containers/c/containers/d", "/w/containers/c2", "/w/slaves/S",
      "/w/slaves/S/frameworks/F", executor("e"), executor("e/runs/r"), executor("e2"),
      "/w/slaves/S/frameworks/F2", "/w/meta/slaves/S/frameworks/F/executors/e/runs/r/tasks/t",
      // Ids that are called like what is around them.
      "/w/slaves/S/frameworks/executors", "/w/slaves/S/frameworks/executors/executors/executors",
      "/w/slaves/S/frameworks/executors/executors/executors/runs/r"};
  for (const std::string& root : all) {
    GarbageQueue queue;
    for (const std::string& path : all) queue.add(path, at(1s));
    queue.remove_tree(root);
    std::vector<std::string> others;
    std::ranges::copy_if(all, std::back_inserter(others), [&](const std::string& path) {
      return path != root && !path.starts_with(root + "/");
    });
    EXPECT_EQ(others, take(queue)) << root;
  }
}

TEST(GarbageQueue, EarlierThanPlanned) {
  GarbageQueue queue;
  queue.add(executor("late"), at(5s));
  queue.add(executor("second"), at(3s));
  queue.add(executor("first"), at(2s));
  queue.add(executor("due"), at(1s));
  queue.bring_forward(at(1s), at(3s));
  EXPECT_EQ(4, queue.size());
  EXPECT_THAT(take(queue, 1s), ElementsAre(executor("due"), executor("first"), executor("second")));
  EXPECT_THAT(take(queue), ElementsAre(executor("late")));
}

// The same as the simplest that could do it.
TEST(GarbageQueue, Random) {
  std::mt19937 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
  const auto any = [&random](unsigned most) { return random() % most; };
  GarbageQueue queue;
  std::map<std::string, std::pair<std::chrono::nanoseconds, int>> simple;
  const auto path = [&any] {
    std::string text = executor(std::to_string(any(5)));
    if (any(2) != 0) text += "/runs/" + std::to_string(any(3));
    return text;
  };
  for (int i = 0; i < 20'000; ++i) {
    const std::string chosen = path();
    switch (any(5)) {
      case 0:
      case 1: {
        const std::chrono::nanoseconds due = std::chrono::seconds(any(100));
        queue.add(chosen, at(due));
        simple.insert_or_assign(chosen, std::pair(due, i));
        break;
      }
      case 2:
        EXPECT_EQ(simple.erase(chosen) != 0, queue.remove(chosen));
        break;
      case 3:
        queue.remove_tree(chosen);
        std::erase_if(simple, [&chosen](const auto& entry) {
          return entry.first == chosen || entry.first.starts_with(chosen + "/");
        });
        break;
      default: {
        const auto first =
            std::ranges::min_element(simple, {}, [](const auto& entry) { return entry.second; });
        const auto taken = queue.take_due(at(50s));
        if (first == simple.end() || first->second.first > 50s) {
          EXPECT_EQ(std::nullopt, taken);
        } else {
          EXPECT_EQ(first->first, taken);
          simple.erase(first);
        }
      }
    }
    ASSERT_EQ(simple.size(), queue.size());
  }
}

}  // namespace
