#include "http/scratch.h"

#include <utility>

namespace http {

namespace {
thread_local std::unique_ptr<char[]> spare;
}  // namespace

ScratchBuffer::ScratchBuffer() : bytes_(std::move(spare)) {
  if (bytes_ == nullptr) bytes_ = std::make_unique_for_overwrite<char[]>(kSize);
}

ScratchBuffer::~ScratchBuffer() {
  if (spare == nullptr) spare = std::move(bytes_);
}

}  // namespace http
