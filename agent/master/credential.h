// What the agent proves itself to a master with.
#pragma once

#include <string>

#include "agent/flags.h"
#include "base/result.h"

namespace agent {

struct Credential {
  std::string principal;
  std::string secret;
};

// Reads --credential: a JSON object with "principal" and "secret". The errors name the flag and
// quote no secret. Warns if everybody on the host can read the file.
base::Result<Credential> load_credential(const SecretFile& file);

}  // namespace agent
