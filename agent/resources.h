// --resources: what the node has to give, as the operator says and as it is detected.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/flags.h"
#include "base/bytes.h"
#include "base/result.h"
#include "proto/mesos/v1/resources.pb.h"

namespace agent {

// Reads the text of --resources: "name(role):value;name:value", where a value is a number, [ranges]
// or a {set} as parse_value() (agent/value_text.h) reads them and "(role)" reserves statically; or
// a JSON array of Resource objects. Without a role a resource gets default_role.
//
// The result is in the form that Mesos has now: reservations, no `role`, nothing for "*". Scalars
// have three decimals, ranges are coalesced. What differs in nothing but its value is added up,
// except that of MOUNT disks, each of which is a whole. Resources of size zero are kept.
//
// kInvalid, with one sentence, for: text values; negative or infinite numbers; fractions of gpus;
// a name with two types; in JSON also overlapping ranges; duplicate items of a set; reservations
// that are dynamic or refined; persistent volumes; RAW and BLOCK disks; revocable, shared,
// allocated or provider's resources.
base::Result<std::vector<mesos::v1::Resource>> parse_resources(std::string_view text,
                                                               std::string_view default_role);

// What a host has in total; std::nullopt where that cannot be told.
struct HostCapacity {
  std::optional<uint64_t> cpus;  // online
  std::optional<base::Bytes> memory;
  std::optional<base::Bytes> disk;  // the file system that work_dir is on, which must exist
};

HostCapacity measure_host(const std::string& work_dir);

// The agent's total resources: `given`, and for each of cpus, mem, disk and ports that is not named
// there, the part of the host that an agent by Mesos's rules takes: all cpus (or 1); memory less
// 1 GB, or half of it below 2 GB (or 1 GB); disk less 5 GB, or half of it below 10 GB (or 10 GB);
// ports 31000 to 32000. Memory and disk are in whole megabytes. Resources of size zero are left
// out: cpus:0 means that the agent has none, detected or not. default_role must be a valid role.
std::vector<mesos::v1::Resource> complete_resources(std::vector<mesos::v1::Resource> given,
                                                    const HostCapacity& host,
                                                    std::string_view default_role);

// All of the above for --resources, --default_role and --work_dir.
base::Result<std::vector<mesos::v1::Resource>> load_resources(const Flags& flags);

}  // namespace agent
