// Who leads: the master that the agent is to register with.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/task.h"
#include "libprocess/upid.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

class MasterDetector {
 public:
  using Leader = std::optional<mesos::v1::MasterInfo>;  // none: nobody leads at present

  virtual ~MasterDetector() = default;

  // Waits until the leader is another than `previous` and gives it; at once if it is already. An
  // error is for good: nobody will be detected any more. One call at a time; one that is cancelled
  // loses nothing.
  virtual base::Task<base::Result<Leader>> detect(Leader previous) = 0;

  // The name by which an operator has said where the masters are; empty if it was an address, or
  // nobody has. The certificate of a master is compared with it.
  virtual std::string host_name() const { return ""; }
};

// The detector that --master asks for, with the file read if it names one. Asks the resolver, so it
// blocks. `zookeeper_session_timeout` is for zk://. The errors name the flag, without a password.
base::Result<std::unique_ptr<MasterDetector>> make_master_detector(
    const std::string& master, std::chrono::nanoseconds zookeeper_session_timeout);

// One that always gives this master.
std::unique_ptr<MasterDetector> make_standalone_detector(mesos::v1::MasterInfo master,
                                                         std::string host_name = "");

// What is known of a master that nobody describes: its process, the name of its host (empty: its
// address), and the capabilities of one of the version that is spoken.
mesos::v1::MasterInfo make_master_info(const libprocess::Upid& pid, const std::string& hostname);

// The process that messages to this master go to; kInvalid if there is none in it.
base::Result<libprocess::Upid> pid_of(const mesos::v1::MasterInfo& master);

}  // namespace agent
