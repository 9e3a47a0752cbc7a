#include "agent/gc/in_use.h"

#include <gtest/gtest.h>

#include "agent/meta/paths.h"
#include "base/event_loop.h"
#include "tests/agent/cluster.h"

namespace {

class InUse : public testing::Test {
 protected:
  InUse() {
    agent_.info.mutable_id()->set_value("S0");
    agent_.state = tests::make_state("/srv/mesos/slaves/S0/frameworks/framework-1/executors");
  }

  bool in_use(const std::string& path) { return agent::is_in_use(agent_, path); }

  static agent::Flags make_flags() {
    agent::Flags flags;
    flags.work_dir = "/srv/mesos";
    return flags;
  }

  base::EventLoop loop_;
  const agent::MetaPaths paths_{"/srv/mesos", "S0"};
  const agent::RunId run_{"framework-1", "executor-1", "container-1"};
  agent::Agent agent_{make_flags(),
                      {},
                      containerizer::Services{{}, containerizer::RuntimePaths("/nowhere"), {}, {}}};
};

TEST_F(InUse, WhatRunsAndAllAbove) {
  for (const std::string& path :
       {std::string("/srv/mesos"), paths_.agents(), paths_.meta_agents(), paths_.work_agent(),
        paths_.meta_agent(), paths_.work_framework("framework-1"),
        paths_.meta_framework("framework-1"), paths_.meta_executor("framework-1", "executor-1"),
        paths_.meta_run(run_),
        std::string("/srv/mesos/slaves/S0/frameworks/framework-1/executors/container-1")}) {
    EXPECT_TRUE(in_use(path)) << path;
  }
}

TEST_F(InUse, WhatHasEnded) {
  agent::RunId older = run_;
  older.container = "container-0";
  for (const std::string& path :
       {paths_.agents() + "/S1", paths_.agents() + "/S", paths_.meta_agents() + "/S1",
        paths_.work_framework("framework-0"), paths_.meta_framework("framework-0"),
        paths_.meta_executor("framework-1", "executor-0"), paths_.meta_run(older),
        paths_.meta_task(run_, "completed"), paths_.sandbox(run_) + "/containers/child"}) {
    EXPECT_FALSE(in_use(path)) << path;
  }
}

}  // namespace
