// Questions to the host's resolver, which blocks, off the loop's thread and apart from all other
// work: a name server that does not answer holds each of them up for seconds, or for ever.
//
// They have a few threads of their own, which nobody waits for. At the end of the loop, a thread
// that hangs in the resolver is left behind: it owns what it touches.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "base/result.h"
#include "base/task.h"

namespace base {

// How many questions are being answered at once, and how many different ones may wait for that.
inline constexpr size_t kResolverThreads = 4;
inline constexpr size_t kResolverQueue = 64;

// What `ask` returns, which runs on one of the threads. Who asks the same question (the text says
// which) while it has not been answered gets the answer to it, and `ask` is not called again; an
// empty question is nobody else's. EAGAIN: too many others wait, or there can be no thread.
//
// `ask` must own everything that it touches: once begun it runs to its end, also if all who asked
// are cancelled or the loop ends. What has not begun is dropped when nobody waits for it any more.
// It is destroyed on the thread that it ran on, or else on the loop's.
Task<Result<std::string>> ask_resolver(std::string question, std::function<std::string()> ask);

// The same for work of a library that asks the resolver by itself. `f` gives a Result, and can be
// copied.
template <typename F>
Task<std::invoke_result_t<F>> run_on_resolver(F f) {
  auto result = std::make_shared<std::optional<std::invoke_result_t<F>>>();
  CO_TRY_VOID(co_await ask_resolver("", [result, work = std::move(f)] {
    result->emplace(work());
    return std::string();
  }));
  co_return std::move(**result);
}

}  // namespace base
