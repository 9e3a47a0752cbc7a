#include "agent/resources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <charconv>
#include <utility>

namespace {

using namespace base::literals;
using agent::HostCapacity;
using mesos::v1::Resource;
using ::testing::HasSubstr;
using Resources = std::vector<Resource>;

// "name(role)=value" each, separated by blanks; disk sources by their root.
std::string describe(const Resources& resources) {
  std::string text;
  for (const Resource& resource : resources) {
    if (!text.empty()) text += ' ';
    text += resource.name();
    EXPECT_FALSE(resource.has_role());
    EXPECT_LE(resource.reservations_size(), 1);
    for (const auto& reservation : resource.reservations()) {
      EXPECT_EQ(reservation.type(), Resource::ReservationInfo::STATIC);
      text += "(" + reservation.role() + ")";
    }
    text += resource.disk().source().path().root() + resource.disk().source().mount().root() + "=";
    if (resource.has_scalar()) {
      char number[32];
      text.append(number, std::to_chars(number, number + 32, resource.scalar().value()).ptr);
    }
    for (const auto& range : resource.ranges().range()) {
      text += std::to_string(range.begin()) + "-" + std::to_string(range.end()) + ",";
    }
    for (const auto& item : resource.set().item()) text += item + ",";
  }
  return text;
}

std::string scalar(const std::string& name, const std::string& value, const std::string& more) {
  return R"([{"name":")" + name + R"(","type":"SCALAR","scalar":{"value":)" + value + "}" + more +
         "}]";
}

TEST(Resources, parse_from_text) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {" ; \n", ""},
      {"cpus:2;mem:1024", "cpus=2 mem=1024"},
      {" cpus : 2 ;\n mem : 10 24\n;", "cpus=2 mem=1024"},
      {"cpus:0", "cpus=0"},
      {"cpus:1.23456", "cpus=1.235"},
      {"disk:1024", "disk=1024"},
      {"gpus:2", "gpus=2"},
      {"ports:[31000-31005,31006-31010,8-9]", "ports=8-9,31000-31010,"},
      {"ports:[1-10,5-20]", "ports=1-20,"},
      {"ports:[]", "ports="},
      {"bugs:{a,b}", "bugs=a,b,"},
      {"bugs:{}", "bugs="},
      {"cpus(web):2;cpus(*):1", "cpus(web)=2 cpus=1"},
      {"cpus( eng/web ):2", "cpus(eng/web)=2"},
      {"cpus:1;cpus:2.5;mem:1", "cpus=3.5 mem=1"},
      {"cpus(a):1;cpus(b):2;cpus(a):3", "cpus(a)=4 cpus(b)=2"},
      {"cpus:0.1;cpus:0.2", "cpus=0.3"},
      {"ports:[1-3];ports:[2-5]", "ports=1-5,"},
      {"bugs:{a,b};bugs:{b,c}", "bugs=a,b,c,"},
  };
  for (const auto& [text, expected] : cases) {
    const auto resources = agent::parse_resources(text, "*");
    ASSERT_TRUE(resources.has_value()) << resources.error().message;
    EXPECT_EQ(describe(*resources), expected) << text;
  }
}

TEST(Resources, get_the_default_role) {
  EXPECT_EQ(describe(*agent::parse_resources("cpus:1;mem(*):2;disk(a):3", "web")),
            "cpus(web)=1 mem=2 disk(a)=3");
  EXPECT_EQ(describe(*agent::parse_resources(scalar("cpus", "1", ""), "web")), "cpus(web)=1");
  EXPECT_EQ(describe(*agent::parse_resources(scalar("cpus", "1", R"(,"role":"*")"), "web")),
            "cpus=1");
}

