#include "agent/meta/reconfiguration.h"

#include <gtest/gtest.h>

#include <functional>

#include "agent/attributes.h"
#include "agent/meta/recover.h"
#include "tests/agent/meta/work_dir.h"
#include "tests/agent/resources.h"

namespace {

using agent::Reconfiguration;
using agent::ReconfigurationPolicy;
using mesos::v1::AgentInfo;

void set_resources(AgentInfo& info, std::string_view text) {
  info.clear_resources();
  for (const auto& resource : tests::resources_of(text)) *info.add_resources() = resource;
}

void set_attributes(AgentInfo& info, std::string_view text) {
  info.clear_attributes();
  const auto attributes = agent::parse_attributes(text);
  ASSERT_TRUE(attributes.has_value());
  for (const auto& attribute : *attributes) *info.add_attributes() = attribute;
}

AgentInfo make_info() {
  AgentInfo info;
  info.set_hostname("host");
  info.set_port(5051);
  info.mutable_id()->set_value("S0");
  set_resources(info, "cpus:4;mem:100;ports:[10-20];things:{a,b}");
  set_attributes(info, "rack:abc;zone:1;span:[1-5]");
  return info;
}

enum class Verdict { kSame, kAccepted, kRefused };

struct Change {
  const char* what;
  std::function<void(AgentInfo&)> make;
  Verdict equal;
  Verdict additive;
};

Verdict judge(ReconfigurationPolicy policy, const AgentInfo& before, const AgentInfo& now) {
  const auto result = agent::compare_agents(policy, before, now);
  if (!result) {
    EXPECT_EQ(base::ErrorKind::kConflict, result.error().kind);
    EXPECT_FALSE(result.error().message.empty());
    return Verdict::kRefused;
  }
  return *result == Reconfiguration::kUnchanged ? Verdict::kSame : Verdict::kAccepted;
}

void set_zone(AgentInfo& info, const char* zone) {
  auto& domain = *info.mutable_domain()->mutable_fault_domain();
  domain.mutable_region()->set_name("r");
  domain.mutable_zone()->set_name(zone);
}

TEST(Reconfiguration, EachChangeUnderEachPolicy) {
  using enum Verdict;
  const Change changes[] = {
      {"nothing", [](AgentInfo&) {}, kSame, kSame},
      {"no id yet", [](AgentInfo& info) { info.clear_id(); }, kSame, kSame},
      {"id", [](AgentInfo& info) { info.mutable_id()->set_value("S1"); }, kRefused, kRefused},
      {"hostname", [](AgentInfo& info) { info.set_hostname("other"); }, kRefused, kRefused},
      {"port", [](AgentInfo& info) { info.set_port(1); }, kRefused, kRefused},
      {"domain", [](AgentInfo& info) { set_zone(info, "z"); }, kRefused, kAccepted},
      {"order of resources",
       [](AgentInfo& info) { set_resources(info, "things:{b,a};ports:[10-20];mem:100;cpus:4"); },
       kSame, kSame},
      {"more cpus",
       [](AgentInfo& info) { set_resources(info, "cpus:5;mem:100;ports:[10-20];things:{a,b}"); },
       kRefused, kAccepted},
      {"less cpus",
       [](AgentInfo& info) { set_resources(info, "cpus:3.9;mem:100;ports:[10-20];things:{a,b}"); },
       kRefused, kRefused},
      {"cpus reserved",
       [](AgentInfo& info) { set_resources(info, "cpus(r):4;mem:100;ports:[10-20];things:{a,b}"); },
       kRefused, kRefused},
      {"no mem", [](AgentInfo& info) { set_resources(info, "cpus:4;ports:[10-20];things:{a,b}"); },
       kRefused, kRefused},
      {"a new resource",
       [](AgentInfo& info) {
         set_resources(info, "cpus:4;mem:100;ports:[10-20];things:{a,b};gpus:1");
       },
       kRefused, kAccepted},
      {"more ports and things",
       [](AgentInfo& info) { set_resources(info, "cpus:4;mem:100;ports:[5-25];things:{a,b,c}"); },
       kRefused, kAccepted},
      {"less ports",
       [](AgentInfo& info) { set_resources(info, "cpus:4;mem:100;ports:[10-19];things:{a,b}"); },
       kRefused, kRefused},
      {"less things",
       [](AgentInfo& info) { set_resources(info, "cpus:4;mem:100;ports:[10-20];things:{a}"); },
       kRefused, kRefused},
      {"a new attribute",
       [](AgentInfo& info) { set_attributes(info, "rack:abc;zone:1;span:[1-5];new:x"); }, kRefused,
       kAccepted},
      {"an attribute less", [](AgentInfo& info) { set_attributes(info, "rack:abc;zone:1"); },
       kRefused, kRefused},
      {"another text", [](AgentInfo& info) { set_attributes(info, "rack:abd;zone:1;span:[1-5]"); },
       kRefused, kRefused},
      {"another number",
       [](AgentInfo& info) { set_attributes(info, "rack:abc;zone:2;span:[1-5]"); }, kRefused,
       kRefused},
      {"another type", [](AgentInfo& info) { set_attributes(info, "rack:abc;zone:a;span:[1-5]"); },
       kRefused, kRefused},
      {"a wider range", [](AgentInfo& info) { set_attributes(info, "rack:abc;zone:1;span:[1-9]"); },
       kRefused, kAccepted},
      {"a narrower range",
       [](AgentInfo& info) { set_attributes(info, "rack:abc;zone:1;span:[1-4]"); }, kRefused,
       kRefused},
  };
  for (const Change& change : changes) {
    SCOPED_TRACE(change.what);
    AgentInfo now = make_info();
    change.make(now);
    EXPECT_EQ(change.equal, judge(ReconfigurationPolicy::kEqual, make_info(), now));
    EXPECT_EQ(change.additive, judge(ReconfigurationPolicy::kAdditive, make_info(), now));
  }
}

TEST(Reconfiguration, ADomainMustNotChange) {
  AgentInfo before = make_info();
  set_zone(before, "z");
  AgentInfo now = make_info();
  EXPECT_EQ(Verdict::kRefused, judge(ReconfigurationPolicy::kAdditive, before, now));
  set_zone(now, "y");
  EXPECT_EQ(Verdict::kRefused, judge(ReconfigurationPolicy::kAdditive, before, now));
  set_zone(now, "z");
  EXPECT_EQ(Verdict::kSame, judge(ReconfigurationPolicy::kEqual, before, now));
}

TEST(Reconfiguration, TheRecordedAgentIsTheOneWithItsFlags) {
  const tests::RecordedWorkDir recorded;
  const auto found = agent::recover_meta(recorded.work_dir(), true);
  ASSERT_TRUE(found.has_value());
  AgentInfo now;
  now.set_hostname("127.0.0.1");
  now.set_port(44965);
  set_resources(now, "cpus:4;mem:2048;disk:2048;ports:[31000-31100]");
  set_attributes(now, "rack:abc");
  EXPECT_EQ(Verdict::kSame, judge(ReconfigurationPolicy::kEqual, *found->info, now));
}

TEST(Reconfiguration, PoliciesHaveNames) {
  EXPECT_EQ(ReconfigurationPolicy::kEqual, *agent::parse_reconfiguration_policy("equal"));
  EXPECT_EQ(ReconfigurationPolicy::kAdditive, *agent::parse_reconfiguration_policy("additive"));
  EXPECT_FALSE(agent::parse_reconfiguration_policy("").has_value());
  EXPECT_FALSE(agent::parse_reconfiguration_policy("any").has_value());
}

}  // namespace
