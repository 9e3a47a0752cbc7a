// What a client sends into a container: mesos.v1.agent.Call records of type ATTACH_CONTAINER_INPUT
// with a ProcessIO inside, decoded from protobuf or from JSON as Apache Mesos writes it. By hand,
// because a switchboard is too small a process for a protobuf library.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "ioswitchboard/process_io.h"

namespace ioswitchboard {

// One valid record.
struct InputRecord {
  enum class Kind {
    kData,       // bytes for standard input; none at all: its end
    kTtyInfo,    // a new window size
    kHeartbeat,  // nothing to do: it keeps proxies on the way from closing the connection
  };

  Kind kind = Kind::kHeartbeat;
  std::string data;
  uint32_t rows = 0;
  uint32_t columns = 0;
};

// Decodes and validates one record. What is wrong with it comes as an error of kind kInvalid with
// the text that Apache Mesos answers.
base::Result<InputRecord> decode_input(Encoding encoding, std::string_view record);

}  // namespace ioswitchboard
