#include "operator_api/validation.h"

#include <cmath>

#include "base/strings.h"
#include "isolators/container_id.h"

namespace operator_api {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Status;
using mesos::v1::CommandInfo;
using mesos::v1::ContainerID;
using mesos::v1::ContainerInfo;
using mesos::v1::Environment;
using mesos::v1::Resource;
using mesos::v1::Secret;
using mesos::v1::Value;
using mesos::v1::Volume;

namespace {

std::unexpected<base::Error> invalid(std::string text) {
  return fail(ErrorKind::kInvalid, std::move(text));
}

// The error of a part of the call, with what it is put in front: "'<part>' is invalid: <why>".
Status check_part(std::string_view part, Status status) {
  if (status) return status;
  return invalid(concat("'", part, "' is invalid: ", status.error().message));
}

// --- Commands ---

Status validate_secret(const Secret& secret) {
  switch (secret.type()) {
    case Secret::REFERENCE:
      if (!secret.has_reference()) {
        return invalid("Secret of type REFERENCE must have the 'reference' field set");
      }
      if (secret.has_value()) {
        return invalid("Secret '" + secret.reference().name() +
                       "' of type REFERENCE must not have the 'value' field set");
      }
      return {};
    case Secret::VALUE:
      if (!secret.has_value()) {
        return invalid("Secret of type VALUE must have the 'value' field set");
      }
      if (secret.has_reference()) {
        return invalid("Secret of type VALUE must not have the 'reference' field set");
      }
      return {};
    case Secret::UNKNOWN:
      break;
  }
  return invalid("Unknown secret type");
}

Status validate_variable(const Environment::Variable& variable) {
  const auto wrong = [&](std::string_view type, std::string_view rule) {
    return invalid(
        concat("Environment variable '", variable.name(), "' of type '", type, "' ", rule));
  };
  switch (variable.type()) {
    case Environment::Variable::SECRET: {
      if (!variable.has_secret()) return wrong("SECRET", "must have a secret set");
      if (variable.has_value()) return wrong("SECRET", "must not have a value set");
      auto secret = validate_secret(variable.secret());
      if (!secret) {
        return invalid(concat("Environment variable '", variable.name(),
                              "' specifies an invalid secret: ", secret.error().message));
      }
      if (variable.secret().value().data().find('\0') != std::string::npos) {
        return invalid(concat("Environment variable '", variable.name(),
                              "' specifies a secret containing null bytes, which is not allowed in "
                              "the environment"));
      }
      return {};
    }
    case Environment::Variable::VALUE:
      if (!variable.has_value()) return wrong("VALUE", "must have a value set");
      if (variable.has_secret()) return wrong("VALUE", "must not have a secret set");
      return {};
    case Environment::Variable::UNKNOWN:
      break;
  }
  return invalid("Environment variable of type 'UNKNOWN' is not allowed");
}

// A string that becomes an argument or a variable ends at a NUL byte: refuse it rather than run
// something else than was asked for.
Status check_no_nul(std::string_view what, const std::string& text) {
  if (text.find('\0') == std::string::npos) return {};
  return invalid(concat(what, " must not contain null bytes"));
}

Status validate_command(const CommandInfo& command) {
  for (const auto& variable : command.environment().variables()) {
    TRY_VOID(validate_variable(variable));
    TRY_VOID(check_no_nul("The name of an environment variable", variable.name()));
    TRY_VOID(check_no_nul("The value of an environment variable", variable.value()));
    if (variable.name().find('=') != std::string::npos) {
      return invalid(
          concat("The name of environment variable '", variable.name(), "' must not contain '='"));
    }
  }
  TRY_VOID(check_no_nul("'value'", command.value()));
  TRY_VOID(check_no_nul("'user'", command.user()));
  for (const auto& argument : command.arguments()) {
    TRY_VOID(check_no_nul("'arguments'", argument));
  }
  return {};
}

// --- Containers ---

// The member that a source of this type must have.
bool has_matching_source(const Volume::Source& source) {
  switch (source.type()) {
    case Volume::Source::DOCKER_VOLUME:
      return source.has_docker_volume();
    case Volume::Source::HOST_PATH:
      return source.has_host_path();
    case Volume::Source::SANDBOX_PATH:
      return source.has_sandbox_path();
    case Volume::Source::SECRET:
      return source.has_secret();
    case Volume::Source::CSI_VOLUME:
      return source.has_csi_volume();
    case Volume::Source::UNKNOWN:
      break;
  }
  return false;
}

Status validate_volume(const Volume& volume) {
  const int sources = volume.has_host_path() + volume.has_image() + volume.has_source();
  if (sources != 1) {
    return invalid("Only one of them should be set: 'host_path', 'image' and 'source'");
  }
  if (!volume.has_source()) return {};
  if (volume.source().type() == Volume::Source::UNKNOWN) {
    return invalid("'source.type' is unknown");
  }
  if (!has_matching_source(volume.source())) {
    return invalid(
        concat("'source.", base::to_lower(Volume::Source::Type_Name(volume.source().type())),
               "' is not set for ", Volume::Source::Type_Name(volume.source().type()), " volume"));
  }
  return {};
}

Status validate_container(const ContainerInfo& container) {
  for (const auto& volume : container.volumes()) {
    auto valid = validate_volume(volume);
    if (!valid) return invalid("Invalid volume: " + valid.error().message);
  }
  if (container.type() == ContainerInfo::DOCKER) {
    if (!container.has_docker()) {
      return invalid("DockerInfo 'docker' is not set for DOCKER typed ContainerInfo");
    }
    for (const auto& parameter : container.docker().parameters()) {
      if (parameter.key() == "name") {
        return invalid("Parameter in DockerInfo must not be 'name'");
      }
    }
  }
  return {};
}

// --- Resources ---

Status validate_value(const Resource& resource) {
  const int values = resource.has_scalar() + resource.has_ranges() + resource.has_set();
  const bool matches = (resource.type() == Value::SCALAR && resource.has_scalar()) ||
                       (resource.type() == Value::RANGES && resource.has_ranges()) ||
                       (resource.type() == Value::SET && resource.has_set());
  if (values != 1 || !matches) {
    return invalid(concat("Resource '", resource.name(), "' must have exactly the value of type ",
                          Value::Type_Name(resource.type())));
  }
  if (resource.has_scalar() && !(resource.scalar().value() >= 0)) {
    return invalid(concat("Invalid scalar resource '", resource.name(), "': value < 0"));
  }
  for (const auto& range : resource.ranges().range()) {
    if (range.begin() > range.end()) {
      return invalid(concat("Invalid ranges resource '", resource.name(), "': begin > end"));
    }
  }
  return {};
}

bool is_whole(double value) { return std::floor(value) == value; }

Status validate_resources(const google::protobuf::RepeatedPtrField<Resource>& resources) {
  for (const auto& resource : resources) {
    if (resource.name().empty()) return invalid("Invalid resource: empty resource name");
    TRY_VOID(validate_value(resource));
  }
  for (const auto& resource : resources) {
    if (resource.name() == "gpus" && !is_whole(resource.scalar().value())) {
      return invalid("Invalid GPU resources: The 'gpus' resource must be an unsigned integer");
    }
  }
  return {};
}

// A standalone container is outside of what a master accounts for.
Status validate_standalone_resources(
    const google::protobuf::RepeatedPtrField<Resource>& resources) {
  for (const auto& resource : resources) {
    const bool reserved =
        resource.reservations_size() > 0 || (resource.has_role() && resource.role() != "*");
    if (reserved) return invalid("'launch_container.resources' must be unreserved");
    if (resource.disk().has_persistence()) {
      return invalid("'launch_container.resources' must not use persistent volumes");
    }
    if (resource.has_revocable()) {
      return invalid("'launch_container.resources' must be non-revocable");
    }
  }
  return {};
}

// What every launch call has: `call` is its member's name.
template <typename Wanted>
Status validate_command_and_container(std::string_view call, const Wanted& wanted) {
  if (wanted.has_command()) {
    TRY_VOID(check_part(concat(call, ".command"), validate_command(wanted.command())));
  }
  if (wanted.has_container()) {
    TRY_VOID(check_part(concat(call, ".container"), validate_container(wanted.container())));
  }
  return {};
}

// --- Ids ---

Status validate_id(std::string_view call, const ContainerID& id) {
  return check_part(concat(call, ".container_id"), isolators::validate_container_id(id));
}

Status validate_nested_id(std::string_view call, const ContainerID& id) {
  TRY_VOID(validate_id(call, id));
  if (id.has_parent()) return {};
  return invalid(concat("Expecting '", call, ".container_id.parent' to be present"));
}

bool is_grandchild(const ContainerID& id) { return id.has_parent() && id.parent().has_parent(); }

bool has_own_cgroups(const ContainerInfo& container) {
  return container.has_linux_info() && container.linux_info().has_share_cgroups() &&
         !container.linux_info().share_cgroups();
}

}  // namespace

Status validate_launch_nested_container(const Call& call) {
  const auto& wanted = call.launch_nested_container();
  TRY_VOID(validate_nested_id("launch_nested_container", wanted.container_id()));
  TRY_VOID(validate_command_and_container("launch_nested_container", wanted));
  if (is_grandchild(wanted.container_id()) && has_own_cgroups(wanted.container())) {
    return invalid(
        "'launch_nested_container' is invalid: containers nested at the second level or greater "
        "cannot set 'share_cgroups' to 'false'");
  }
  return {};
}

Status validate_launch_nested_container_session(const Call& call) {
  const auto& wanted = call.launch_nested_container_session();
  TRY_VOID(validate_nested_id("launch_nested_container_session", wanted.container_id()));
  TRY_VOID(validate_command_and_container("launch_nested_container_session", wanted));
  if (has_own_cgroups(wanted.container())) {
    return invalid(
        "'launch_nested_container_session.container.linux_info' is invalid: 'share_cgroups' cannot "
        "be set to 'false' for nested container sessions");
  }
  return {};
}

Status validate_launch_container(const Call& call) {
  const auto& wanted = call.launch_container();
  TRY_VOID(validate_id("launch_container", wanted.container_id()));
  TRY_VOID(validate_resources(wanted.resources()));
  if (!wanted.container_id().has_parent()) {
    TRY_VOID(validate_standalone_resources(wanted.resources()));
    if (wanted.container().linux_info().has_share_cgroups() &&
        wanted.container().linux_info().share_cgroups()) {
      return invalid(
          "'launch_container' is invalid: containers without a parent cannot set 'share_cgroups' "
          "to 'true'");
    }
  }
  TRY_VOID(validate_command_and_container("launch_container", wanted));
  if (is_grandchild(wanted.container_id())) {
    constexpr std::string_view kWho =
        "'launch_container' is invalid: containers nested at the second level or greater cannot ";
    if (wanted.resources_size() > 0) return invalid(concat(kWho, "specify resources"));
    if (wanted.limits_size() > 0) return invalid(concat(kWho, "specify resource limits"));
    if (has_own_cgroups(wanted.container())) {
      return invalid(concat(kWho, "set 'share_cgroups' to 'false'"));
    }
  }
  return {};
}

Status validate_wait_nested_container(const Call& call) {
  return validate_nested_id("wait_nested_container", call.wait_nested_container().container_id());
}

Status validate_kill_nested_container(const Call& call) {
  return validate_nested_id("kill_nested_container", call.kill_nested_container().container_id());
}

Status validate_remove_nested_container(const Call& call) {
  return validate_nested_id("remove_nested_container",
                            call.remove_nested_container().container_id());
}

Status validate_wait_container(const Call& call) {
  return validate_id("wait_container", call.wait_container().container_id());
}

Status validate_kill_container(const Call& call) {
  return validate_id("kill_container", call.kill_container().container_id());
}

Status validate_remove_container(const Call& call) {
  return validate_id("remove_container", call.remove_container().container_id());
}

Status validate_attach_container_input(const Call& call) {
  using Input = Call::AttachContainerInput;
  const auto& input = call.attach_container_input();
  if (!input.has_type()) return invalid("Expecting 'attach_container_input.type' to be present");
  if (input.type() == Input::UNKNOWN) {
    return invalid("'attach_container_input.type' is unknown");
  }
  if (input.type() != Input::CONTAINER_ID) return {};
  if (!input.has_container_id()) {
    return invalid("Expecting 'attach_container_input.container_id' to be present");
  }
  return validate_id("attach_container_input", input.container_id());
}

Status validate_attach_container_output(const Call& call) {
  return validate_id("attach_container_output", call.attach_container_output().container_id());
}

}  // namespace operator_api
