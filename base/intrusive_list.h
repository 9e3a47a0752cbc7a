// A doubly linked list through its elements: no allocation, and an element leaves the list by
// being destroyed. This is what makes a waiting coroutine safe to destroy at any moment.
#pragma once

namespace base {

class ListLink {
 public:
  ListLink() = default;
  ListLink(const ListLink&) = delete;
  ListLink& operator=(const ListLink&) = delete;
  ~ListLink() { unlink(); }

  bool linked() const { return next_ != nullptr; }

  void unlink() {
    if (next_ == nullptr) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    prev_ = next_ = nullptr;
  }

 private:
  template <typename T>
  friend class IntrusiveList;
  ListLink* prev_ = nullptr;
  ListLink* next_ = nullptr;
};

// A list of T, where T derives from ListLink. Owns nothing.
template <typename T>
class IntrusiveList {
 public:
  IntrusiveList() { reset(); }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    while (!empty()) head_.next_->unlink();
    head_.prev_ = head_.next_ = nullptr;
  }

  bool empty() const { return head_.next_ == &head_; }

  void push_back(T& element) {
    ListLink& link = element;
    link.unlink();
    link.prev_ = head_.prev_;
    link.next_ = &head_;
    head_.prev_->next_ = &link;
    head_.prev_ = &link;
  }

  // The first element, taken out of the list; nullptr if there is none.
  T* pop_front() {
    if (empty()) return nullptr;
    ListLink* link = head_.next_;
    link->unlink();
    return static_cast<T*>(link);
  }

  // Moves everything that `other`, another list, holds to the end of this list, in order.
  void splice_back(IntrusiveList& other) {
    if (other.empty()) return;
    ListLink* first = other.head_.next_;
    ListLink* last = other.head_.prev_;
    first->prev_ = head_.prev_;
    head_.prev_->next_ = first;
    last->next_ = &head_;
    head_.prev_ = last;
    other.reset();
  }

 private:
  void reset() { head_.prev_ = head_.next_ = &head_; }

  ListLink head_;
};

}  // namespace base
