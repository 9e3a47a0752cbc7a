// Every action, through the requests that it is about: allowed for whom a list names, denied or
// left out for everybody else.
#include "operator_api/authorization.h"

#include <gtest/gtest.h>

#include "base/strings.h"
#include "proto/base64.h"
#include "tests/agent/cluster.h"
#include "tests/operator_api/support.h"

namespace {

using base::concat;

// The lists that let everybody see what a row's objects are found in.
constexpr std::string_view kFrameworks = "view_frameworks";
constexpr std::string_view kExecutors = "view_executors";

struct Row {
  std::string_view list;
  std::vector<std::string_view> before;  // lists that are open to everybody
  std::string request;                   // a GET's target, or a call
  // Whoever is allowed gets this status, everybody else 403. Or, if there is `shows`, both get it,
  // and only who is allowed gets to see this.
  int status = 200;
  std::string shows = {};
};

std::string nested(std::string_view kind, std::string_view id) {
  return concat(R"({"type":")", kind, R"(",")", base::to_lower(kind),
                R"(":{"container_id":{"value":")", id, R"(","parent":{"value":"container-1"}}}})");
}
std::string top(std::string_view kind, std::string_view id) {
  return concat(R"({"type":")", kind, R"(",")", base::to_lower(kind),
                R"(":{"container_id":{"value":")", id, R"("}}})");
}

const std::string kContainers =
    R"({"type":"GET_CONTAINERS","get_containers":{"show_nested":true,"show_standalone":true}})";
const std::string kProvider =
    R"({"type":"ADD_RESOURCE_PROVIDER_CONFIG","add_resource_provider_config":)"
    R"({"info":{"type":"org.example","name":"x"}}})";