TEST(Resources, refuse_text) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"cpus", "cannot take 'cpus': expected name:value or name(role):value, with a single colon"},
      {"cpus:1:2", "cannot take 'cpus:1:2': expected name:value or name(role):value, with a sing"},
      {"a:1;cpus", "cannot take 'cpus': expected name:value"},
      {":1", "cannot take ':1': expected a name"},
      {"(web):1", "cannot take '(web):1': expected a name"},
      {"cpus(web:1", "cannot take 'cpus(web:1': expected name(role) before the colon"},
      {"cpus(a)b:1", "cannot take 'cpus(a)b:1': expected name(role) before the colon"},
      {"cpus():1", "cannot take 'cpus():1': '' is not the name of a role: it is empty"},
      {"cpus(-a):1", "cannot take 'cpus(-a):1': '-a' is not the name of a role"},
      {"cpus:abc", "cannot take 'cpus:abc': expected a number, [ranges] or a {set}, not text"},
      {"cpus:", "cannot take 'cpus:': expected a number, [ranges] or a {set}, not text"},
      {"mem:4GB", "cannot take 'mem:4GB': expected a number, [ranges] or a {set}, not text"},
      {"cpus:nan", "cannot take 'cpus:nan': expected a number, [ranges] or a {set}, not text"},
      {"cpus:inf", "cannot take 'cpus:inf': expected a number, [ranges] or a {set}, not text"},
      {"cpus:-1", "cannot take 'cpus:-1': expected a finite number that is not negative"},
      {"gpus:0.5", "cannot take 'gpus:0.5': expected a whole number of gpus"},
      {"ports:[5-1]", "cannot take 'ports:[5-1]': expected ranges of integers"},
      {"ports:[1-", "cannot take 'ports:[1-': expected ranges of integers"},
      {"bugs:{a,a}",
       "cannot take 'bugs:{a,a}': expected a set without duplicates, but 'a' is there twice"},
      {"a:1;a:[1-2]", "resource 'a': expected values of one type only"},
      {"a(x):1;a(y):{b}", "resource 'a': expected values of one type only"},
      {"{\"name\":1}", "cannot take '{\"name\":1}': expected a number"},
  };
  for (const auto& [text, expected] : cases) {
    const auto resources = agent::parse_resources(text, "*");
    ASSERT_FALSE(resources.has_value()) << text;
    EXPECT_EQ(resources.error().kind, base::ErrorKind::kInvalid);
    EXPECT_TRUE(resources.error().message.starts_with("--resources: " + expected))
        << resources.error().message;
  }
}

TEST(Resources, parse_from_json) {
  const std::string mount = R"(,"disk":{"source":{"type":"MOUNT","mount":{"root":"/m"}}})";
  const std::string path = R"(,"disk":{"source":{"type":"PATH","path":{"root":"/p"}}})";
  const auto disk = [](const std::string& more) {
    return R"({"name":"disk","type":"SCALAR","scalar":{"value":1})" + more + "}";
  };
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[]", ""},
      {"\n[ ] \n", ""},
      {scalar("cpus", "2", ""), "cpus=2"},
      {scalar("cpus", "1.23456", ""), "cpus=1.235"},
      {scalar("cpus", "2", R"(,"role":"*")"), "cpus=2"},
      {scalar("cpus", "2", R"(,"role":"web")"), "cpus(web)=2"},
      {scalar("cpus", "2", R"(,"reservations":[{"type":"STATIC","role":"a/b"}])"), "cpus(a/b)=2"},
      {scalar("cpus", "2", R"(,"reservations":[],"unknown":{"x":1})"), "cpus=2"},
      {R"([{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":6,"end":9},
          {"begin":1,"end":5}]}}])",
       "ports=1-9,"},
      {R"([{"name":"bugs","type":"SET","set":{"item":["b","a"]}}])", "bugs=b,a,"},
      {"[" + disk(mount) + "," + disk(mount) + "," + disk(path) + "," + disk(path) + "," +
           disk("") + "," + disk("") + "]",
       "disk/m=1 disk/m=1 disk/p=2 disk=2"},
  };
  for (const auto& [text, expected] : cases) {
    const auto resources = agent::parse_resources(text, "*");
    ASSERT_TRUE(resources.has_value()) << text << ": " << resources.error().message;
    EXPECT_EQ(describe(*resources), expected) << text;
  }
}

