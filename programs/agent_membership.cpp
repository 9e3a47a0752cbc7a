#include "programs/agent_membership.h"

#include <glog/logging.h>
#include <malloc.h>
#include <signal.h>

#include <algorithm>
#include <set>
#include <utility>

#include "agent/master/credential.h"
#include "agent/master/detector.h"
#include "agent/master/sasl_client.h"
#include "agent/meta/checkpoints.h"
#include "agent/meta/reconfiguration.h"
#include "agent/meta/recover.h"
#include "agent/meta/volumes.h"
#include "agent/post_message.h"
#include "base/combine.h"
#include "base/strings.h"
#include "libprocess/upid.h"

namespace programs {

using base::concat;
using base::Result;
using base::Status;
using base::Task;

namespace {

Result<agent::MasterLink::Options> make_options(const agent::Agent& agent) {
  const agent::Flags& flags = agent.flags;
  agent::MasterLink::Options options;
  auto ip = libprocess::parse_ip(agent.ip);
  if (!ip) {
    return base::fail(
        std::move(ip).error().with_context("--master needs --ip or --advertise_ip to be one"));
  }
  options.advertised = {*ip, static_cast<uint16_t>(agent.info.port())};
  options.registration_backoff_factor = flags.registration_backoff_factor;
  options.authentication_backoff_factor = flags.authentication_backoff_factor;
  options.authentication_timeout_min = flags.authentication_timeout_min;
  options.authentication_timeout_max = flags.authentication_timeout_max;
  if (flags.credential) {
    TRY(options.credential, agent::load_credential(*flags.credential));
    auto usable = agent::SaslClient::check();
    if (!usable) return base::fail(std::move(usable).error().with_context("--credential"));
  }
  return options;
}

}  // namespace

Result<std::unique_ptr<Membership>> Membership::make(agent::Agent& agent, base::EventLoop& loop) {
  TRY(auto options, make_options(agent));
  TRY(auto detector,
      agent::make_master_detector(agent.flags.master->text, agent.flags.zk_session_timeout));
  LOG_IF(WARNING, !agent.flags.advertise_ip && agent.ip.starts_with("127."))
      << "Masters are told to reach this agent at " << agent.ip
      << ", which those on other hosts cannot: set --ip or --advertise_ip";
  std::unique_ptr<Membership> self(new Membership(agent, loop));
  self->link_ = std::make_unique<agent::MasterLink>(
      agent::MasterLink::Parts{agent.info, agent.state, agent.receiver, agent.sender},
      std::move(options), std::move(detector), self->make_hooks());
  self->tasks_ = std::make_unique<agent::Tasks>(agent, self->make_task_services());
  agent.tasks = self->tasks_.get();
  const auto& configured = agent.info.resources();
  self->operations_ = std::make_unique<agent::Operations>(
      agent.flags.work_dir, std::vector<mesos::v1::Resource>(configured.begin(), configured.end()),
      [link = self->link_.get()](const auto& status) { link->send(status); });
  self->messages_ = std::make_unique<agent::Messages>(
      agent.receiver, agent::MessageContext{*self->link_, *self->tasks_, *self->operations_,
                                            [self = self.get()](base::Error error) {
                                              self->fail(std::move(error));
                                            }});
  return self;
}

agent::MasterHooks Membership::make_hooks() {
  agent::MasterHooks hooks;
  const auto add_checkpointed = [this](auto* message) {
    *message->mutable_checkpointed_resources() = operations_->checkpointed_resources().to_proto();
  };
  hooks.fill_registration = add_checkpointed;
  hooks.fill_reregistration = [this, add_checkpointed](auto* message) {
    tasks_->describe_for(message);
    add_checkpointed(message);
  };
  hooks.fill_update = [this](mesos::internal::UpdateSlaveMessage* message) {
    *message->mutable_operations() = operations_->operations();
  };
  hooks.registered = [this](const mesos::v1::AgentID& id) {
    mesos::v1::AgentInfo info = agent_.info;
    *info.mutable_id() = id;
    operations_->set_agent(id.value());
    return agent::checkpoint_agent({agent_.flags.work_dir, id.value()}, info);
  };
  hooks.running = [this] {
    tasks_->registered();
    operations_->resume();
  };
  hooks.reregistered = [this](const mesos::internal::SlaveReregisteredMessage& message) {
    tasks_->reregistered(message);
  };
  hooks.disconnected = [this] {
    tasks_->disconnected();
    operations_->pause();
  };
  hooks.shut_down = [this] { scope_.spawn(end_when_all_are_gone()); };
  hooks.failed = [this](base::Error error) { fail(std::move(error)); };
  return hooks;
}

agent::TaskServices Membership::make_task_services() {
  agent::TaskServices services;
  services.to_master = [this](const google::protobuf::Message& message) {
    return link_->send(message);
  };
  services.to_process = [this](const std::string& pid, const google::protobuf::Message& message) {
    const auto to = libprocess::Upid::parse(pid);
    if (!to) {
      LOG(ERROR) << "Cannot post to '" << pid << "': " << to.error().message;
      return;
    }
    agent::post_message(agent_.sender, link_->self(), *to, message);
  };
  services.has_resources = [this](const auto& resources) {
    return operations_->contains(resources);
  };
  services.operations_settled = [this] { return operations_->settled(); };
  services.resource_version = link_->resource_version().value();
  return services;
}

void Membership::fail(base::Error error) {
  failure_ = std::move(error);
  loop_.stop();
}

Status Membership::recover() {
  TRY(recovered_, agent::recover_meta(agent_.flags.work_dir, agent_.flags.strict));
  agent_.state.counters.recovery_errors += static_cast<uint64_t>(recovered_.errors);
  TRY_VOID(check_reconfiguration());
  const auto& resources = agent_.info.resources();
  TRY_VOID(agent::prepare_disks(
      agent_.flags.work_dir, std::vector<mesos::v1::Resource>(resources.begin(), resources.end())));
  TRY_VOID(operations_->recover(recovered_));
  tasks_->operations_changed(operations_->operations());
  if (!recovered_.info) return {};
  LOG(INFO) << "Coming back as agent " << recovered_.info->id().value() << " with "
            << recovered_.frameworks.size() << " frameworks";
  *agent_.info.mutable_id() = recovered_.info->id();
  agent_.state.recovering = true;
  return {};
}

// After a reboot there is nothing that other flags could break: the agent is a new one then.
Status Membership::check_reconfiguration() {
  if (!recovered_.info) return {};
  TRY(const auto policy, agent::parse_reconfiguration_policy(agent_.flags.reconfiguration_policy));
  const auto compared = agent::compare_agents(policy, *recovered_.info, agent_.info);
  if (compared) return {};
  if (!recovered_.rebooted) {
    return base::fail(concat("this agent cannot be the one that it was, ",
                             recovered_.info->id().value(), ": ", compared.error().message,
                             "; to start a new one instead, remove ",
                             agent::WorkPaths(agent_.flags.work_dir).latest_agent()));
  }
  LOG(WARNING) << "Starting as a new agent after a reboot: " << compared.error().message;
  TRY_VOID(agent::forget_agent(agent_.flags.work_dir));
  TRY(recovered_, agent::recover_meta(agent_.flags.work_dir, agent_.flags.strict));
  return {};
}

void Membership::start() {
  on_user_signal_.emplace(loop_, SIGUSR1, [this] {
    LOG(WARNING) << "SIGUSR1: the agent unregisters and ends";
    unregistered_ = true;
    link_->unregister();
  });
  scope_.spawn(finish_operations());
  scope_.spawn(recover_and_join());
}

Task<void> Membership::finish_operations() {
  auto finished = co_await operations_->finish_recovery();
  tasks_->operations_changed(operations_->operations());
  if (!finished) fail(std::move(finished).error());
}

Task<void> Membership::recover_and_join() {
  co_await tasks_->recover(recovered_);
  if (auto finished = agent::finish_recovery(agent_.flags.work_dir, recovered_); !finished) {
    LOG(ERROR) << finished.error().message;
  }
  // The allocator keeps what is freed between what stays, which here is as much again.
  recovered_ = {};
  malloc_trim(0);
  link_->start();
}

Task<void> Membership::clean_up() {
  std::set<isolators::ContainerId> executors;
  for (const auto& framework : recovered_.frameworks) {
    for (const auto& executor : framework.executors) {
      executors.insert(isolators::ContainerId::root_of(executor.run.container));
    }
  }
  for (const auto& [id, container] : agent_.containers.containers()) {
    if (!executors.contains(id.root())) container->request_destroy();
  }
  co_await tasks_->recover(recovered_);
  co_await tasks_->all_gone();
  co_await finish_operations();
  if (auto finished = agent::finish_recovery(agent_.flags.work_dir, recovered_); !finished) {
    LOG(ERROR) << finished.error().message;
  }
}

void Membership::stop() {
  if (std::exchange(stopping_, true)) {
    loop_.stop();
  } else {
    scope_.spawn(end_uncheckpointed());
  }
}

Task<void> Membership::end_uncheckpointed() {
  // They have their grace, and are killed then.
  constexpr std::chrono::seconds kLimit{30};
  if (!co_await base::with_timeout(tasks_->end_uncheckpointed(), kLimit)) {
    LOG(WARNING) << "Some executors that no other run will know of have not ended";
  }
  loop_.stop();
}

Task<void> Membership::end_when_all_are_gone() {
  tasks_->shut_down();
  co_await tasks_->all_gone();
  // Whoever starts next is a new agent then: of this one nothing is left. What a master has shut
  // down stays what it was, so that the master knows it again.
  if (unregistered_) {
    if (auto forgotten = agent::forget_agent(agent_.flags.work_dir); !forgotten) {
      LOG(ERROR) << forgotten.error().message;
    }
  }
  co_await agent_.sender.flush();
  loop_.stop();
}

Status Membership::end() const {
  if (failure_) return base::fail(*failure_);
  return {};
}

}  // namespace programs
