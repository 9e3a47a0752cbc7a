#include "agent/resources.h"

#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "agent/resource_check.h"
#include "agent/resource_set.h"
#include "agent/resource_values.h"
#include "agent/value_text.h"
#include "base/strings.h"
#include "proto/json_read.h"
#include "proto/mesos/v1/tasks.pb.h"

namespace agent {
namespace {

using namespace base::literals;
using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;
using base::Status;
using mesos::v1::Resource;
using mesos::v1::Value;

Result<Resource> parse_pair(std::string_view part, std::string_view default_role) {
  const auto refuse = [part](std::string_view reason) {
    return fail(ErrorKind::kInvalid, concat("cannot take '", part, "': ", reason));
  };
  const size_t colon = part.find(':');
  if (colon == std::string_view::npos || part.find(':', colon + 1) != std::string_view::npos) {
    return refuse("expected name:value or name(role):value, with a single colon");
  }
  std::string_view key = base::trim(part.substr(0, colon));
  Resource resource;
  if (const size_t open = key.find('('); open != std::string_view::npos) {
    if (!key.ends_with(')')) return refuse("expected name(role) before the colon");
    resource.set_role(std::string(base::trim(key.substr(open + 1, key.size() - open - 2))));
    key = base::trim(key.substr(0, open));
  }
  resource.set_name(std::string(key));

  auto value = parse_value(part.substr(colon + 1));
  if (!value) return refuse(value.error().message);
  resource.set_type(value->type());
  if (value->has_scalar()) resource.mutable_scalar()->Swap(value->mutable_scalar());
  if (value->has_ranges()) resource.mutable_ranges()->Swap(value->mutable_ranges());
  if (value->has_set()) resource.mutable_set()->Swap(value->mutable_set());
  const auto normal = normalize_resource(resource, default_role);
  if (!normal) return refuse(normal.error().message);
  return resource;
}

Result<std::vector<Resource>> parse_pairs(std::string_view text, std::string_view default_role) {
  std::vector<Resource> resources;
  for (const std::string_view part : base::split(text, ';')) {
    if (base::trim(part).empty()) continue;
    TRY(Resource resource, parse_pair(base::trim(part), default_role));
    resources.push_back(std::move(resource));
  }
  return resources;
}

Result<std::vector<Resource>> parse_json_array(std::string_view text,
                                               std::string_view default_role) {
  // A message that is nothing but a list of resources, because the JSON reader reads messages.
  mesos::v1::TaskResourceLimitation list;
  const auto read = proto::parse_json(concat("{\"resources\":", text, "}"), &list);
  if (!read) {
    return fail(ErrorKind::kInvalid,
                concat("expected a JSON array of Resource objects: ", read.error().message));
  }
  std::vector<Resource> resources(list.resources().begin(), list.resources().end());
  for (Resource& resource : resources) {
    const std::string name = resource.name();
    auto normal = normalize_resource(resource, default_role);
    if (!normal) {
      return fail(std::move(normal).error().with_context(concat("resource '", name, "'")));
    }
  }
  return resources;
}

Result<std::vector<Resource>> add_up(const std::vector<Resource>& resources) {
  std::vector<Resource> totals;
  std::map<std::string, Value::Type> types;
  for (const Resource& resource : resources) {
    if (types.emplace(resource.name(), resource.type()).first->second != resource.type()) {
      return fail(ErrorKind::kInvalid,
                  concat("resource '", resource.name(), "': expected values of one type only"));
    }
    const auto total = std::ranges::find_if(
        totals, [&resource](const Resource& candidate) { return addable(candidate, resource); });
    if (total == totals.end()) {
      totals.push_back(resource);
    } else {
      add_value(*total, resource);
    }
  }
  return totals;
}

Result<std::vector<Resource>> parse_and_add_up(std::string_view text,
                                               std::string_view default_role) {
  // No pair begins with a bracket, so what does is meant as JSON.
  TRY(const auto resources, text.starts_with('[') ? parse_json_array(text, default_role)
                                                  : parse_pairs(text, default_role));
  return add_up(resources);
}

uint64_t megabytes(base::Bytes bytes) { return bytes.count() / (1_MB).count(); }

// The host's total less what is left to the rest of the host, or half of what is small.
base::Bytes share_of(base::Bytes total, base::Bytes reserve) {
  const uint64_t left =
      total.count() >= 2 * reserve.count() ? total.count() - reserve.count() : total.count() / 2;
  return base::Bytes(left);
}

// The text of what is detected, by name, in the order in which Mesos adds it.
std::vector<std::pair<std::string, std::string>> detected_values(const HostCapacity& host) {
  const base::Bytes memory = host.memory ? share_of(*host.memory, 1_GB) : 1_GB;
  const base::Bytes disk = host.disk ? share_of(*host.disk, 5_GB) : 10_GB;
  return {{"cpus", concat(host.cpus.value_or(1))},
          {"mem", concat(megabytes(memory))},
          {"disk", concat(megabytes(disk))},
          {"ports", "[31000-32000]"}};
}

}  // namespace

Result<std::vector<Resource>> parse_resources(std::string_view text,
                                              std::string_view default_role) {
  auto totals = parse_and_add_up(base::trim(text), default_role);
  if (!totals) return fail(std::move(totals).error().with_context("--resources"));
  return totals;
}

HostCapacity measure_host(const std::string& work_dir) {
  HostCapacity host;
  if (const long cpus = ::sysconf(_SC_NPROCESSORS_ONLN); cpus > 0) host.cpus = cpus;
  struct sysinfo memory;
  if (::sysinfo(&memory) == 0) {
    host.memory = base::Bytes(static_cast<uint64_t>(memory.totalram) * memory.mem_unit);
  }
  struct statvfs disk;
  if (::statvfs(work_dir.c_str(), &disk) == 0) {
    host.disk = base::Bytes(static_cast<uint64_t>(disk.f_blocks) * disk.f_frsize);
  }
  return host;
}

std::vector<Resource> complete_resources(std::vector<Resource> given, const HostCapacity& host,
                                         std::string_view default_role) {
  std::vector<Resource> resources = std::move(given);
  for (const auto& [name, value] : detected_values(host)) {
    if (std::ranges::find(resources, name, &Resource::name) != resources.end()) continue;
    auto detected = parse_resources(concat(name, ":", value), default_role);
    if (detected) std::ranges::move(*detected, std::back_inserter(resources));
  }
  std::erase_if(resources, is_empty);
  return resources;
}

Result<std::vector<Resource>> load_resources(const Flags& flags) {
  TRY(auto given, parse_resources(flags.resources.value_or(""), flags.default_role));
  return complete_resources(std::move(given), measure_host(flags.work_dir), flags.default_role);
}

}  // namespace agent
