#include "base/fd_window.h"

#include <fcntl.h>

#include <algorithm>

#include "base/fd.h"
#include "base/strings.h"

namespace base {

namespace {

// The process's own: numbers that are kept are so for as long as it lives.
struct Window {
  std::mutex mutex;
  std::array<int, FdWindow::kSize> numbers{};
  size_t kept = 0;
};

Window& window() {
  static Window one;
  return one;
}

constexpr char kPlaceholder[] = "/dev/null";

// With the lock held. The placeholder is number 0 of the window itself.
Status keep_numbers(Window& window) {
  if (window.kept == window.numbers.size()) return {};
  Fd first;
  if (window.kept == 0) {
    first = Fd(open(kPlaceholder, O_RDWR | O_CLOEXEC));
    if (!first) return fail_errno(concat("open '", std::string_view(kPlaceholder), "'"));
  }
  while (window.kept < window.numbers.size()) {
    const int number = fcntl(window.kept == 0 ? first.get() : window.numbers[0], F_DUPFD_CLOEXEC,
                             FdWindow::kBegin);
    if (number < 0) return fail_errno("fcntl(F_DUPFD_CLOEXEC)");
    window.numbers[window.kept++] = number;
  }
  return {};
}

}  // namespace

Status FdWindow::reserve() {
  const std::lock_guard lock(window().mutex);
  return keep_numbers(window());
}

FdWindow::FdWindow() : lock_(window().mutex) {}

FdWindow::~FdWindow() {
  const auto& numbers = window().numbers;
  // Over an open descriptor this cannot fail.
  for (size_t i = 1; i <= used_; ++i) dup3(numbers[0], numbers[i], O_CLOEXEC);
}

Result<int> FdWindow::add(int fd) {
  TRY_VOID(keep_numbers(window()));
  const auto& numbers = window().numbers;
  if (used_ + 1 == numbers.size()) return fail("Too many descriptors for a new process");
  if (dup3(fd, numbers[used_ + 1], O_CLOEXEC) < 0) {
    return fail_errno(concat("cannot pass descriptor ", fd));
  }
  return numbers[++used_];
}

int FdWindow::end() const {
  const auto& numbers = window().numbers;
  return *std::ranges::max_element(numbers) + 1;
}

}  // namespace base
