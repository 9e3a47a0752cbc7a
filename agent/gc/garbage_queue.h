// Paths that wait for their turn. There may be hundreds of thousands: each task that has ended
// leaves four, for a week.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace agent {

class GarbageQueue {
 public:
  using Clock = std::chrono::steady_clock;

  // A path that waits already waits anew. Of several that are due at once, who came first is first.
  void add(std::string_view path, Clock::time_point due);

  // Whether it waited.
  bool remove(std::string_view path);

  // The path, and all below it.
  void remove_tree(std::string_view path);

  // The first one, if it is due by then. It waits no longer.
  std::optional<std::string> take_due(Clock::time_point now);

  // Those that are due by `end`, but were not by `now`, are due at `now`.
  void bring_forward(Clock::time_point now, Clock::time_point end);

  // When the first one is due.
  std::optional<Clock::time_point> next_due() const;

  bool contains(std::string_view path) const;
  size_t size() const { return by_turn_.size(); }
  bool empty() const { return by_turn_.empty(); }

 private:
  struct Turn {
    Clock::time_point due;
    uint64_t number;
    auto operator<=>(const Turn&) const = default;
  };

  // What all executors of a framework have in common is held once, in the key of its group. The
  // names in it are the rest of each path.
  using Names = std::map<std::string, Turn, std::less<>>;
  using Groups = std::map<std::string, Names, std::less<>>;

  struct Waiting {
    Groups::iterator group;
    Names::iterator name;
  };
  struct ByTurn {
    using is_transparent = void;
    static const Turn& turn(const Waiting& waiting) { return waiting.name->second; }
    static const Turn& turn(const Turn& turn) { return turn; }
    bool operator()(const auto& a, const auto& b) const { return turn(a) < turn(b); }
  };

  std::optional<Waiting> find(std::string_view path);
  void remove(const Waiting& waiting);
  void remove_all_of(Groups::iterator group, std::string_view prefix);
  static std::string path_of(const Waiting& waiting);

  Groups groups_;
  std::set<Waiting, ByTurn> by_turn_;
  uint64_t next_ = 0;
};

}  // namespace agent
