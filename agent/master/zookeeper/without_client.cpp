// What there is instead of detector.cpp when the client library was not found.
#include "agent/master/zookeeper/detector.h"

namespace agent {

base::Result<std::unique_ptr<MasterDetector>> make_zookeeper_detector(ZooKeeperUrl,
                                                                      std::chrono::nanoseconds) {
  return base::fail(base::ErrorKind::kUnsupported,
                    "this build has no ZooKeeper client: name the master as host:port, or build "
                    "again with libzookeeper-mt-dev installed");
}

}  // namespace agent