const std::vector<Row> kRows = {
    {"get_endpoints", {}, "/metrics"},
    {"get_endpoints", {}, "/metrics/snapshot"},
    {"get_endpoints", {}, "/slave(1)/monitor/statistics"},
    {"get_endpoints", {}, "/containerizer/debug"},
    {"get_endpoints", {}, "/files/debug"},
    {"get_endpoints", {}, "/logging/toggle"},
    {"get_endpoints", {}, "/containers"},
    {"view_containers", {"get_endpoints"}, "/containers", 200, "executor-1"},
    {"view_containers", {}, kContainers, 200, "executor-1"},
    {"view_containers", {}, kContainers, 200, R"("value":"child")"},
    {"view_standalone_containers", {}, kContainers, 200, R"("value":"standalone")"},
    {"view_flags", {}, "/flags"},
    {"view_flags", {}, R"({"type":"GET_FLAGS"})"},
    {"view_flags", {}, "/state", 200, R"("flags":)"},
    {"view_frameworks", {}, "/state", 200, "framework-1"},
    {"view_frameworks", {}, "/state", 200, "framework-0"},
    {"view_frameworks", {}, R"({"type":"GET_FRAMEWORKS"})", 200, "framework-1"},
    {"view_frameworks", {}, R"({"type":"GET_FRAMEWORKS"})", 200, "framework-0"},
    {"view_frameworks", {kExecutors}, R"({"type":"GET_EXECUTORS"})", 200, "executor-1"},
    {"view_frameworks", {"view_tasks"}, R"({"type":"GET_TASKS"})", 200, "name of pending"},
    {"view_executors", {kFrameworks}, "/state", 200, "executor-1"},
    {"view_executors", {kFrameworks}, R"({"type":"GET_EXECUTORS"})", 200, "executor-1"},
    {"view_executors", {kFrameworks}, R"({"type":"GET_EXECUTORS"})", 200, "executor-0"},
    {"view_executors",
     {kFrameworks, "view_tasks"},
     R"({"type":"GET_TASKS"})",
     200,
     "name of launched"},
    {"view_executors", {kFrameworks}, R"({"type":"GET_STATE"})", 200, "executor-1"},
    {"view_tasks", {kFrameworks, kExecutors}, "/state", 200, "name of queued"},
    {"view_tasks", {kFrameworks, kExecutors}, "/state", 200, "name of launched"},
    {"view_tasks", {kFrameworks, kExecutors}, "/state", 200, "name of completed"},
    {"view_tasks", {kFrameworks, kExecutors}, "/state", 200, "name of terminated"},
    {"view_tasks", {kFrameworks}, R"({"type":"GET_TASKS"})", 200, "name of pending"},
    {"view_tasks", {kFrameworks, kExecutors}, R"({"type":"GET_TASKS"})", 200, "name of queued"},
    {"view_tasks", {kFrameworks, kExecutors}, R"({"type":"GET_TASKS"})", 200, "name of launched"},
    {"view_tasks",
     {kFrameworks, kExecutors},
     R"({"type":"GET_TASKS"})",
     200,
     "name of completed-0"},
    {"view_tasks", {kFrameworks, kExecutors}, R"({"type":"GET_TASKS"})", 200, "name of terminated"},
    {"view_tasks", {kFrameworks, kExecutors}, R"({"type":"GET_STATE"})", 200, "name of launched"},
    {"view_roles", {}, "/state", 200, R"("reserved_resources":{"secret-role":)"},
    {"view_roles", {}, "/state", 200, R"("reserved_resources_full":{"secret-role":)"},
    {"view_roles", {}, R"({"type":"GET_OPERATIONS"})", 200, "operation-1"},
    {"view_resource_providers", {}, "/state", 200, "provider-1"},
    {"view_resource_providers", {}, R"({"type":"GET_RESOURCE_PROVIDERS"})", 200, "provider-1"},
    {"set_log_level",
     {},
     R"({"type":"SET_LOGGING_LEVEL","set_logging_level":{"level":0,"duration":{"nanoseconds":1}}})"},
    {"access_sandboxes",
     {},
     "/files/browse?path=/frameworks/framework-1/executors/executor-1/runs/latest"},
    {"access_sandboxes", {}, "/files/download?path=@WORK@/containers/standalone/stdout"},
    {"access_sandboxes", {}, "/files/read?path=@WORK@/containers/standalone/none", 404},
    {"access_sandboxes",
     {},
     R"({"type":"LIST_FILES","list_files":{"path":"@WORK@/containers/standalone"}})"},
    {"access_sandboxes",
     {},
     R"({"type":"READ_FILE","read_file":{"path":"@WORK@/containers/standalone/stdout","offset":0}})"},
    {"launch_standalone_containers", {}, top("LAUNCH_CONTAINER", "new")},
    {"wait_standalone_containers", {}, top("WAIT_CONTAINER", "none"), 404},
    {"kill_standalone_containers", {}, top("KILL_CONTAINER", "none"), 404},
    {"remove_standalone_containers", {}, top("REMOVE_CONTAINER", "none"), 404},
    {"wait_nested_containers", {}, nested("WAIT_CONTAINER", "none"), 404},
    {"wait_nested_containers", {}, nested("WAIT_NESTED_CONTAINER", "none"), 404},
    {"kill_nested_containers", {}, nested("KILL_CONTAINER", "none"), 404},
    {"kill_nested_containers", {}, nested("KILL_NESTED_CONTAINER", "none"), 404},
    {"remove_nested_containers", {}, nested("REMOVE_CONTAINER", "none")},
    {"remove_nested_containers", {}, nested("REMOVE_NESTED_CONTAINER", "none")},
    {"launch_nested_containers_as_user",
     {"launch_nested_containers_under_parent_with_user"},
     nested("LAUNCH_CONTAINER", "new-1")},
    {"launch_nested_containers_as_user",
     {"launch_nested_containers_under_parent_with_user"},
     nested("LAUNCH_NESTED_CONTAINER", "new-2")},
    {"launch_nested_containers_under_parent_with_user",
     {"launch_nested_containers_as_user"},
     nested("LAUNCH_NESTED_CONTAINER", "new-3")},
    // In use, so that nothing runs: 202.
    {"launch_nested_container_sessions_as_user",
     {"launch_nested_container_sessions_under_parent_with_user", "attach_containers_output"},
     nested("LAUNCH_NESTED_CONTAINER_SESSION", "child"),
     202},
    {"launch_nested_container_sessions_under_parent_with_user",
     {"launch_nested_container_sessions_as_user", "attach_containers_output"},
     nested("LAUNCH_NESTED_CONTAINER_SESSION", "child"),
     202},
    {"attach_containers_output",
     {"launch_nested_container_sessions_as_user",
      "launch_nested_container_sessions_under_parent_with_user"},
     nested("LAUNCH_NESTED_CONTAINER_SESSION", "child"),
     202},
    {"attach_containers_output", {}, nested("ATTACH_CONTAINER_OUTPUT", "child"), 500},
    {"attach_containers_input", {}, "@INPUT@", 500},
    {"modify_resource_provider_configs", {}, kProvider, 500},
    {"mark_resource_providers_gone",
     {},
     R"({"type":"MARK_RESOURCE_PROVIDER_GONE","mark_resource_provider_gone":{"resource_provider_id":{"value":"x"}}})",
     500},
    {"prune_images", {}, R"({"type":"PRUNE_IMAGES"})"},
};

