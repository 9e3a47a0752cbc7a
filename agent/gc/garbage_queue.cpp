#include "agent/gc/garbage_queue.h"

#include "base/strings.h"

namespace agent {

namespace {

constexpr std::string_view kExecutors = "/executors/";

struct Parts {
  std::string_view group;
  std::string_view name;
};

Parts split(std::string_view path) {
  const size_t at = path.find(kExecutors);
  if (at == std::string_view::npos) return {{}, path};
  const size_t end = at + kExecutors.size();
  return {path.substr(0, end), path.substr(end)};
}

}  // namespace

void GarbageQueue::add(std::string_view path, Clock::time_point due) {
  remove(path);
  const auto [group, name] = split(path);
  auto in = groups_.find(group);
  if (in == groups_.end()) in = groups_.emplace(group, Names()).first;
  const auto at = in->second.emplace(name, Turn{due, next_++}).first;
  by_turn_.insert({in, at});
}

bool GarbageQueue::remove(std::string_view path) {
  const auto waiting = find(path);
  if (waiting) remove(*waiting);
  return waiting.has_value();
}

void GarbageQueue::remove_tree(std::string_view path) {
  remove(path);
  const std::string below = base::concat(path, "/");
  for (auto group = groups_.lower_bound(below);
       group != groups_.end() && group->first.starts_with(below);) {
    remove_all_of(group++, {});
  }
  const auto [group, prefix] = split(below);
  if (const auto at = groups_.find(group); at != groups_.end()) remove_all_of(at, prefix);
}

std::optional<std::string> GarbageQueue::take_due(Clock::time_point now) {
  if (empty() || *next_due() > now) return std::nullopt;
  const Waiting first = *by_turn_.begin();
  std::string path = path_of(first);
  remove(first);
  return path;
}

void GarbageQueue::bring_forward(Clock::time_point now, Clock::time_point end) {
  auto at = by_turn_.upper_bound(Turn{now, UINT64_MAX});
  const auto last = by_turn_.upper_bound(Turn{end, UINT64_MAX});
  // In their order, so behind those that are due already.
  while (at != by_turn_.end() && at != last) {
    auto node = by_turn_.extract(at++);
    node.value().name->second = {now, next_++};
    by_turn_.insert(std::move(node));
  }
}

std::optional<GarbageQueue::Clock::time_point> GarbageQueue::next_due() const {
  if (empty()) return std::nullopt;
  return ByTurn::turn(*by_turn_.begin()).due;
}

bool GarbageQueue::contains(std::string_view path) const {
  const auto [group, name] = split(path);
  const auto in = groups_.find(group);
  return in != groups_.end() && in->second.contains(name);
}

std::optional<GarbageQueue::Waiting> GarbageQueue::find(std::string_view path) {
  const auto [group, name] = split(path);
  const auto in = groups_.find(group);
  if (in == groups_.end()) return std::nullopt;
  const auto at = in->second.find(name);
  if (at == in->second.end()) return std::nullopt;
  return Waiting{in, at};
}

void GarbageQueue::remove(const Waiting& waiting) {
  by_turn_.erase(by_turn_.find(waiting.name->second));
  waiting.group->second.erase(waiting.name);
  if (waiting.group->second.empty()) groups_.erase(waiting.group);
}

void GarbageQueue::remove_all_of(Groups::iterator group, std::string_view prefix) {
  Names& names = group->second;
  for (auto at = names.lower_bound(prefix); at != names.end() && at->first.starts_with(prefix);) {
    by_turn_.erase(by_turn_.find(at->second));
    at = names.erase(at);
  }
  if (names.empty()) groups_.erase(group);
}

std::string GarbageQueue::path_of(const Waiting& waiting) {
  return base::concat(waiting.group->first, waiting.name->first);
}

}  // namespace agent
