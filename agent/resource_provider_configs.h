// The configurations of local resource providers: one JSON file each in
// --resource_provider_config_dir, <type>.<name>.<uuid>.json if the API has written it. The
// directory is the truth: operators may put files there themselves, and every operation reads it
// anew, so that none can be half remembered.
//
// No provider is started yet; who stores a configuration is told so in the log.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "proto/mesos/v1/resources.pb.h"

namespace agent {

// Whether the agent could run the provider: type, names, and what a storage provider needs.
// kInvalid, "Failed to validate resource provider config with type ...".
base::Status validate_config(const mesos::v1::ResourceProviderInfo& info);

class ResourceProviderConfigs {
 public:
  explicit ResourceProviderConfigs(std::string directory);

  // All of them, by type and name. Fails if the directory cannot be read, if a file (*.json) is no
  // valid configuration, or if two are of the same type and name; the error names the file. Blocks.
  base::Result<std::vector<mesos::v1::ResourceProviderInfo>> load() const;

  // Each is complete, and on disk, when it returns, also if the awaiting task is cancelled; those
  // that come at once take turns.

  // Stores a new one. Nothing happens if the same is there already. kConflict: another with this
  // type and name is there. kInvalid: validate_config().
  base::Task<base::Status> add(mesos::v1::ResourceProviderInfo info);

  // Replaces one. kConflict: there is none with this type and name. kInvalid: validate_config().
  base::Task<base::Status> update(mesos::v1::ResourceProviderInfo info);

  // Deletes one, if it is there.
  base::Task<base::Status> remove(std::string type, std::string name);

 private:
  const std::string directory_;
  // For the workers, who may outlive this object.
  const std::shared_ptr<std::mutex> turn_ = std::make_shared<std::mutex>();
};

}  // namespace agent
