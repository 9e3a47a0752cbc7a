// For tests of what works on files with the loop's workers.
#pragma once

#include "tests/base/loop_test.h"
#include "tests/scratch.h"

namespace tests {

struct OwnsScratchDirectory {
  const ScratchDirectory scratch_;
};

// The directory outlives the loop: deleting it waits for what the loop's workers still do there.
class ScratchLoopTest : protected OwnsScratchDirectory, public LoopTest {};

}  // namespace tests
