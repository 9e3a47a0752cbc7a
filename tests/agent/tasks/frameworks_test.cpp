// What comes and goes, without any container: the frameworks and executors are made here.

#include "agent/tasks/frameworks.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <optional>

#include "agent/tasks/executor_control.h"
#include "base/files.h"
#include "tests/base/scratch_loop_test.h"

namespace {

namespace fs = std::filesystem;
using agent::Executor;
using agent::Framework;
using testing::ElementsAre;
using testing::IsEmpty;

class FrameworksTest : public tests::ScratchLoopTest {
 protected:
  FrameworksTest() {
    info_.mutable_id()->set_value("S0");
    EXPECT_TRUE(base::make_directories(work_dir_));
    frameworks_.emplace(
        state_, checkpoints_, garbage_,
        agent::Frameworks::Hooks{
            .executor_gone =
                [this](const agent::ExecutorKey& key) {
                  gone_.push_back(key.framework + "/" + key.executor);
                },
            .framework_gone = [this](const std::string& id,
                                     bool wanted) { gone_.push_back(id + (wanted ? "" : "!")); }});
  }

  static mesos::v1::FrameworkInfo framework_info(const std::string& id, bool checkpoint = true) {
    mesos::v1::FrameworkInfo info;
    info.set_user("nobody");
    info.set_name("framework");
    info.mutable_id()->set_value(id);
    info.set_checkpoint(checkpoint);
    return info;
  }

  static mesos::v1::TaskID task_id(const std::string& id) {
    mesos::v1::TaskID task;
    task.set_value(id);
    return task;
  }

  Framework& add(const std::string& id, bool checkpoint = true) {
    return frameworks_->add(framework_info(id, checkpoint), "");
  }

  // One that runs, with its sandbox.
  Executor& add_executor(Framework& framework, const std::string& id) {
    Executor made;
    made.info.mutable_executor_id()->set_value(id);
    made.container_id = isolators::ContainerId::root_of("c-" + id);
    made.state = Executor::State::kRunning;
    made.sandbox = checkpoints_.paths().sandbox(agent::TaskCheckpoints::run_of(framework, made));
    EXPECT_TRUE(base::make_directories(made.sandbox));
    return frameworks_->add_executor(framework, std::move(made));
  }

  static void add_ended_task(Executor& executor, const std::string& id) {
    auto& task = executor.terminated_tasks.emplace_back();
    task.mutable_task_id()->set_value(id);
    task.set_state(mesos::v1::TASK_FINISHED);
  }

  // What has been said of what has gone: "framework/executor", "framework", and "framework!" if
  // nobody wants to hear of it.
  std::vector<std::string> gone() { return std::exchange(gone_, {}); }

