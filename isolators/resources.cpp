#include "isolators/resources.h"

#include <string>

namespace isolators {

std::optional<double> requested(const ContainerConfig& config, std::string_view name) {
  std::optional<double> sum;
  for (const auto& resource : config.resources()) {
    if (resource.name() == name && resource.type() == mesos::v1::Value::SCALAR) {
      sum = sum.value_or(0) + resource.scalar().value();
    }
  }
  return sum;
}

std::optional<double> limited(const ContainerConfig& config, std::string_view name) {
  auto at = config.limits().find(std::string(name));
  if (at == config.limits().end()) return std::nullopt;
  return at->second.value();
}

uint64_t bytes_of_megabytes(double megabytes) {
  const double bytes = megabytes * (1 << 20);
  if (!(bytes > 0)) return 0;
  return bytes < static_cast<double>(kUnlimitedBytes) ? static_cast<uint64_t>(bytes)
                                                      : kUnlimitedBytes;
}

mesos::v1::Resource make_scalar(std::string_view name, double value) {
  mesos::v1::Resource resource;
  resource.set_name(std::string(name));
  resource.set_type(mesos::v1::Value::SCALAR);
  resource.mutable_scalar()->set_value(value);
  return resource;
}

}  // namespace isolators
