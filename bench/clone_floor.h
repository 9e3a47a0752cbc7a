// What a container costs at least: a program that makes the same namespaces and cgroups with bare
// system calls, and does nothing else.
#pragma once

#include <string>
#include <vector>

#include "base/cgroup.h"
#include "base/result.h"
#include "bench/operator_calls.h"

namespace bench {

class CloneFloor {
 public:
  // Makes a group `root` in each hierarchy that the agent uses: the freezer for its launcher, and
  // those of cgroups/mem, cgroups/cpu and cgroups/pids.
  static base::Result<CloneFloor> open(const std::string& root);

  // Runs /bin/true in pid and mount namespaces of its own, in a fresh group of the freezer and,
  // for Groups::kOwn, of all other hierarchies (else in the groups that are there), and waits for
  // its end. Gives the time in milliseconds, from the first mkdir to the last rmdir. `with_proc`:
  // with a /proc of its own as well, as a container with a pid namespace needs it.
  base::Result<double> run(Groups groups, bool with_proc) const;

 private:
  explicit CloneFloor(std::vector<base::CgroupHierarchy> hierarchies)
      : hierarchies_(std::move(hierarchies)) {}

  std::vector<base::CgroupHierarchy> hierarchies_;
};

}  // namespace bench
