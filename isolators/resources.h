// The amounts that isolators act on, out of a container's request.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "isolators/isolator.h"

namespace isolators {

// The sum of the scalar resources of that name; nothing if there is none.
std::optional<double> requested(const ContainerConfig& config, std::string_view name);

// The limit of that name: nothing if there is none; may be infinite.
std::optional<double> limited(const ContainerConfig& config, std::string_view name);

// What no limit is as a number of bytes: more than any host has.
inline constexpr uint64_t kUnlimitedBytes = uint64_t{1} << 62;

// Clients send any number: what is too large, or infinite, is kUnlimitedBytes, and what is negative
// or no number is 0.
uint64_t bytes_of_megabytes(double megabytes);

// "mem", 32.0 and the like as a resource of the default role.
mesos::v1::Resource make_scalar(std::string_view name, double value);

}  // namespace isolators
