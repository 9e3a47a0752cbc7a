// Whatever parses as a call must come out as JSON that parses again and comes out the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proto/json_read.h"
#include "proto/json_write.h"
#include "proto/mesos/v1/agent/agent.pb.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  mesos::v1::agent::Call call;
  if (!proto::parse_json(text, &call)) return 0;
  std::string first;
  proto::append_json(call, &first);

  mesos::v1::agent::Call again;
  if (!proto::parse_json(first, &again)) std::abort();
  std::string second;
  proto::append_json(again, &second);
  if (first != second) std::abort();
  return 0;
}
