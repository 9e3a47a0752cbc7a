// crun and runc, with a bundle that isolates as the agent is asked to: pid and mount namespaces, a
// /proc of its own, limits of cpu, memory and pids. The programs come from the host's /usr; the
// idle container has this program as well.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace bench {

class OciRuntime {
 public:
  // `program` is the runtime's path. Everything that it makes is below `directory` (its state in
  // `volatile` there), and below the cgroup `group` of every hierarchy.
  OciRuntime(std::string program, const std::string& directory, std::string group);

  const std::string& name() const { return name_; }
  const std::string& program() const { return program_; }

  // What comes before the command in the runtime's arguments.
  std::vector<std::string> global_arguments() const { return {"--root", state_directory_}; }

  // `run` of /bin/true, from the start of the runtime to its exit: milliseconds. `lane` tells
  // bundles apart that are used at the same time.
  base::Result<double> run_true(int lane = 0) const;

  // Starts a container that does nothing, for exec_echo; ends it. The directory of `self`, this
  // program, is kSelfDirectory there.
  static constexpr char kSelfDirectory[] = "/bench";
  base::Status start_idle(const std::string& self);
  void stop_idle();
  const char* idle_id() const;

  struct Exec {
    double first_byte = 0;  // milliseconds from the start of `exec`
    double end = 0;
  };
  base::Result<Exec> exec_echo() const;

 private:
  base::Result<std::string> make_bundle(const std::string& id, const std::vector<std::string>& argv,
                                        const std::string& self_directory = "") const;
  std::vector<std::string> command(const std::vector<std::string>& arguments) const;

  std::string program_;
  std::string name_;
  std::string directory_;
  std::string state_directory_;
  std::string group_;
  bool idle_ = false;
};

}  // namespace bench
