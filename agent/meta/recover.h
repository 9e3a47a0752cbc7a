// Reading back, after a start, what the agent has checkpointed.
#pragma once

#include <string>

#include "agent/meta/recovered.h"
#include "base/result.h"

namespace agent {

// Reads <work_dir>/meta. Blocks, for as long as reading some files per task takes: for a worker.
//
// Changes nothing, but cuts what a crash has left of a record at the end of a log of updates: else
// what is appended later could not be read.
//
// What is missing or empty was not written yet, which is no error: see the rules in
// docs/architecture.md ("On disk"). With `strict`, what is there and cannot be read or is damaged
// is an error that names the file; without, it is logged, counted in `errors` and passed over, with
// what it belongs to; but a damaged log of updates is cut where the damage begins. Errors either
// way: a link `latest` that is none, a forked.pid that is no number.
base::Result<RecoveredAgent> recover_meta(const std::string& work_dir, bool strict);

// The last step of recovery, when all that it has found is taken care of: deletes pids of before a
// reboot and writes the boot id, so that the next start takes the host for not rebooted since.
base::Status finish_recovery(const std::string& work_dir, const RecoveredAgent& recovered);

// Makes the next start that of a new agent: removes the link to this one's checkpoints, which stay.
base::Status forget_agent(const std::string& work_dir);

}  // namespace agent
