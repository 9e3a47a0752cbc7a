#include "executors/checks/checker.h"

#include <optional>

#include "base/combine.h"
#include "base/duration.h"
#include "base/strings.h"
#include "executors/wait.h"

namespace executors {

namespace {

base::Task<ProbeResult> run_within(const Probe& probe, ProbeContext context, Duration timeout) {
  if (timeout == Duration::zero()) co_return co_await run_probe(probe, context);
  auto result = co_await base::with_timeout(run_probe(probe, context), timeout);
  if (result) co_return *std::move(result);
  co_return base::fail(base::ErrorKind::kTimeout,
                       base::concat("No result within ", base::to_string(timeout)));
}

}  // namespace

base::Task<void> Checker::run() {
  co_await wait(spec_.delay);
  while (true) {
    if (paused_.is_set()) co_await resumed_.wait();
    auto end =
        co_await base::any_of(run_within(spec_.probe, context_, spec_.timeout), wait_for(paused_));
    // What ended at the same moment is not wanted either.
    if (end.index() == 1 || paused_.is_set()) continue;
    report_(std::get<0>(end));
    co_await wait(spec_.interval);
  }
}

base::Task<void> Checker::wait(Duration duration) {
  co_await base::any_of(base::sleep_task(duration), wait_for(paused_));
}

void Checker::pause() {
  resumed_.clear();
  paused_.set();
}

void Checker::resume() {
  paused_.clear();
  resumed_.set();
}

}  // namespace executors
