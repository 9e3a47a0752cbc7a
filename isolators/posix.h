// posix/cpu, posix/mem: what Apache Mesos applies to executors where nothing can be isolated. They
// support neither nested nor standalone containers, so to those they do nothing.
#pragma once

#include "isolators/isolator.h"

namespace isolators {

class PosixIsolator final : public Isolator {
 public:
  explicit PosixIsolator(std::string_view name) : name_(name) {}

  std::string_view name() const override { return name_; }
  bool supports_nesting() const override { return false; }
  bool supports_standalone() const override { return false; }

 private:
  const std::string name_;
};

}  // namespace isolators
