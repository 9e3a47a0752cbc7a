#include "agent/meta/checkpoints.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "agent/meta/record_log.h"
#include "agent/meta/recover.h"
#include "proto/mesos/internal/messages.pb.h"
#include "tests/agent/meta/work_dir.h"

namespace {

using agent::MetaPaths;
using agent::RunId;
using tests::content_of;

mode_t mode_of(const std::string& path) {
  struct stat info{};
  EXPECT_EQ(0, stat(path.c_str(), &info));
  return info.st_mode & 0777;
}

// Reads the recorded files, writes them all again, and compares every byte.
TEST(Checkpoints, AreByteForByteThoseOfApacheMesos) {
  const tests::RecordedWorkDir recorded;
  const auto found = agent::recover_meta(recorded.work_dir(), true);
  ASSERT_TRUE(found.has_value()) << found.error().message;

  const tests::ScratchDirectory scratch;
  const MetaPaths paths(scratch.path(), tests::kAgent);
  ASSERT_TRUE(agent::checkpoint_agent(paths, *found->info).has_value());
  for (const auto& framework : found->frameworks) {
    const std::string& id = framework.info.id().value();
    ASSERT_TRUE(agent::checkpoint_framework(paths, framework.info, "").has_value());
    for (const auto& executor : framework.executors) {
      const RunId run{id, executor.info.executor_id().value(), executor.run.container};
      ASSERT_TRUE(
          agent::checkpoint_executor(paths, id, executor.info, executor.generated_for_command_task)
              .has_value());
      ASSERT_TRUE(agent::checkpoint_run(paths, run).has_value());
      ASSERT_TRUE(agent::checkpoint_forked_pid(paths, run, *executor.run.forked_pid).has_value());
      if (executor.run.libprocess_pid) {
        ASSERT_TRUE(
            agent::checkpoint_libprocess_pid(paths, run, *executor.run.libprocess_pid).has_value());
      }
      if (executor.run.http) ASSERT_TRUE(agent::mark_http(paths, run).has_value());
      if (executor.run.completed) ASSERT_TRUE(agent::mark_completed(paths, run).has_value());
      for (const auto& task : executor.run.tasks) {
        ASSERT_TRUE(agent::checkpoint_task(paths, run, task.task).has_value());
        // Updates and acknowledgements in the recorded order.
        const std::string log_path = paths.task_updates(run, task.task.task_id().value());
        const std::string wanted =
            content_of(recorded.paths.task_updates(run, task.task.task_id().value()));
        agent::RecordLog log(log_path);
        size_t updates = 0;
        while (base::read_file(log_path).value_or("").size() < wanted.size()) {
          mesos::internal::StatusUpdateRecord record;
          const std::string so_far = base::read_file(log_path).value_or("");
          ASSERT_TRUE(wanted.starts_with(so_far));
          ASSERT_TRUE(record.ParseFromArray(
              wanted.data() + so_far.size() + 4,
              static_cast<unsigned char>(wanted[so_far.size()]) +
                  256 * static_cast<unsigned char>(wanted[so_far.size() + 1])));
          if (record.has_update()) {
            *record.mutable_update() = task.updates.at(updates++);
          }
          ASSERT_TRUE(log.append(record).has_value());
        }
        EXPECT_EQ(task.updates.size(), updates);
      }
    }
  }
  ASSERT_TRUE(agent::finish_recovery(scratch.path(), {}).has_value());

  size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(recorded.paths.meta())) {
    const std::string path = entry.path().string();
    const std::string ours = scratch.path() + path.substr(recorded.work_dir().size());
    SCOPED_TRACE(path);
    if (entry.is_symlink()) {
      EXPECT_EQ(entry.path().parent_path().string().substr(recorded.work_dir().size()) + "/" +
                    std::filesystem::read_symlink(path).filename().string(),
                std::filesystem::read_symlink(ours).string().substr(scratch.path().size()));
    } else if (entry.is_regular_file()) {
      ++files;
      EXPECT_EQ(content_of(path), content_of(ours));
    }
  }
  EXPECT_EQ(29U, files);
}

