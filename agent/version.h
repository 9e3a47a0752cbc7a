// What this agent says it is.
#pragma once

#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

// The release of Apache Mesos whose APIs this agent speaks: what clients and masters compare.
inline constexpr char kMesosVersion[] = "1.12.0";

// Version, build date and user; git_tag carries our own version.
mesos::v1::VersionInfo version_info();

// "mesos-agent 0.1.0 (speaks Apache Mesos 1.12.0)"
std::string version_text();

}  // namespace agent
