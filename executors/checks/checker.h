// Runs a check again and again.
#pragma once

#include <functional>
#include <utility>

#include "base/sync.h"
#include "base/task.h"
#include "executors/checks/probe.h"
#include "executors/checks/verdict.h"
#include "executors/events.h"

namespace executors {

class Checker {
 public:
  // `report` gets each result, in run(). It may pause the checker; it must not destroy it.
  using Report = std::function<void(const ProbeResult&)>;

  Checker(CheckSpec spec, ProbeContext context, Report report)
      : spec_(std::move(spec)), context_(context), report_(std::move(report)) {}
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;

  // Checks after the delay, and then with the interval between the end of one run and the beginning
  // of the next. For ever.
  base::Task<void> run();

  // While paused, nothing runs and nothing is reported: what is running is killed. Afterwards the
  // next run begins at once, whatever of a delay or interval was left.
  void pause();
  void resume();

 private:
  base::Task<void> wait(Duration duration);

  CheckSpec spec_;
  ProbeContext context_;
  Report report_;
  base::Event paused_;
  base::Event resumed_;
};

}  // namespace executors