TEST(Resources, refuse_json) {
  const auto with = [](const std::string& more) { return scalar("disk", "1", "," + more); };
  const auto source = [&with](const std::string& text) {
    return with(R"("disk":{"source":{)" + text + "}}");
  };
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[", "expected a JSON array of Resource objects: syntax error"},
      {"[1-5]", "expected a JSON array of Resource objects: "},
      {"[5]", "expected a JSON array of Resource objects: "},
      {"[{}]", "expected a JSON array of Resource objects: Missing required fields"},
      {R"([{"name":"a","type":"NUMBER"}])", "expected a JSON array of Resource objects: "},
      {scalar("", "1", ""), "resource '': expected a name"},
      {scalar("a", "-1", ""), "resource 'a': expected a finite number that is not negative"},
      {scalar("a", "\"Infinity\"", ""), "resource 'a': expected a finite number that is not neg"},
      {scalar("gpus", "1.5", ""), "resource 'gpus': expected a whole number of gpus"},
      {R"([{"name":"a","type":"SCALAR"}])", "resource 'a': expected type SCALAR, RANGES or SET an"},
      {R"([{"name":"a","type":"SET","scalar":{"value":1}}])", "resource 'a': expected type SCAL"},
      {R"([{"name":"a","type":"SCALAR","scalar":{"value":1},"set":{}}])",
       "resource 'a': expected type SCALAR, RANGES or SET and a value of just that type"},
      {R"([{"name":"a","type":"TEXT"}])", "resource 'a': expected a number, [ranges] or a {set}"},
      {R"([{"name":"a","type":"RANGES","ranges":{"range":[{"begin":5,"end":1}]}}])",
       "resource 'a': expected ranges that begin before they end, not 5-1"},
      {R"([{"name":"a","type":"RANGES","ranges":{"range":[{"begin":5,"end":9},
          {"begin":1,"end":5}]}}])",
       "resource 'a': expected ranges that do not overlap"},
      {R"([{"name":"a","type":"SET","set":{"item":["b","b"]}}])",
       "resource 'a': expected a set without duplicates, but 'b' is there twice"},
      {R"([{"name":"a","type":"SET","set":{}},{"name":"a","type":"RANGES","ranges":{}}])",
       "resource 'a': expected values of one type only"},
      {with(R"("role":"-x")"), "resource 'disk': '-x' is not the name of a role"},
      {with(R"("role":"a","reservation":{"principal":"p"})"), "resource 'disk': expected no dynam"},
      {with(R"("reservations":[{"type":"DYNAMIC","role":"a"}])"),
       "resource 'disk': expected one reservation of type STATIC"},
      {with(R"("reservations":[{"role":"a"}])"), "resource 'disk': expected one reservation of ty"},
      {with(R"("reservations":[{"type":"STATIC"}])"), "resource 'disk': '' is not the name of a r"},
      {with(R"("reservations":[{"type":"STATIC","role":"*"}])"),
       "resource 'disk': expected a reservation for another role than '*'"},
      {with(R"("reservations":[{"type":"STATIC","role":"a"},{"type":"STATIC","role":"a/b"}])"),
       "resource 'disk': expected one reservation of type STATIC"},
      {with(R"("role":"a","reservations":[{"type":"STATIC","role":"a"}])"),
       "resource 'disk': expected either a role or reservations, not both"},
      {with(R"("revocable":{})"), "resource 'disk': expected no revocable resource"},
      {with(R"("shared":{})"), "resource 'disk': expected no shared resource"},
      {with(R"("allocation_info":{"role":"a"})"), "resource 'disk': expected no allocation_info"},
      {with(R"("provider_id":{"value":"a"})"), "resource 'disk': expected no provider_id"},
      {with(R"("disk":{"persistence":{"id":"a"}})"), "resource 'disk': expected no persistent vol"},
      {with(R"("disk":{"volume":{"mode":"RW","container_path":"a"}})"),
       "resource 'disk': expected no persistent volume"},
      {source(R"("type":"RAW")"), "resource 'disk': expected a disk source of type PATH or MOUNT"},
      {source(R"("type":"BLOCK")"), "resource 'disk': expected a disk source of type PATH or MOUN"},
      {source(R"("type":"PATH")"), "resource 'disk': expected a disk source of type PATH or MOUNT"},
      {source(R"("type":"MOUNT","path":{"root":"/a"})"),
       "resource 'disk': expected a disk source of type PATH or MOUNT, with its root"},
      {scalar("cpus", "1", R"(,"disk":{})"), "resource 'cpus': expected no disk information"},
  };
  for (const auto& [text, expected] : cases) {
    const auto resources = agent::parse_resources(text, "*");
    ASSERT_FALSE(resources.has_value()) << text;
    EXPECT_EQ(resources.error().kind, base::ErrorKind::kInvalid);
    EXPECT_TRUE(resources.error().message.starts_with("--resources: " + expected))
        << text << "\n"
        << resources.error().message;
  }
}