TEST(Checkpoints, AreNotForOthersToRead) {
  const tests::ScratchDirectory scratch;
  const MetaPaths paths(scratch.path(), "agent");
  mesos::v1::FrameworkInfo info;
  info.mutable_id()->set_value("f");
  info.set_name("name");
  info.set_user("user");
  ASSERT_TRUE(agent::checkpoint_framework(paths, info, "scheduler@10.0.0.1:5050").has_value());
  EXPECT_EQ(0600U, mode_of(paths.framework_info("f")));
  EXPECT_EQ(0600U, mode_of(paths.framework_pid("f")));
  EXPECT_EQ("scheduler@10.0.0.1:5050", content_of(paths.framework_pid("f")));
}

TEST(Checkpoints, RefuseWhatNobodyCouldRead) {
  const tests::ScratchDirectory scratch;
  const MetaPaths paths(scratch.path(), "agent");
  const auto written = agent::checkpoint_message(paths.agent_info(), mesos::v1::AgentInfo());
  ASSERT_FALSE(written.has_value());
  EXPECT_NE(std::string::npos, written.error().message.find("hostname"));
  EXPECT_FALSE(base::path_exists(paths.agent_info()));

  mesos::v1::AgentInfo info;
  info.set_hostname("host");
  EXPECT_FALSE(agent::checkpoint_agent(paths, info).has_value());
  info.mutable_id()->set_value("another");
  EXPECT_FALSE(agent::checkpoint_agent(paths, info).has_value());
}

TEST(Checkpoints, KeepRefinedReservations) {
  const tests::ScratchDirectory scratch;
  const MetaPaths paths(scratch.path(), "agent");
  mesos::v1::Task task;
  task.set_name("t");
  task.mutable_task_id()->set_value("t");
  task.mutable_framework_id()->set_value("f");
  task.mutable_agent_id()->set_value("agent");
  task.set_state(mesos::v1::TASK_STAGING);
  auto& cpus = *task.add_resources();
  cpus.set_name("cpus");
  cpus.set_type(mesos::v1::Value::SCALAR);
  cpus.mutable_scalar()->set_value(1);
  const auto reserve = [&cpus](const char* role) {
    auto& reservation = *cpus.add_reservations();
    reservation.set_type(mesos::v1::Resource::ReservationInfo::DYNAMIC);
    reservation.set_role(role);
    reservation.set_principal("p");
  };
  const RunId run{"f", "e", "c"};
  for (const char* role : {"a", "a/b"}) {
    reserve(role);
    ASSERT_TRUE(agent::checkpoint_task(paths, run, task).has_value());
    mesos::v1::Task read;
    ASSERT_TRUE(agent::read_message(paths.task_info(run, "t"), read).has_value());
    EXPECT_EQ(task.DebugString(), read.DebugString());
  }
}

TEST(Latest, IsReplaced) {
  const tests::ScratchDirectory scratch;
  const std::string link = scratch / "latest";
  EXPECT_EQ(std::nullopt, *agent::read_latest(link));
  for (const char* name : {"a", "b"}) {
    std::filesystem::create_directory(scratch / name);
    ASSERT_TRUE(agent::replace_latest(link, scratch / name).has_value());
    EXPECT_EQ(name, *agent::read_latest(link));
  }
  // The work_dir has been moved.
  ASSERT_TRUE(agent::replace_latest(link, "/elsewhere/a/").has_value());
  EXPECT_EQ("a", *agent::read_latest(link));
  for (const char* target : {"/", "/elsewhere/.."}) {
    ASSERT_TRUE(agent::replace_latest(link, target).has_value());
    EXPECT_FALSE(agent::read_latest(link).has_value());
  }
  EXPECT_EQ(3, std::distance(std::filesystem::directory_iterator(scratch.path()), {}));
}

TEST(PathId, IsTheNameOfADirectory) {
  for (const std::string& id :
       {std::string("a"), std::string("a.b:c d"), std::string("..."), std::string(255, 'x')}) {
    EXPECT_TRUE(agent::check_path_id(id).has_value()) << id;
  }
  for (const std::string& id :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("a\\b"),
        std::string("a\nb"), std::string(1, '\0'), std::string("\x7f"), std::string(256, 'x')}) {
    EXPECT_FALSE(agent::check_path_id(id).has_value()) << id;
  }
}

}  // namespace