class AuthorizationTest : public tests::ApiTest {
 protected:
  AuthorizationTest() {
    const auto basic =
        std::make_shared<http::BasicAuthenticator>(*http::Credentials::parse("ann pw\nbob pw\n"));
    agent_->authentication.require(agent::Realm::kReadonly, {basic});
    agent_->authentication.require(agent::Realm::kReadwrite, {basic});
  }

  void SetUp() override {
    EXPECT_TRUE(base::make_directories(scratch_ / "sandbox"));
    agent_->state = tests::make_state(scratch_ / "sandbox");
    agent_->state.frameworks.at("framework-1").executors.at("executor-1").sandbox =
        scratch_ / "sandbox";
    auto& provider = agent_->state.resource_providers.emplace_back();
    provider.info.set_type("type");
    provider.info.set_name("provider-1");
    auto* reserved = agent_->info.add_resources();
    reserved->set_name("cpus");
    reserved->set_type(mesos::v1::Value::SCALAR);
    reserved->mutable_scalar()->set_value(1);
    auto* reservation = reserved->add_reservations();
    reservation->set_type(mesos::v1::Resource::ReservationInfo::STATIC);
    reservation->set_role("secret-role");
    auto& operation = agent_->state.operations.emplace_back();
    operation.mutable_info()->set_type(mesos::v1::Offer::Operation::UNRESERVE);
    *operation.mutable_info()->mutable_unreserve()->add_resources() = *reserved;
    operation.mutable_info()->mutable_id()->set_value("operation-1");
    // Before there is an authorizer.
    for (const std::string& call :
         {top("LAUNCH_CONTAINER", "standalone"), top("LAUNCH_CONTAINER", "container-1"),
          nested("LAUNCH_CONTAINER", "child")}) {
      ASSERT_EQ(200, ask("ann", with_command(call, "sleep 1000")).status) << call;
    }
  }

  // The same call, with a command where there is one to launch.
  static std::string with_command(std::string call, const std::string& command) {
    if (call.find("LAUNCH_") == std::string::npos) return call;
    return call.insert(call.size() - 2, R"(,"command":{"value":")" + command + R"("})");
  }

  std::string filled(std::string text) const {
    const std::string work = scratch_ / "work";
    for (size_t at; (at = text.find("@WORK@")) != std::string::npos;) text.replace(at, 6, work);
    return text;
  }

  Reply ask(std::string_view who, const std::string& request) {
    std::string header = "Authorization: Basic ";
    proto::append_base64(concat(who, ":pw"), &header);
    header += "\r\n";
    const std::string text = filled(request);
    if (text.starts_with('/')) return exchange(tests::make_request("GET", text, header, ""));
    if (text == "@INPUT@") {
      const std::string record =
          R"({"type":"ATTACH_CONTAINER_INPUT","attach_container_input":{"type":"CONTAINER_ID",)"
          R"("container_id":{"value":"child","parent":{"value":"container-1"}}}})";
      return exchange(tests::make_request("POST", "/api/v1",
                                          header + "Content-Type: application/recordio\r\n"
                                                   "Message-Content-Type: application/json\r\n",
                                          concat(record.size(), "\n", record)));
    }
    return exchange(tests::make_request("POST", "/api/v1",
                                        header + "Content-Type: application/json\r\n", text));
  }

