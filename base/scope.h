// Scope: the home of tasks that nobody awaits one by one (a nursery). Whoever owns the scope owns
// its tasks: destroying it cancels them, join() waits until the last has ended.
#pragma once

#include <cstddef>

#include "base/event_loop.h"
#include "base/intrusive_list.h"
#include "base/sync.h"
#include "base/task.h"

namespace base {

// Declare it after what its tasks use, so that they are cancelled first. It must outlive whoever
// awaits join().
class Scope {
 public:
  Scope() = default;
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope();

  // Starts the task at once, up to its first wait. Also from within a task of this scope.
  void spawn(Task<void> task);

  // Cancels every present task, the oldest first; join() goes on. Not from within one of them, and
  // not by destroying the scope there: a task ends by returning.
  void cancel();

  // Waits until no task is left. Tasks spawned meanwhile count.
  Task<void> join();

  // How many tasks have not ended.
  size_t size() const { return count_; }

 private:
  // One running task; deletes itself when the task ends.
  class Node final : public ListLink, internal::Completion {
   public:
    Node(Scope& scope, Task<void> task) : scope_(scope), task_(std::move(task)) {}
    void start() { task_.start(*this); }

   private:
    void task_done() override;

    Scope& scope_;
    Task<void> task_;
  };

  IntrusiveList<Node> running_;
  size_t count_ = 0;
  Event idle_;
};

}  // namespace base
