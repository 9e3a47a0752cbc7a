// The children of the masters' group in ZooKeeper: one node for each master that could lead, of
// which the lowest number does (Apache Mesos: src/zookeeper/group.cpp, src/master/detector/).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

// "json.info_0000000012": a label, and the number that ZooKeeper has given the node.
struct Candidate {
  std::string name;
  int32_t number = 0;

  std::string_view label() const;  // "json.info"; empty if the name is only a number
};

// The candidate that leads; none if there is none. What does not end with a number is no candidate:
// masters keep other nodes there too, such as log_replicas.
std::optional<Candidate> find_leader(const std::vector<std::string>& children);

// Whom the node of a candidate describes: by JSON, by a serialised message, or only by its process,
// as the label says. kInvalid, in words that name the node, if it is nobody that messages can be
// sent to.
base::Result<mesos::v1::MasterInfo> read_candidate(const Candidate& candidate,
                                                   const std::string& content);

}  // namespace agent
