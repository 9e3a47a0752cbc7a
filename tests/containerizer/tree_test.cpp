// Nested containers.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "http/body.h"
#include "http/recordio.h"
#include "ioswitchboard/client.h"
#include "tests/containerizer/support.h"

namespace {

using base::concat;
using base::ErrorKind;
using containerizer::ContainerId;
namespace fs = std::filesystem;

const ContainerId kRoot = ContainerId::root_of("root");
const ContainerId kChild = kRoot.child("child");
const ContainerId kGrandchild = kChild.child("grandchild");

class TreeTest : public tests::ContainerizerTest {
 protected:
  // Notes when the end of each becomes known.
  base::Task<void> note_end(ContainerId id, tests::Log* log) {
    auto ended = co_await containers_->wait(id);
    log->push_back(concat(id.value(), ended ? " ended" : " failed"));
  }

  static bool exists(pid_t pid) { return fs::exists(concat("/proc/", pid)); }
};

TEST_F(TreeTest, ChildrenOfAnyDepth) {
  launched(kRoot, "sleep 1000");
  launched(kChild, "sleep 1000");
  launched(kGrandchild, "pwd; exit 3");
  EXPECT_EQ(3 << 8, status_of(kGrandchild));
  EXPECT_EQ(options_.work_dir + "/containers/root/containers/child/containers/grandchild\n",
            output(kGrandchild));
  // Known as long as its root is.
  EXPECT_EQ(3 << 8, status_of(kGrandchild));
  EXPECT_EQ(2U, containers_->containers().size());
}

TEST_F(TreeTest, NoParentNoChild) {
  auto status = launch(shell(kChild, "exit 0"));
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ("Parent container root does not exist", status.error().message);
  EXPECT_EQ(ErrorKind::kInvalid, status.error().kind);

  launched(kRoot, "exit 0");
  EXPECT_EQ(0, status_of(kRoot));
  status = launch(shell(kChild, "exit 0"));
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ("Parent container root does not exist", status.error().message);
}

TEST_F(TreeTest, NoChildForAParentThatIsBeingDestroyed) {
  launched(kRoot, "sleep 1000");
  containers_->find(kRoot)->request_destroy();
  run(base::sleep_task(std::chrono::nanoseconds(0)));
  auto status = launch(shell(kChild, "exit 0"));
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(ErrorKind::kInvalid, status.error().kind);
  EXPECT_TRUE(status.error().message == "Parent container root is in 'DESTROYING' state" ||
              status.error().message == "Parent container root does not exist")
      << status.error().message;
}

TEST_F(TreeTest, ChildrenGoFirst) {
  launched(kRoot, "sleep 1000");
  launched(kChild, "sleep 1000");
  launched(kGrandchild, "sleep 1000");
  launched(kRoot.child("other"), "sleep 1000");
  const pid_t grandchild = containers_->find(kGrandchild)->pid();
  tests::Log log;
  std::vector<base::Task<void>> waits;
  for (const auto& id : {kRoot, kChild, kGrandchild, kRoot.child("other")}) {
    waits.push_back(note_end(id, &log));
  }
  containers_->find(kRoot)->request_destroy();
  run(base::all_of(std::move(waits)));
  ASSERT_EQ(4U, log.size());
  const auto place = [&](const std::string& entry) {
    return std::find(log.begin(), log.end(), entry) - log.begin();
  };
  EXPECT_LT(place("grandchild ended"), place("child ended"));
  EXPECT_LT(place("child ended"), place("root ended"));
  EXPECT_LT(place("other ended"), place("root ended"));
  EXPECT_EQ("root ended", log.back());
  EXPECT_FALSE(exists(grandchild));
  EXPECT_EQ(SIGKILL, status_of(kGrandchild));
}

// The same when the parent ends by itself.
TEST_F(TreeTest, ChildrenDoNotOutliveTheirParent) {
  launched(kRoot, "while [ ! -e go ]; do sleep 0.01; done; exit 2");
  launched(kChild, "sleep 1000");
  ASSERT_TRUE(base::write_file(sandbox(kRoot) + "/go", ""));
  EXPECT_EQ(2 << 8, status_of(kRoot));
  EXPECT_EQ(SIGKILL, status_of(kChild));
  EXPECT_TRUE(containers_->containers().empty());
}

TEST_F(TreeTest, TheEndOfAChildIsItsOwn) {
  launched(kRoot, "sleep 1000");
  launched(kChild, "sleep 1000");
  launched(kRoot.child("other"), "sleep 1000");
  ASSERT_TRUE(containers_->kill(kChild, SIGKILL));
  EXPECT_EQ(SIGKILL, status_of(kChild));
  EXPECT_EQ(2U, containers_->containers().size());
}

// Whatever a container has started: in its session, or out of it but below its init.
TEST_F(TreeTest, AllProcessesGo) {
  launched(kRoot,
           "sleep 1001 & (sleep 1002 & sleep 1003) & setsid sleep 1004 & "
           "(trap '' TERM HUP INT; while :; do sleep 0.01; done) & "
           "sleep 0.05; echo ready; sleep 1005");
  await_output(kRoot, "ready");
  containers_->find(kRoot)->request_destroy();
  EXPECT_EQ(SIGKILL, status_of(kRoot));
  // TearDown looks for what is left.
}

TEST_F(TreeTest, Removal) {
  launched(kRoot, "sleep 1000");
  launched(kChild, "exit 1");
  EXPECT_EQ(1 << 8, status_of(kChild));

  auto removed = remove(kRoot);
  ASSERT_FALSE(removed.has_value());
  EXPECT_EQ("Container has not terminated yet", removed.error().message);
  launched(kRoot.child("running"), "sleep 1000");
  removed = remove(kRoot.child("running"));
  ASSERT_FALSE(removed.has_value());
  EXPECT_EQ("Nested container has not terminated yet", removed.error().message);
  EXPECT_EQ(ErrorKind::kInternal, removed.error().kind);
  removed = remove(ContainerId::root_of("unknown").child("x"));
  ASSERT_FALSE(removed.has_value());
  EXPECT_EQ("Unknown root container", removed.error().message);
  EXPECT_EQ(ErrorKind::kInternal, removed.error().kind);
  removed = remove(ContainerId::root_of("unknown"));
  ASSERT_FALSE(removed.has_value());
  EXPECT_EQ("Container unknown cannot be found", removed.error().message);
  EXPECT_EQ(ErrorKind::kNotFound, removed.error().kind);

  ASSERT_TRUE(fs::exists(sandbox(kChild)));
  EXPECT_TRUE(remove(kChild));
  EXPECT_FALSE(fs::exists(sandbox(kChild)));
  EXPECT_FALSE(fs::exists(runtime(kChild)));
  EXPECT_FALSE(wait(kChild).has_value());
  // Again, and what never was.
  EXPECT_TRUE(remove(kChild));
  EXPECT_TRUE(remove(kRoot.child("never")));

  containers_->find(kRoot)->request_destroy();
  EXPECT_EQ(SIGKILL, status_of(kRoot));
  EXPECT_EQ(SIGKILL, status_of(kRoot.child("running")));
  EXPECT_TRUE(remove(kRoot));
  EXPECT_FALSE(fs::exists(sandbox(kRoot)));
  EXPECT_FALSE(fs::exists(runtime(kRoot)));
  EXPECT_FALSE(wait(kRoot).has_value());
  EXPECT_FALSE(wait(kRoot.child("running")).has_value());
  EXPECT_FALSE(remove(kRoot).has_value());
}

// The output of a session until it ends, as JSON records one after the other.
base::Task<std::string> read_session(std::string directory) {
  auto attached = co_await ioswitchboard::attach_output(
      std::move(directory), {ioswitchboard::Encoding::kJson, false}, false);
  EXPECT_TRUE(attached.has_value());
  if (!attached) co_return "";
  auto body = co_await http::read_all(attached->response, 1 << 20);
  EXPECT_TRUE(body.has_value());
  co_return body.value_or("");
}

TEST_F(TreeTest, SessionsInheritFromTheirParent) {
  auto parent = shell(kRoot, "sleep 1000");
  add_variable(&parent, "FROM_PARENT", "1");
  add_variable(&parent, "BOTH", "parent");
  launched(std::move(parent));
  auto session =
      shell(kRoot.child("session"), "pwd; echo $FROM_PARENT $BOTH $MESOS_SANDBOX; exit 4");
  session.container_class = isolators::ContainerConfig::DEBUG;
  add_variable(&session, "BOTH", "session");
  launched(session);
  auto switchboard = containers_->find_switchboard(session.id);
  ASSERT_TRUE(switchboard.has_value()) << switchboard.error().message;
  const std::string records = run(read_session(*switchboard));
  EXPECT_NE("", records);
  EXPECT_EQ(4 << 8, status_of(session.id));
  EXPECT_EQ(concat(sandbox(kRoot), "\n1 session ", sandbox(kRoot), "\n"), output(session.id));
}

}  // namespace