  const std::string work_dir_ = scratch_ / "work";
  mesos::v1::AgentInfo info_;
  agent::State state_;
  agent::GarbageCollector collector_{{.work_dir = work_dir_, .delay = std::chrono::hours(1)}};
  agent::TaskCheckpoints checkpoints_{work_dir_, info_};
  agent::TaskGarbage garbage_{collector_, checkpoints_};
  std::vector<std::string> gone_;
  std::optional<agent::Frameworks> frameworks_;
};

TEST_F(FrameworksTest, WhatComesIsFoundAndOnDisk) {
  Framework& framework = add("f");
  Executor& executor = add_executor(framework, "e");
  executor.queued_tasks.emplace_back().mutable_task_id()->set_value("queued");
  add_ended_task(executor, "ended");
  EXPECT_EQ(&framework, &add("f")) << "it is there";

  EXPECT_EQ(&framework, frameworks_->find("f"));
  EXPECT_EQ(nullptr, frameworks_->find("g"));
  Framework* its = nullptr;
  EXPECT_EQ(&executor, frameworks_->find_executor({"f", "e"}, &its));
  EXPECT_EQ(&framework, its);
  EXPECT_EQ(nullptr, frameworks_->find_executor({"f", "other"}, &its));
  EXPECT_EQ(&framework, its);
  EXPECT_EQ(nullptr, frameworks_->find_executor({"g", "e"}, &its));
  EXPECT_EQ(nullptr, its);
  for (const std::string id : {"queued", "ended"}) {
    EXPECT_EQ(&executor, frameworks_->find_executor_of_task(framework, task_id(id))) << id;
  }
  EXPECT_EQ(nullptr, frameworks_->find_executor_of_task(framework, task_id("other")));

  EXPECT_TRUE(fs::exists(checkpoints_.paths().framework_info("f")));
  EXPECT_TRUE(fs::exists(checkpoints_.paths().executor_info("f", "e")));
  add_executor(add("g", false), "e");
  EXPECT_FALSE(fs::exists(checkpoints_.paths().meta_framework("g")));
}

TEST_F(FrameworksTest, AnExecutorStaysUntilAllOfItIsAcknowledged) {
  Framework& framework = add("f");
  Executor& executor = add_executor(framework, "e");
  add_ended_task(executor, "t1");
  add_ended_task(executor, "t2");
  frameworks_->complete_task(framework, executor, task_id("t1"));
  frameworks_->remove_if_done(framework, executor);
  ASSERT_EQ(&executor, frameworks_->find_executor({"f", "e"})) << "it runs";
  executor.state = Executor::State::kTerminated;
  frameworks_->remove_if_done(framework, executor);
  ASSERT_EQ(&executor, frameworks_->find_executor({"f", "e"})) << "t2 is not acknowledged";
  frameworks_->remove_if_idle(framework);
  EXPECT_THAT(gone(), IsEmpty());
  EXPECT_EQ(0U, collector_.pending());

  const agent::RunId run = agent::TaskCheckpoints::run_of(framework, executor);
  frameworks_->complete_task(framework, executor, task_id("t2"));
  EXPECT_EQ(nullptr, frameworks_->find_executor({"f", "e"}));
  EXPECT_THAT(gone(), ElementsAre("f/e"));
  EXPECT_EQ(4U, collector_.pending()) << "the executor's and its run's, of both kinds";
  EXPECT_TRUE(fs::exists(checkpoints_.paths().sentinel(run)));
  ASSERT_EQ(1U, framework.completed_executors.size());
  EXPECT_EQ(nullptr, framework.completed_executors[0].control);
  EXPECT_EQ(2U, framework.completed_executors[0].completed_tasks.size());

  frameworks_->remove_if_idle(framework);
  EXPECT_EQ(nullptr, frameworks_->find("f"));
  EXPECT_THAT(gone(), ElementsAre("f"));
  EXPECT_EQ(6U, collector_.pending());

  // It goes on where it had ended, and its directories are needed again.
  EXPECT_EQ(1U, add("f").completed_executors.size());
  EXPECT_THAT(state_.completed_frameworks, IsEmpty());
  EXPECT_EQ(4U, collector_.pending());
}

TEST_F(FrameworksTest, AFrameworkThatIsShutDownWaitsForNoAcknowledgement) {
  Framework& framework = add("f");
  Executor& ended = add_executor(framework, "ended");
  ended.state = Executor::State::kTerminated;
  add_ended_task(ended, "t1");
  Executor& running = add_executor(framework, "running");
  add_ended_task(running, "t2");
  framework.pending_tasks.emplace_back().mutable_task_id()->set_value("t3");
  frameworks_->shut_down(framework);
  EXPECT_THAT(gone(), ElementsAre("f/ended"));
  EXPECT_THAT(framework.pending_tasks, IsEmpty());
  EXPECT_EQ(Executor::State::kTerminating, running.state);
  EXPECT_TRUE(running.control->shutting_down.is_set());

  running.state = Executor::State::kTerminated;
  frameworks_->remove_if_done(framework, running);
  frameworks_->remove_if_idle(framework);
  EXPECT_THAT(gone(), ElementsAre("f/running", "f!"));
  ASSERT_EQ(1U, state_.completed_frameworks.size());
  EXPECT_FALSE(state_.completed_frameworks[0].terminating);
}

TEST_F(FrameworksTest, SaysWhenAllHaveGone) {
  Framework& kept = add("kept");
  Executor& executor = add_executor(kept, "e");
  add_executor(add("temporary", false), "e");
  bool uncheckpointed_ended = false;
  base::Scope scope;
  scope.spawn([](agent::Frameworks& frameworks, bool& ended) -> base::Task<void> {
    co_await frameworks.end_uncheckpointed();
    ended = true;
  }(*frameworks_, uncheckpointed_ended));
  EXPECT_FALSE(kept.terminating);
  Framework& temporary = *frameworks_->find("temporary");
  EXPECT_TRUE(temporary.terminating);
  settle();
  EXPECT_FALSE(uncheckpointed_ended);
  Executor& its = temporary.executors.at("e");
  its.state = Executor::State::kTerminated;
  frameworks_->remove_if_done(temporary, its);
  frameworks_->remove_if_idle(temporary);
  settle();
  EXPECT_TRUE(uncheckpointed_ended);

  frameworks_->shut_down_all();
  EXPECT_TRUE(state_.terminating);
  executor.state = Executor::State::kTerminated;
  frameworks_->remove_if_done(kept, executor);
  frameworks_->remove_if_idle(kept);
  run(frameworks_->all_gone());
  EXPECT_THAT(gone(), ElementsAre("temporary/e", "temporary!", "kept/e", "kept!"));
}

TEST_F(FrameworksTest, TheOldestOfWhatHasEndedIsForgotten) {
  Framework& framework = add("f", false);
  for (int i = 0; i <= 150; ++i) {
    Executor& executor = add_executor(framework, "e" + std::to_string(i));
    for (int j = 0; i == 150 && j <= 200; ++j) {
      add_ended_task(executor, "t" + std::to_string(j));
      frameworks_->complete_task(framework, executor, task_id("t" + std::to_string(j)));
    }
    executor.state = Executor::State::kTerminated;
    frameworks_->remove_if_done(framework, executor);
  }
  ASSERT_EQ(150U, framework.completed_executors.size());
  EXPECT_EQ("e1", framework.completed_executors.front().info.executor_id().value());
  const auto& tasks = framework.completed_executors.back().completed_tasks;
  ASSERT_EQ(200U, tasks.size());
  EXPECT_EQ("t1", tasks.front().task_id().value());

  frameworks_->remove_if_idle(framework);
  for (int i = 0; i < 50; ++i) frameworks_->remove_if_idle(add("f" + std::to_string(i), false));
  ASSERT_EQ(50U, state_.completed_frameworks.size());
  EXPECT_EQ("f0", state_.completed_frameworks.front().info.id().value());
}

TEST_F(FrameworksTest, AnUpdateIsForThoseThatAreThere) {
  const auto update = [this](const std::string& id, const std::string& described,
                             const std::string& name) {
    mesos::internal::UpdateFrameworkMessage message;
    message.mutable_framework_id()->set_value(id);
    message.set_pid("scheduler@127.0.0.1:1");
    *message.mutable_framework_info() = framework_info(described);
    message.mutable_framework_info()->set_name(name);
    return frameworks_->update(message);
  };
  Framework& framework = add("f");
  add_executor(framework, "e");
  EXPECT_FALSE(update("g", "g", "new"));
  EXPECT_FALSE(update("f", "g", "new"));
  EXPECT_EQ("framework", framework.info.name());
  EXPECT_TRUE(update("f", "f", "new"));
  EXPECT_EQ("new", framework.info.name());
  EXPECT_EQ("scheduler@127.0.0.1:1",
            base::read_file(checkpoints_.paths().framework_pid("f")).value());
  frameworks_->shut_down(framework);
  EXPECT_FALSE(update("f", "f", "newer"));
}

}  // namespace