  // Strict lists: the one lets ann, to these objects; the others let everybody.
  void set_lists(std::string_view list, const std::vector<std::string_view>& open,
                 std::string_view objects = R"({"type":"ANY"})") {
    std::string json =
        concat(R"({"permissive":false,")", list, R"(":[{"principals":{"values":["ann"]},")",
               agent::find_acl_list(list)->objects, R"(":)", objects, "}]");
    for (const auto other : open) {
      json += concat(R"(,")", other, R"(":[{"principals":{"type":"ANY"},")",
                     agent::find_acl_list(other)->objects, R"(":{"type":"ANY"}}])");
    }
    agent_->authorizer.emplace(agent::Acls::parse(json + "}").value());
  }
};

TEST_F(AuthorizationTest, EveryActionIsAllowedDeniedOrFiltered) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(concat(row.list, " ", row.request, " ", row.shows));
    set_lists(row.list, row.before);
    const std::string request = with_command(row.request, "true");
    const Reply denied = ask("bob", request);
    const Reply allowed = ask("ann", request);
    EXPECT_EQ(row.status, allowed.status) << allowed.body;
    if (row.shows.empty()) {
      EXPECT_EQ(403, denied.status) << denied.body;
      EXPECT_EQ("text/plain; charset=utf-8", header(denied, "Content-Type"));
    } else {
      EXPECT_EQ(row.status, denied.status) << denied.body;
      EXPECT_NE(std::string::npos, allowed.body.find(row.shows)) << allowed.body;
      EXPECT_EQ(std::string::npos, denied.body.find(row.shows)) << denied.body;
    }
  }
}

TEST_F(AuthorizationTest, TheTableHasEveryListOfTheAgent) {
  for (const char* list : {"access_sandboxes",
                           "attach_containers_input",
                           "attach_containers_output",
                           "get_endpoints",
                           "kill_nested_containers",
                           "kill_standalone_containers",
                           "launch_nested_container_sessions_as_user",
                           "launch_nested_container_sessions_under_parent_with_user",
                           "launch_nested_containers_as_user",
                           "launch_nested_containers_under_parent_with_user",
                           "launch_standalone_containers",
                           "mark_resource_providers_gone",
                           "modify_resource_provider_configs",
                           "prune_images",
                           "remove_nested_containers",
                           "remove_standalone_containers",
                           "set_log_level",
                           "view_containers",
                           "view_executors",
                           "view_flags",
                           "view_frameworks",
                           "view_resource_providers",
                           "view_roles",
                           "view_standalone_containers",
                           "view_tasks",
                           "wait_nested_containers",
                           "wait_standalone_containers"}) {
    EXPECT_TRUE(std::ranges::any_of(kRows, [list](const Row& row) { return row.list == list; }))
        << list;
  }
}

