#include "base/intrusive_list.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

namespace {

struct Item : base::ListLink {
  explicit Item(int n) : number(n) {}
  int number;
};

using List = base::IntrusiveList<Item>;

std::vector<int> drain(List& list) {
  std::vector<int> numbers;
  while (Item* item = list.pop_front()) numbers.push_back(item->number);
  return numbers;
}

TEST(IntrusiveList, keeps_the_order) {
  List list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.pop_front(), nullptr);
  Item a(1), b(2), c(3);
  list.push_back(a);
  list.push_back(b);
  list.push_back(c);
  EXPECT_FALSE(list.empty());
  EXPECT_EQ(drain(list), (std::vector{1, 2, 3}));
  EXPECT_TRUE(list.empty());
  EXPECT_FALSE(a.linked());
}

TEST(IntrusiveList, forgets_a_destroyed_element) {
  for (int gone = 0; gone < 3; ++gone) {
    List list;
    std::vector<std::unique_ptr<Item>> items;
    std::vector<int> expected;
    for (int i = 0; i < 3; ++i) {
      items.push_back(std::make_unique<Item>(i));
      list.push_back(*items.back());
      if (i != gone) expected.push_back(i);
    }
    items[static_cast<size_t>(gone)].reset();
    EXPECT_EQ(drain(list), expected);
  }
}

TEST(IntrusiveList, moves_an_element_that_is_in_a_list_already) {
  List one, two;
  Item a(1), b(2);
  one.push_back(a);
  one.push_back(b);
  one.push_back(a);
  EXPECT_EQ(drain(one), (std::vector{2, 1}));
  one.push_back(a);
  two.push_back(a);
  EXPECT_TRUE(one.empty());
  EXPECT_EQ(drain(two), (std::vector{1}));
}

TEST(IntrusiveList, lets_its_elements_go_when_destroyed) {
  Item a(1), b(2);
  {
    List list;
    list.push_back(a);
    list.push_back(b);
  }
  EXPECT_FALSE(a.linked());
  List other;
  other.push_back(a);
  EXPECT_EQ(drain(other), (std::vector{1}));
}

TEST(IntrusiveList, unlinks_twice) {
  List list;
  Item a(1);
  a.unlink();
  list.push_back(a);
  a.unlink();
  a.unlink();
  EXPECT_TRUE(list.empty());
}

TEST(IntrusiveList, splices) {
  List one, two;
  Item a(1), b(2), c(3), d(4);
  one.splice_back(two);
  EXPECT_TRUE(one.empty());

  two.push_back(a);
  two.push_back(b);
  one.splice_back(two);  // into an empty one
  EXPECT_TRUE(two.empty());

  two.push_back(c);
  two.push_back(d);
  one.splice_back(two);
  one.splice_back(two);  // from an empty one
  EXPECT_TRUE(two.empty());
  d.unlink();
  a.unlink();
  one.push_back(a);
  EXPECT_EQ(drain(one), (std::vector{2, 3, 1}));
  two.push_back(d);
  EXPECT_EQ(drain(two), (std::vector{4}));
}

}  // namespace
