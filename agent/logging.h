// The agent's log: what the flags logging_level, log_dir, logbufsecs and quiet mean to glog.
#pragma once

#include "agent/flags.h"
#include "base/result.h"

namespace agent {

// Sets glog up as the flags say, after publish_flags(): messages below --logging_level are dropped;
// the others go to stderr unless --quiet (then only what ends the process does), and to files in
// --log_dir, which is made if need be. Without --log_dir no file is written anywhere, whereas glog
// by itself would write to /tmp. To be called by the main thread before google::InitGoogleLogging.
base::Status configure_logging(const Flags& flags);

}  // namespace agent
