#include "agent/resource_provider_configs.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <google/protobuf/util/message_differencer.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/uuid.h"
#include "base/worker.h"
#include "proto/json_read.h"
#include "proto/json_write.h"

namespace agent {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;
using base::Status;
using base::Task;
using mesos::v1::CSIPluginContainerInfo;
using mesos::v1::ResourceProviderInfo;

namespace {

// The one type of provider that agents bring along.
constexpr std::string_view kStorageType = "org.apache.mesos.rp.local.storage";

constexpr std::string_view kSuffix = ".json";

// A configuration and the file that it is in.
struct StoredConfig {
  std::string path;
  ResourceProviderInfo info;
};

// A word of a Java package name: letters, digits and underscores.
bool is_name(std::string_view text) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
  return !text.empty() && text.find_first_not_of(kAllowed) == std::string_view::npos;
}

bool is_package_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(base::split(text, '.'), is_name);
}

bool has_node_service(const mesos::v1::CSIPluginInfo& plugin) {
  const auto in_container = [](const CSIPluginContainerInfo& container) {
    return std::ranges::find(container.services(), CSIPluginContainerInfo::NODE_SERVICE) !=
           container.services().end();
  };
  const auto at_endpoint = [](const mesos::v1::CSIPluginEndpoint& endpoint) {
    return endpoint.csi_service() == CSIPluginContainerInfo::NODE_SERVICE;
  };
  return std::ranges::any_of(plugin.containers(), in_container) ||
         std::ranges::any_of(plugin.endpoints(), at_endpoint);
}

// What is wrong with it; empty if nothing is.
std::string find_fault(const ResourceProviderInfo& info) {
  constexpr std::string_view kNoJavaName = "' does not follow Java package naming convention";
  if (info.type() != kStorageType) {
    return concat("Unknown local resource provider type '", info.type(), "'");
  }
  if (!is_name(info.name())) {
    return concat("Resource provider name '", info.name(), kNoJavaName);
  }
  if (!info.has_storage()) return "Expecting 'storage' to be present";
  const auto& plugin = info.storage().plugin();
  if (!is_package_name(plugin.type())) {
    return concat("CSI plugin type '", plugin.type(), kNoJavaName);
  }
  if (!is_name(plugin.name())) {
    return concat("CSI plugin name '", plugin.name(), kNoJavaName);
  }
  if (!has_node_service(plugin)) return "NODE_SERVICE not found";
  return {};
}

std::string describe(std::string_view type, std::string_view name) {
  return concat("Resource provider with type '", type, "' and name '", name, "'");
}

Result<StoredConfig> read_config(std::string path) {
  TRY(const std::string text, base::read_file(path));
  StoredConfig config{.path = std::move(path), .info = {}};
  std::string fault;
  if (auto parsed = proto::parse_json(text, &config.info); !parsed) {
    fault = parsed.error().message;
  } else if (config.info.has_id()) {
    fault = "'id' must not be set";
  } else if (auto valid = validate_config(config.info); !valid) {
    fault = valid.error().message;
  }
  if (!fault.empty()) return fail(ErrorKind::kInvalid, concat("'", config.path, "': ", fault));
  return config;
}

const StoredConfig* find_config(const std::vector<StoredConfig>& configs, std::string_view type,
                                std::string_view name) {
  const auto found = std::ranges::find_if(configs, [&](const StoredConfig& config) {
    return config.info.type() == type && config.info.name() == name;
  });
  return found == configs.end() ? nullptr : &*found;
}

Result<std::vector<StoredConfig>> read_configs(const std::string& directory) {
  TRY(const auto names, base::list_directory(directory));
  std::vector<StoredConfig> configs;
  for (const std::string& name : names) {
    if (!name.ends_with(kSuffix)) continue;
    TRY(auto config, read_config(base::join_path(directory, name)));
    const auto& info = config.info;
    if (const auto* other = find_config(configs, info.type(), info.name())) {
      return fail(ErrorKind::kInvalid, concat("'", other->path, "' and '", config.path,
                                              "' have the same type and name"));
    }
    configs.push_back(std::move(config));
  }
  return configs;
}

// What is read from a file has its defaults set.
bool is_same(const ResourceProviderInfo& a, const ResourceProviderInfo& b) {
  return google::protobuf::util::MessageDifferencer::Equivalent(a, b);
}

