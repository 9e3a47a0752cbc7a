// Line: coroutines that wait for their turn.
#pragma once

#include <algorithm>
#include <deque>

#include "base/sync.h"

namespace base {

// Where coroutines stand in line for what only one at a time may do. Must outlive those who stand
// in it.
class Line {
 public:
  // A place at the end; as long as it exists nobody behind has their turn. Whoever is first has it
  // at once.
  class Place {
   public:
    explicit Place(Line& line) : line_(line) {
      line_.places_.push_back(this);
      if (line_.places_.front() == this) turn_.set();
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
      line_.places_.erase(std::ranges::find(line_.places_, this));
      if (!line_.places_.empty()) line_.places_.front()->turn_.set();
    }

    // Awaited: goes on when all who were there before have left.
    auto turn() { return turn_.wait(); }

   private:
    Line& line_;
    Event turn_;
  };

 private:
  std::deque<Place*> places_;
};

}  // namespace base
