#include "isolators/registry.h"

#include <algorithm>
#include <set>

#include "base/cgroup.h"
#include "base/strings.h"
#include "isolators/cgroups/cgroups.h"
#include "isolators/cgroups/cpu.h"
#include "isolators/cgroups/memory.h"
#include "isolators/filesystem_linux.h"
#include "isolators/filesystem_posix.h"
#include "isolators/namespaces_pid.h"
#include "isolators/posix.h"

namespace isolators {

using base::CgroupHierarchy;
using base::concat;
using base::fail;
using base::Result;
using base::Status;

namespace {

using Isolators = std::vector<std::unique_ptr<Isolator>>;
using Subsystems = std::vector<std::unique_ptr<Subsystem>>;

// --- The controllers behind `cgroups/*`, in the order in which they report failures. ---

using MakeSubsystem = std::unique_ptr<Subsystem> (*)(CgroupHierarchy, const IsolatorOptions&);

struct SubsystemEntry {
  std::string_view isolator;  // what follows "cgroups/"
  const char* controller;
  MakeSubsystem make;
};

std::unique_ptr<Subsystem> make_placing(CgroupHierarchy hierarchy, const IsolatorOptions&) {
  return std::make_unique<Subsystem>(std::move(hierarchy));
}
std::unique_ptr<Subsystem> make_memory(CgroupHierarchy hierarchy, const IsolatorOptions& options) {
  return std::make_unique<MemorySubsystem>(std::move(hierarchy), options.cgroups_limit_swap);
}
std::unique_ptr<Subsystem> make_cpu(CgroupHierarchy hierarchy, const IsolatorOptions& options) {
  return std::make_unique<CpuSubsystem>(std::move(hierarchy), options.cgroups_enable_cfs);
}
std::unique_ptr<Subsystem> make_cpuacct(CgroupHierarchy hierarchy, const IsolatorOptions& options) {
  return std::make_unique<CpuacctSubsystem>(std::move(hierarchy), options.cgroups_count_processes);
}

// pids and blkio hold containers without limiting them, as in Apache Mesos.
constexpr SubsystemEntry kSubsystems[] = {
    {"mem", "memory", make_memory},   {"cpu", "cpu", make_cpu},
    {"cpu", "cpuacct", make_cpuacct}, {"pids", "pids", make_placing},
    {"blkio", "blkio", make_placing},
};

constexpr std::string_view kCgroupsPrefix = "cgroups/";
constexpr std::string_view kAllCgroups = "cgroups/all";

bool is_known_cgroups_name(std::string_view name) {
  if (name == kAllCgroups) return true;
  if (!name.starts_with(kCgroupsPrefix)) return false;
  return std::any_of(std::begin(kSubsystems), std::end(kSubsystems), [&](const auto& entry) {
    return entry.isolator == name.substr(kCgroupsPrefix.size());
  });
}

Status add_cgroups(const std::set<std::string>& names, const IsolatorOptions& options,
                   Isolators* isolators) {
  Subsystems subsystems;
  for (const auto& entry : kSubsystems) {
    const bool all = names.contains(std::string(kAllCgroups));
    if (!all && !names.contains(concat(kCgroupsPrefix, entry.isolator))) continue;
    auto hierarchy = CgroupHierarchy::open(entry.controller, options.cgroups_root);
    if (!hierarchy) {
      if (all) continue;  // all that this kernel has
      return fail(std::move(hierarchy).error());
    }
    subsystems.push_back(entry.make(*std::move(hierarchy), options));
  }
  if (!subsystems.empty()) {
    isolators->push_back(std::make_unique<CgroupsIsolator>(std::move(subsystems)));
  }
  return {};
}

// --- All isolators, in the order in which they prepare. ---

struct Entry {
  std::string_view name;
  bool needs_linux_launcher;
  Status (*add)(const std::set<std::string>& names, const IsolatorOptions&, Isolators*);
};

template <const char* kName>
Status add_posix(const std::set<std::string>&, const IsolatorOptions&, Isolators* isolators) {
  isolators->push_back(std::make_unique<PosixIsolator>(kName));
  return {};
}

Status add_filesystem_posix(const std::set<std::string>&, const IsolatorOptions&,
                            Isolators* isolators) {
  isolators->push_back(std::make_unique<FilesystemPosixIsolator>());
  return {};
}

Status add_filesystem_linux(const std::set<std::string>&, const IsolatorOptions&,
                            Isolators* isolators) {
  isolators->push_back(std::make_unique<FilesystemLinuxIsolator>());
  return {};
}

Status add_namespaces_pid(const std::set<std::string>& names, const IsolatorOptions& options,
                          Isolators* isolators) {
  if (!names.contains("filesystem/linux")) {
    return fail("The isolator 'namespaces/pid' needs 'filesystem/linux' as well");
  }
  isolators->push_back(
      std::make_unique<NamespacesPidIsolator>(options.disallow_sharing_agent_pid_namespace));
  return {};
}

constexpr char kFilesystemPosix[] = "filesystem/posix";
constexpr char kPosixCpu[] = "posix/cpu";
constexpr char kPosixMem[] = "posix/mem";

constexpr Entry kEntries[] = {
    {kFilesystemPosix, false, add_filesystem_posix},
    {"filesystem/linux", true, add_filesystem_linux},
    {kPosixCpu, false, add_posix<kPosixCpu>},
    {kPosixMem, false, add_posix<kPosixMem>},
    {kCgroupsPrefix, true, add_cgroups},
    {"namespaces/pid", true, add_namespaces_pid},
};

bool is_chosen(const Entry& entry, const std::set<std::string>& names) {
  if (entry.name != kCgroupsPrefix) return names.contains(std::string(entry.name));
  return std::any_of(names.begin(), names.end(), is_known_cgroups_name);
}

bool is_known(const std::string& name) {
  return is_known_cgroups_name(name) ||
         std::any_of(std::begin(kEntries), std::end(kEntries), [&](const Entry& entry) {
           return entry.name == name && entry.name != kCgroupsPrefix;
         });
}

// The names as one set, with Mesos's abbreviations spelled out.
Result<std::set<std::string>> resolve_names(const std::vector<std::string>& given) {
  std::set<std::string> names;
  for (const auto& name : given) {
    std::vector<std::string> meant = {name};
    if (name == "process") meant = {"posix/cpu", "posix/mem"};
    if (name == "cgroups") meant = {"cgroups/cpu", "cgroups/mem"};
    for (auto& one : meant) {
      if (!is_known(one)) return fail(concat("Unknown or unsupported isolator '", one, "'"));
      if (!names.insert(one).second) {
        return fail(concat("Duplicate entry '", one, "' in --isolation"));
      }
    }
  }
  if (names.contains("filesystem/linux") && names.contains(kFilesystemPosix)) {
    return fail("Only one 'filesystem/*' isolator may be chosen");
  }
  if (!names.contains("filesystem/linux")) names.insert(kFilesystemPosix);
  return names;
}

}  // namespace

Result<Isolators> make_isolators(const IsolatorOptions& options) {
  TRY(const auto names, resolve_names(options.names));
  Isolators isolators;
  for (const auto& entry : kEntries) {
    if (!is_chosen(entry, names)) continue;
    if (entry.needs_linux_launcher && !options.linux_launcher) {
      const std::string_view all = entry.name == kCgroupsPrefix ? "*" : "";
      return fail(concat("The isolator '", entry.name, all, "' needs --launcher=linux (and root)"));
    }
    TRY_VOID(entry.add(names, options, &isolators));
  }
  return isolators;
}

}  // namespace isolators
