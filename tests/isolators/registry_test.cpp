#include "isolators/registry.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace {

using isolators::IsolatorOptions;
using isolators::make_isolators;
using Names = std::vector<std::string>;

// A group that nothing here may make.
constexpr char kNeverMade[] = "mesos-agent-registry-test";

IsolatorOptions with_names(Names names, bool linux_launcher) {
  IsolatorOptions options;
  options.names = std::move(names);
  options.linux_launcher = linux_launcher;
  options.cgroups_root = kNeverMade;
  return options;
}

bool a_group_was_made() {
  std::error_code ignored;
  for (const auto& mount : std::filesystem::directory_iterator("/sys/fs/cgroup", ignored)) {
    if (std::filesystem::exists(mount.path() / kNeverMade, ignored)) return true;
  }
  return std::filesystem::exists(std::string("/sys/fs/cgroup/") + kNeverMade, ignored);
}

TEST(Registry, MakesIsolatorsInTheOrderOfTheTable) {
  const struct {
    Names names;
    bool linux_launcher;
    Names made;
  } kCases[] = {
      {{}, false, {"filesystem/posix"}},
      {{}, true, {"filesystem/posix"}},
      {{"filesystem/posix"}, false, {"filesystem/posix"}},
      {{"posix/mem", "posix/cpu"}, false, {"filesystem/posix", "posix/cpu", "posix/mem"}},
      {{"process"}, false, {"filesystem/posix", "posix/cpu", "posix/mem"}},
      {{"filesystem/linux"}, true, {"filesystem/linux"}},
      {{"namespaces/pid", "posix/cpu", "filesystem/linux"},
       true,
       {"filesystem/linux", "posix/cpu", "namespaces/pid"}},
  };
  for (const auto& test : kCases) {
    auto made = make_isolators(with_names(test.names, test.linux_launcher));
    ASSERT_TRUE(made.has_value()) << made.error().message;
    Names names;
    for (const auto& isolator : *made) names.emplace_back(isolator->name());
    EXPECT_EQ(test.made, names);
  }
  EXPECT_FALSE(a_group_was_made());
}

TEST(Registry, Refusals) {
  constexpr char kUnknown[] = "Unknown or unsupported isolator '";
  const struct {
    Names names;
    bool linux_launcher;
    std::string error;
  } kCases[] = {
      {{"nope"}, true, std::string(kUnknown) + "nope'"},
      {{""}, true, std::string(kUnknown) + "'"},
      {{"posix/cpu", "Posix/mem"}, true, std::string(kUnknown) + "Posix/mem'"},
      {{"cgroups/"}, true, std::string(kUnknown) + "cgroups/'"},
      {{"cgroups/nope"}, true, std::string(kUnknown) + "cgroups/nope'"},
      // A controller that only comes with another name.
      {{"cgroups/cpuacct"}, true, std::string(kUnknown) + "cgroups/cpuacct'"},
      {{"posix/cpu", "posix/cpu"}, true, "Duplicate entry 'posix/cpu' in --isolation"},
      {{"process", "posix/mem"}, true, "Duplicate entry 'posix/mem' in --isolation"},
      {{"cgroups", "cgroups/cpu"}, true, "Duplicate entry 'cgroups/cpu' in --isolation"},
      {{"cgroups/mem", "cgroups"}, true, "Duplicate entry 'cgroups/mem' in --isolation"},
      {{"filesystem/linux", "filesystem/posix"},
       true,
       "Only one 'filesystem/*' isolator may be chosen"},
      {{"namespaces/pid"}, true, "The isolator 'namespaces/pid' needs 'filesystem/linux' as well"},
      {{"filesystem/linux"},
       false,
       "The isolator 'filesystem/linux' needs --launcher=linux (and root)"},
      {{"namespaces/pid"},
       false,
       "The isolator 'namespaces/pid' needs --launcher=linux (and root)"},
      {{"cgroups/cpu"}, false, "The isolator 'cgroups/*' needs --launcher=linux (and root)"},
      {{"cgroups"}, false, "The isolator 'cgroups/*' needs --launcher=linux (and root)"},
      {{"cgroups/all"}, false, "The isolator 'cgroups/*' needs --launcher=linux (and root)"},
  };
  for (const auto& test : kCases) {
    auto made = make_isolators(with_names(test.names, test.linux_launcher));
    ASSERT_FALSE(made.has_value()) << testing::PrintToString(test.names);
    EXPECT_EQ(test.error, made.error().message);
  }
  EXPECT_FALSE(a_group_was_made());
}

// The posix isolators act on executors only.
TEST(Registry, PosixIsolatorsLeaveStandaloneTreesAlone) {
  auto made = make_isolators(with_names({"process"}, false));
  ASSERT_TRUE(made.has_value());
  for (const auto& isolator : *made) {
    EXPECT_FALSE(isolator->supports_standalone()) << isolator->name();
    EXPECT_FALSE(isolator->supports_nesting()) << isolator->name();
  }
}

}  // namespace
