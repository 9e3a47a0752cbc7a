// forked.pid: written when the executor's process is there, and before it may run.

#include "tests/agent/tasks/support.h"

namespace {

using namespace tests;
using testing::ElementsAre;

class ForkedPidTest : public TasksTest {
 protected:
  ForkedPidTest() {
    isolation_.isolate = [this](const auto& id, pid_t pid) { return look(id, pid); };
  }

  base::Task<base::Status> look(isolators::ContainerId id, pid_t pid) {
    pid_ = pid;
    on_disk_ = base::read_file(forked_pid(id)).value_or("none");
    co_await may_run_.wait();
    co_return base::Status();
  }

  base::Task<base::Status> stand_in_the_way(isolators::ContainerId id) {
    const std::string path = forked_pid(id);
    co_return base::write_file(path.substr(0, path.rfind('/')), "not a directory");
  }

  base::Task<base::Status> wait_for_the_crash() {
    preparing_ = true;
    co_await never_.wait();
    co_return base::Status();
  }

  std::string forked_pid(const isolators::ContainerId& id) const {
    return paths().forked_pid({"f", "e", id.to_string()});
  }

  // The agent dies; the next one knows of the executor.
  void crash() {
    restart();
    await([&] { return recovery_.size() == 0; });
    connect();
    await_story("t");
    settle();
  }

  pid_t pid_ = -1;
  std::string on_disk_;
  base::Event may_run_;
  bool preparing_ = false;
  base::Event never_;
};

TEST_F(ForkedPidTest, IsOnDiskBeforeTheExecutorRuns) {
  may_run_.set();
  launch("t");
  EXPECT_EQ(std::to_string(pid_), on_disk_);
}

TEST_F(ForkedPidTest, IsNotWrittenForFrameworksThatDoNotCheckpoint) {
  may_run_.set();
  launch("t", true, false);
  EXPECT_GT(pid_, 0);
  EXPECT_EQ("none", on_disk_);
  EXPECT_FALSE(
      base::path_exists(paths().meta_run({"f", "e", find_executor()->container_id.to_string()})));
}

TEST_F(ForkedPidTest, WithoutItNothingIsLaunched) {
  isolation_.prepare = [this](const auto& id) { return stand_in_the_way(id); };
  may_run_.set();
  tasks_->run_task(run_message("t"));
  await_story("t");
  EXPECT_THAT(story("t"), ElementsAre("TASK_FAILED REASON_CONTAINER_LAUNCH_FAILED"));
  EXPECT_THAT(updates()[0].status().message(), testing::HasSubstr("forked.pid"));
  EXPECT_EQ(-1, pid_);  // it came no further
  EXPECT_TRUE(agent_->containers.containers().empty());
}

TEST_F(ForkedPidTest, ACrashBetweenItAndTheReleaseFailsTheTask) {
  tasks_->run_task(run_message("t"));
  await([&] { return pid_ > 0; });
  EXPECT_EQ(std::to_string(pid_), on_disk_);
  crash();
  EXPECT_THAT(story("t"), ElementsAre("TASK_FAILED REASON_EXECUTOR_TERMINATED"));
}

TEST_F(ForkedPidTest, ACrashBeforeItFailsTheTask) {
  isolation_.prepare = [this](const auto& /*id*/) { return wait_for_the_crash(); };
  tasks_->run_task(run_message("t"));
  await([&] { return preparing_; });
  crash();
  EXPECT_EQ(-1, pid_);
  EXPECT_THAT(story("t"), ElementsAre("TASK_FAILED REASON_EXECUTOR_TERMINATED"));
}

}  // namespace
