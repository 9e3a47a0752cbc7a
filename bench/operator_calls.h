// The calls of the operator API that are measured, as requests ready to be sent: encoding them is
// the client's work and not part of any figure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/http_client.h"
#include "proto/mesos/v1/agent/agent.pb.h"

namespace bench {

enum class Encoding : uint8_t { kJson, kProtobuf };

using mesos::v1::ContainerID;
using mesos::v1::agent::Call;

ContainerID root_id(const std::string& name);
ContainerID child_id(const ContainerID& parent, const std::string& name);

// How a nested container stands to the cgroups of its parent.
enum class Groups : uint8_t {
  kShared,  // only the launcher's own group is made for it
  kOwn,     // and groups with limits in every hierarchy
};

inline constexpr double kMegabytes = 64;

// A container of its own with 1 cpu that runs `argv`. `attachable` asks for a switchboard (see the
// flag --io_switchboard_all_containers).
Call launch_root(const ContainerID& id, const std::vector<std::string>& argv,
                 bool attachable = false, double megabytes = kMegabytes);
// LAUNCH_NESTED_CONTAINER; with groups of its own LAUNCH_CONTAINER, which alone can name resources.
Call launch_child(const ContainerID& id, const std::vector<std::string>& argv, Groups groups);
Call launch_session(const ContainerID& id, const std::vector<std::string>& argv, bool tty);
Call wait_for(const ContainerID& id);
Call kill(const ContainerID& id);
Call remove(const ContainerID& id);
Call get_containers();
Call get_state();
Call get_health();

// The whole request for a call that is one message.
std::string request(const Call& call, Encoding encoding = Encoding::kJson);

// The head of an ATTACH_CONTAINER_INPUT request with protobuf records, and a chunk with one record
// for its body: the container's id first, then input.
std::string attach_input_head();
std::string input_id_chunk(const ContainerID& id);
std::string input_data_chunk(std::string_view data);

// Sends a call and expects 200; the error has the agent's own words.
base::Result<std::string> perform(Client& client, std::string_view request);
base::Status perform(Client& client, const Call& call);

// The same for a whole launch: start it, wait for its end, expect exit status 0.
base::Status expect_success(std::string_view wait_reply);

// Kills a root container, waits for its end and removes what is left of it.
base::Status discard(Client& client, const ContainerID& id);

}  // namespace bench