// Which user an object has: that of the executor's command, else the framework's.
TEST_F(AuthorizationTest, ObjectsHaveUsers) {
  const struct {
    std::string_view list;
    std::vector<std::string_view> before;
    std::string request;
    std::string shows;  // empty: 403 or not
    std::string user;
  } kUsers[] = {
      {"view_frameworks", {}, R"({"type":"GET_FRAMEWORKS"})", "framework-1", "root"},
      {"view_executors", {kFrameworks}, R"({"type":"GET_EXECUTORS"})", "executor-1", "exec"},
      {"view_executors", {kFrameworks}, R"({"type":"GET_EXECUTORS"})", "executor-0", "root"},
      {"view_containers", {}, kContainers, "executor-1", "exec"},
      {"view_tasks", {kFrameworks}, R"({"type":"GET_TASKS"})", "name of pending", "root"},
      {"kill_nested_containers", {}, nested("KILL_CONTAINER", "none"), "", "exec"},
      {"wait_nested_containers", {}, nested("WAIT_CONTAINER", "none"), "", "exec"},
      {"attach_containers_output", {}, nested("ATTACH_CONTAINER_OUTPUT", "child"), "", "exec"},
      {"access_sandboxes",
       {},
       "/files/browse?path=/frameworks/framework-1/executors/executor-1/runs/latest",
       "",
       "exec"},
      {"launch_nested_containers_under_parent_with_user",
       {"launch_nested_containers_as_user"},
       nested("LAUNCH_CONTAINER", "child"),
       "",
       "exec"},
  };
  agent_->state.frameworks.at("framework-1")
      .executors.at("executor-1")
      .info.mutable_command()
      ->set_user("exec");
  for (const auto& row : kUsers) {
    SCOPED_TRACE(concat(row.list, " ", row.request));
    for (const std::string& user : {row.user, std::string("other")}) {
      set_lists(row.list, row.before, concat(R"({"values":[")", user, R"("]})"));
      const Reply reply = ask("ann", with_command(row.request, "true"));
      const bool refused =
          row.shows.empty() ? reply.status == 403 : reply.body.find(row.shows) == std::string::npos;
      EXPECT_EQ(user != row.user, refused) << user << " " << reply.body;
    }
  }
}

TEST_F(AuthorizationTest, WithoutAnExecutorTheIdIsTheObject) {
  const std::string call =
      R"({"type":"KILL_CONTAINER","kill_container":{"container_id":{"value":"none",)"
      R"("parent":{"value":"standalone"}}}})";
  set_lists("kill_nested_containers", {}, R"({"values":["none"]})");
  EXPECT_EQ(404, ask("ann", call).status);
  set_lists("kill_nested_containers", {}, R"({"values":["standalone"]})");
  EXPECT_EQ(403, ask("ann", call).status);
}

// Sandboxes of what is no more, and of standalone containers, belong to nobody: only ANY will do.
TEST_F(AuthorizationTest, SandboxesOfNobody) {
  const std::string request = "/files/browse?path=@WORK@/containers/standalone";
  set_lists("access_sandboxes", {}, R"({"values":["root"]})");
  EXPECT_EQ(403, ask("ann", request).status);
  EXPECT_EQ("", ask("ann", request).body);
  set_lists("access_sandboxes", {});
  EXPECT_EQ(200, ask("ann", request).status);
}

TEST_F(AuthorizationTest, AnEndpointIsNamedByItsPath) {
  set_lists("get_endpoints", {}, R"({"values":["/metrics/snapshot"]})");
  for (const char* path :
       {"/metrics/snapshot", "/slave(1)/metrics/snapshot", "//metrics/snapshot/"}) {
    EXPECT_EQ(200, ask("ann", path).status) << path;
  }
  for (const char* path : {"/metrics", "/monitor/statistics", "/files/debug"}) {
    EXPECT_EQ(403, ask("ann", path).status) << path;
  }
}

TEST_F(AuthorizationTest, RolesOfAnOperation) {
  auto& resource =
      *agent_->state.operations[0].mutable_info()->mutable_unreserve()->mutable_resources(0);
  resource.add_reservations()->set_role("secret-role/refined");
  resource.mutable_allocation_info()->set_role("allocated");
  const auto shown = [this](std::string_view roles) {
    set_lists("view_roles", {}, roles);
    return ask("ann", R"({"type":"GET_OPERATIONS"})").body.find("operation-1") != std::string::npos;
  };
  EXPECT_TRUE(shown(R"({"values":["secret-role","secret-role/%","allocated"]})"));
  EXPECT_FALSE(shown(R"({"values":["secret-role","secret-role/%"]})"));
  EXPECT_FALSE(shown(R"({"values":["secret-role","allocated"]})"));
  EXPECT_FALSE(shown(R"({"values":["secret-role/%","allocated"]})"));
}

TEST_F(AuthorizationTest, WithoutAnAuthorizerEverythingIsAllowed) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(concat(row.list, " ", row.request));
    const int status = ask("bob", with_command(row.request, "true")).status;
    EXPECT_TRUE(status == row.status || (row.status == 200 && status == 202)) << status;
  }
}

}  // namespace
