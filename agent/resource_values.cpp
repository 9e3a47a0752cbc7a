#include "agent/resource_values.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "agent/value_text.h"

namespace agent {

using mesos::v1::Resource;
using mesos::v1::Value;

namespace {

int64_t thousandths(double value) { return std::llround(value * 1000); }

bool has_item(const Value::Set& set, const std::string& item) {
  return std::ranges::find(set.item(), item) != set.item().end();
}

// Both coalesced.
Value::Ranges subtract_ranges(const Value::Ranges& total, const Value::Ranges& less) {
  Value::Ranges rest;
  const auto keep = [&rest](uint64_t begin, uint64_t end) {
    auto& range = *rest.add_range();
    range.set_begin(begin);
    range.set_end(end);
  };
  for (const Value::Range& range : total.range()) {
    uint64_t begin = range.begin();
    bool open = true;  // there is something from `begin` to the range's end
    for (const Value::Range& hole : less.range()) {
      if (hole.end() < begin || hole.begin() > range.end()) continue;
      if (hole.begin() > begin) keep(begin, hole.begin() - 1);
      open = hole.end() < range.end();
      if (!open) break;
      begin = hole.end() + 1;
    }
    if (open) keep(begin, range.end());
  }
  return rest;
}

}  // namespace

bool covers(const Value::Scalar& all, const Value::Scalar& some) {
  return thousandths(all.value()) >= thousandths(some.value());
}

bool covers(const Value::Ranges& all, const Value::Ranges& some) {
  Value::Ranges whole = all;
  coalesce(whole);
  return std::ranges::all_of(some.range(), [&whole](const Value::Range& range) {
    return std::ranges::any_of(whole.range(), [&range](const Value::Range& candidate) {
      return candidate.begin() <= range.begin() && range.end() <= candidate.end();
    });
  });
}

bool covers(const Value::Set& all, const Value::Set& some) {
  return std::ranges::all_of(some.item(),
                             [&all](const std::string& item) { return has_item(all, item); });
}

bool covers_value(const Resource& all, const Resource& some) {
  return covers(all.scalar(), some.scalar()) && covers(all.ranges(), some.ranges()) &&
         covers(all.set(), some.set());
}

void add_value(Resource& total, const Resource& more) {
  if (more.has_scalar()) {
    total.mutable_scalar()->set_value(round_scalar(total.scalar().value() + more.scalar().value()));
  }
  if (more.has_ranges()) {
    total.mutable_ranges()->MergeFrom(more.ranges());
    coalesce(*total.mutable_ranges());
  }
  for (const std::string& item : more.set().item()) {
    if (!has_item(total.set(), item)) total.mutable_set()->add_item(item);
  }
}

void subtract_value(Resource& total, const Resource& less) {
  if (less.has_scalar()) {
    total.mutable_scalar()->set_value(round_scalar(total.scalar().value() - less.scalar().value()));
  }
  if (less.has_ranges()) {
    Value::Ranges holes = less.ranges();
    coalesce(holes);
    coalesce(*total.mutable_ranges());
    *total.mutable_ranges() = subtract_ranges(total.ranges(), holes);
  }
  if (less.has_set()) {
    auto& items = *total.mutable_set()->mutable_item();
    items.erase(std::remove_if(items.begin(), items.end(),
                               [&less](const auto& item) { return has_item(less.set(), item); }),
                items.end());
  }
}

bool is_empty(const Resource& resource) {
  switch (resource.type()) {
    case Value::SCALAR:
      return thousandths(resource.scalar().value()) <= 0;
    case Value::RANGES:
      return resource.ranges().range_size() == 0;
    case Value::SET:
      return resource.set().item_size() == 0;
    case Value::TEXT:
      return false;
  }
}

}  // namespace agent
