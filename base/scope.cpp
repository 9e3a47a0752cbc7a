#include "base/scope.h"

namespace base {

Scope::~Scope() {
  // Again, if a task's destructors have spawned.
  while (count_ > 0) cancel();
}

void Scope::spawn(Task<void> task) {
  auto* node = new Node(*this, std::move(task));
  running_.push_back(*node);
  ++count_;
  idle_.clear();
  node->start();
}

void Scope::Node::task_done() {
  unlink();
  if (--scope_.count_ == 0) scope_.idle_.set();
  delete this;  // last: what the task was given may own the scope
}

void Scope::cancel() {
  IntrusiveList<Node> cancelled;
  cancelled.splice_back(running_);
  count_ = 0;
  idle_.set();
  while (Node* node = cancelled.pop_front()) delete node;
}

Task<void> Scope::join() {
  while (count_ > 0) {
    idle_.clear();
    co_await idle_.wait();
  }
}

}  // namespace base