std::string completed(const std::string& text, const HostCapacity& host,
                      const std::string& default_role = "*") {
  return describe(
      agent::complete_resources(*agent::parse_resources(text, default_role), host, default_role));
}

TEST(Resources, are_detected_where_not_given) {
  const HostCapacity host{.cpus = 4, .memory = 8_GB, .disk = 100_GB};
  EXPECT_EQ(completed("", host), "cpus=4 mem=7168 disk=97280 ports=31000-32000,");
  EXPECT_EQ(completed("", host, "web"),
            "cpus(web)=4 mem(web)=7168 disk(web)=97280 ports(web)=31000-32000,");
  EXPECT_EQ(completed("mem:1;bugs:{a}", host),
            "mem=1 bugs=a, cpus=4 disk=97280 ports=31000-32000,");
  EXPECT_EQ(completed("cpus(web):1", host), "cpus(web)=1 mem=7168 disk=97280 ports=31000-32000,");
  EXPECT_EQ(completed("cpus:0;mem:0.0001;disk:0;ports:[];bugs:{}", host), "");
  EXPECT_EQ(completed(scalar("cpus", "1", ""), host),
            "cpus=1 mem=7168 disk=97280 "
            "ports=31000-32000,");
}

TEST(Resources, leave_a_part_of_the_host_alone) {
  struct Case {
    HostCapacity host;
    std::string mem, disk;
  };
  const std::vector<Case> cases = {
      {{.memory = 2_GB, .disk = 10_GB}, "1024", "5120"},
      {{.memory = 2047_MB, .disk = 10239_MB}, "1023", "5119"},
      {{.memory = 512_MB, .disk = 1_GB}, "256", "512"},
      {{.memory = base::Bytes((3_GB).count() + (1_MB).count() - 1)}, "2048", "10240"},
      {{}, "1024", "10240"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(completed("cpus:1;ports:[]", c.host), "cpus=1 mem=" + c.mem + " disk=" + c.disk);
  }
  EXPECT_THAT(completed("", {}), HasSubstr("cpus=1 "));
}

TEST(Resources, of_this_host_can_be_measured) {
  const HostCapacity host = agent::measure_host("/");
  EXPECT_GE(host.cpus, 1u);
  EXPECT_GT(host.memory, 16_MB);
  EXPECT_GT(host.disk, 16_MB);
  EXPECT_EQ(agent::measure_host("/no/such/directory").disk, std::nullopt);

  agent::Flags flags;
  flags.work_dir = "/";
  flags.default_role = "*";
  flags.resources = "mem:1;disk:1;ports:[1-2]";
  EXPECT_EQ(describe(*agent::load_resources(flags)),
            "mem=1 disk=1 ports=1-2, cpus=" + std::to_string(*host.cpus));
  flags.resources = "mem";
  EXPECT_FALSE(agent::load_resources(flags).has_value());
}

}  // namespace