Status write_config(const std::string& path, const ResourceProviderInfo& info) {
  std::string text;
  proto::append_json(info, &text);
  text += '\n';
  TRY_VOID(base::write_file_atomic(path, text, base::Durability::kPowerLoss));
  LOG(ERROR) << describe(info.type(), info.name())
             << " cannot be started: this agent runs no resource providers yet. Its configuration "
             << "is kept in '" << path << "'";
  return {};
}

Status add_config(const std::string& directory, const ResourceProviderInfo& info) {
  TRY(const auto configs, read_configs(directory));
  if (const auto* stored = find_config(configs, info.type(), info.name())) {
    if (is_same(stored->info, info)) return {};
    return fail(ErrorKind::kConflict,
                concat(describe(info.type(), info.name()), " already exists"));
  }
  const std::string name = concat(info.type(), ".", info.name(), ".", base::make_uuid(), kSuffix);
  return write_config(base::join_path(directory, name), info);
}

Status update_config(const std::string& directory, const ResourceProviderInfo& info) {
  TRY(const auto configs, read_configs(directory));
  const auto* stored = find_config(configs, info.type(), info.name());
  if (stored == nullptr) {
    return fail(ErrorKind::kConflict,
                concat(describe(info.type(), info.name()), " does not exist"));
  }
  if (is_same(stored->info, info)) return {};
  return write_config(stored->path, info);
}

Status remove_config(const std::string& directory, const std::string& type,
                     const std::string& name) {
  TRY(const auto configs, read_configs(directory));
  const auto* stored = find_config(configs, type, name);
  if (stored == nullptr) return {};
  if (unlink(stored->path.c_str()) < 0 && errno != ENOENT) {
    return base::fail_errno(concat("unlink '", stored->path, "'"));
  }
  const base::Fd opened(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened || fsync(opened.get()) < 0)
    return base::fail_errno(concat("fsync '", directory, "'"));
  return {};
}

// Runs `work` on a worker when it is its turn. What is wrong with the directory is not the
// caller's fault, whatever the kind of that error is.
template <typename Work>
Task<Status> in_turn(std::shared_ptr<std::mutex> turn, Work work) {
  auto done = co_await base::run_on_worker([turn = std::move(turn), work = std::move(work)] {
    const std::lock_guard lock(*turn);
    return work();
  });
  if (!done && done.error().kind != ErrorKind::kConflict) {
    done.error().kind = ErrorKind::kInternal;
  }
  co_return done;
}

}  // namespace

Status validate_config(const ResourceProviderInfo& info) {
  const std::string fault = find_fault(info);
  if (fault.empty()) return {};
  return fail(ErrorKind::kInvalid, concat("Failed to validate resource provider config with type '",
                                          info.type(), "' and name '", info.name(), "': ", fault));
}

ResourceProviderConfigs::ResourceProviderConfigs(std::string directory)
    : directory_(std::move(directory)) {}

Result<std::vector<ResourceProviderInfo>> ResourceProviderConfigs::load() const {
  TRY(auto configs, read_configs(directory_));
  std::ranges::sort(configs, {}, [](const StoredConfig& config) {
    return std::pair(config.info.type(), config.info.name());
  });
  std::vector<ResourceProviderInfo> infos;
  for (auto& config : configs) infos.push_back(std::move(config.info));
  return infos;
}

Task<Status> ResourceProviderConfigs::add(ResourceProviderInfo info) {
  CO_TRY_VOID(validate_config(info));
  co_return co_await in_turn(turn_, [directory = directory_, info = std::move(info)] {
    return add_config(directory, info);
  });
}

Task<Status> ResourceProviderConfigs::update(ResourceProviderInfo info) {
  CO_TRY_VOID(validate_config(info));
  co_return co_await in_turn(turn_, [directory = directory_, info = std::move(info)] {
    return update_config(directory, info);
  });
}

Task<Status> ResourceProviderConfigs::remove(std::string type, std::string name) {
  co_return co_await in_turn(
      turn_, [directory = directory_, type = std::move(type), name = std::move(name)] {
        return remove_config(directory, type, name);
      });
}

}  // namespace agent
