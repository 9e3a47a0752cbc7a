// Finds the master that leads by what masters write into ZooKeeper.
#pragma once

#include <chrono>
#include <memory>

#include "agent/master/detector.h"
#include "agent/master/zookeeper/url.h"

namespace agent {

// Looks into ZooKeeper from the first detect() on; the loop never stands still for it. Nobody leads
// while the group is empty, while what its first node holds is no master, and after a time without
// a connection, for as long as the server keeps a session: `session_timeout`, if it agrees. Its
// detect() never fails: what keeps it from looking is logged, and tried again. kUnsupported in a
// build without ZooKeeper's client library (without_client.cpp).
base::Result<std::unique_ptr<MasterDetector>> make_zookeeper_detector(
    ZooKeeperUrl url, std::chrono::nanoseconds session_timeout);

}  // namespace agent
