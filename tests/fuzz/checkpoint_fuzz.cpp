// A checkpoint that was damaged in any way is refused or read; what was read can be written and
// read again.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/files.h"
#include "containerizer/checkpoint.h"
#include "proto/internal/checkpoint.pb.h"
#include "tests/scratch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const tests::ScratchDirectory scratch;
  static const std::string path = scratch / "config";
  static const google::protobuf::LogSilencer quiet;

  if (!base::write_file(path, std::string_view(reinterpret_cast<const char*>(data), size))) {
    std::abort();
  }
  (void)containerizer::read_live_process(path);
  mesosagent::internal::ContainerConfig config;
  if (!containerizer::read_checkpoint(path, &config)) return 0;
  if (!containerizer::write_checkpoint(path, config)) std::abort();
  mesosagent::internal::ContainerConfig again;
  if (!containerizer::read_checkpoint(path, &again)) std::abort();
  if (again.DebugString() != config.DebugString()) std::abort();
  return 0;
}
