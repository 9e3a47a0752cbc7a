#include "containerizer/command.h"

#include <algorithm>

#include "base/strings.h"
#include "fetcher/uri.h"

namespace containerizer {

using base::concat;
using mesos::v1::Environment;

namespace {

constexpr char kDefaultPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

void set_variable(Environment* environment, const std::string& name, const std::string& value) {
  for (auto& variable : *environment->mutable_variables()) {
    if (variable.name() == name) {
      variable.set_value(value);
      return;
    }
  }
  auto* variable = environment->add_variables();
  variable->set_name(name);
  variable->set_value(value);
}

}  // namespace

base::Status check_supported(const ContainerConfig& config) {
  using base::ErrorKind;
  const auto& info = config.container_info();
  if (config.has_container_info() && info.type() != mesos::v1::ContainerInfo::MESOS) {
    return base::fail(ErrorKind::kInvalid, "The provided ContainerInfo is not supported");
  }
  if (info.mesos().has_image()) {
    return base::fail(ErrorKind::kInvalid,
                      concat("Unsupported container image type: ",
                             mesos::v1::Image::Type_Name(info.mesos().image().type())));
  }
  if (info.volumes_size() > 0 && !isolators::is_debug(config)) {
    return base::fail(ErrorKind::kInvalid, "Volumes are not supported by this agent yet");
  }
  // Executors get theirs, by whoever knows where they are.
  const auto is_volume = [](const auto& resource) { return resource.disk().has_volume(); };
  if (config.volumes().empty() && std::ranges::any_of(config.resources(), is_volume)) {
    return base::fail(
        ErrorKind::kInvalid,
        "Only executors have persistent volumes: containers nested in them find those "
        "in the executor's sandbox");
  }
  for (const auto& uri : config.command_info().uris()) TRY_VOID(fetcher::check_uri(uri));
  return {};
}

base::Result<LaunchInfo> make_launch_info(const ContainerConfig& config, const LaunchInfo* parent) {
  LaunchInfo info;
  if (parent != nullptr) {
    info = *parent;
  } else {
    set_variable(info.mutable_environment(), "MESOS_SANDBOX", config.directory());
    info.set_working_directory(config.directory());
  }
  for (const auto& variable : config.command_info().environment().variables()) {
    if (variable.type() == Environment::Variable::SECRET) {
      return base::fail(base::ErrorKind::kInvalid,
                        concat("Cannot resolve the secret of environment variable '",
                               variable.name(), "': no secret resolver is configured"));
    }
    set_variable(info.mutable_environment(), variable.name(), variable.value());
  }
  return info;
}

void add_command(const ContainerConfig& config, const LaunchInfo& info,
                 isolators::LaunchSpec* spec) {
  const auto& command = config.command_info();
  if (!command.has_value()) {
    // Nothing to run: the helper reports that there is no such file, and the container ends.
  } else if (command.shell()) {
    spec->executable = "sh";
    spec->arguments = {"sh", "-c", command.value()};
  } else {
    spec->executable = command.value();
    spec->arguments = {command.arguments().begin(), command.arguments().end()};
  }
  bool has_path = false;
  for (const auto& variable : info.environment().variables()) {
    has_path = has_path || variable.name() == "PATH";
    spec->environment.push_back(concat(variable.name(), "=", variable.value()));
  }
  if (!has_path) spec->environment.emplace_back(kDefaultPath);
  spec->working_directory = info.working_directory();
}

}  // namespace containerizer
