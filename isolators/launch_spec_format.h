// Constants of the encoding in launch_spec.h, for its two halves.
#pragma once

#include <cstdint>

namespace isolators::internal {

inline constexpr uint32_t kLaunchSpecMagic = 0x4c53'0001;  // "LS", version 1

inline constexpr uint32_t kControllingTerminal = 1;
inline constexpr uint32_t kDetachMounts = 2;
inline constexpr uint32_t kCredentials = 4;

}  // namespace isolators::internal
