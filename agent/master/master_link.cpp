#include "agent/master/master_link.h"

#include <glog/logging.h>

#include <algorithm>
#include <cerrno>
#include <coroutine>
#include <utility>

#include "agent/master/registration.h"
#include "agent/post_message.h"
#include "agent/resource_format.h"
#include "base/combine.h"
#include "base/resolver.h"
#include "base/strings.h"

namespace agent {

using base::concat;
using base::Status;
using base::Task;
using libprocess::Upid;
using std::chrono::nanoseconds;
using Leader = MasterDetector::Leader;

namespace {

// The id is part of the agent's address: executors and clients expect this one.
constexpr char kProcess[] = "slave(1)";

constexpr nanoseconds kRegistrationPauseMax = std::chrono::minutes(1);

// By then some ten seconds have passed, and a minute from each try to the next is near.
constexpr int kTriesInSilence = 5;

// With the resolver as slow as it must be to refuse a question, soon is not better.
constexpr nanoseconds kResolverPause = std::chrono::seconds(5);

// What masters without a word on it use.
constexpr nanoseconds kPingTimeout = std::chrono::seconds(75);

Task<void> wait_for(base::Event& event) { co_await event.wait(); }

template <typename Hook, typename... Args>
void call(const Hook& hook, Args&&... args) {
  if (hook) hook(std::forward<Args>(args)...);
}

}  // namespace

std::string_view name_of(LinkState state) {
  switch (state) {
    case LinkState::kRecovering:
      return "RECOVERING";
    case LinkState::kDisconnected:
      return "DISCONNECTED";
    case LinkState::kRunning:
      return "RUNNING";
    case LinkState::kTerminating:
      return "TERMINATING";
  }
}

MasterLink::MasterLink(Parts parts, Options options, std::unique_ptr<MasterDetector> detector,
                       MasterHooks hooks)
    : parts_(parts),
      options_(std::move(options)),
      detector_(std::move(detector)),
      hooks_(std::move(hooks)),
      self_{kProcess, options_.advertised.ip, options_.advertised.port},
      resource_version_(make_resource_version()) {}

MasterLink::~MasterLink() {
  scope_.cancel();
  if (!master_pid_.empty()) parts_.sender.unlink(master_pid_);
}

void MasterLink::start() {
  if (state_ == LinkState::kTerminating) return;  // by order of an operator
  set_state(LinkState::kDisconnected);
  scope_.spawn(run());
}

// --- From one master to the next ---

Task<void> MasterLink::run() {
  auto leader = co_await detect(std::nullopt);
  while (state_ != LinkState::kTerminating) {
    const Status followed = leader ? follow(*leader) : base::fail(leader.error());
    if (!followed) {
      hooks_.failed(base::Error(followed.error()).with_context("No master can be detected"));
      co_return;
    }
    auto end = co_await base::any_of(detect(*leader), attend(), wait_for(terminating_));
    if (end.index() == 0) {
      leader = std::get<0>(std::move(end));
    } else if (end.index() == 1) {
      leader = co_await detect(std::nullopt);  // the same one will do
    } else {
      co_return;
    }
  }
}

Task<base::Result<Leader>> MasterLink::detect(Leader previous) {
  return detector_->detect(std::move(previous));
}

// From here on this is the master. Whatever was agreed with the one before counts no more, also if
// it is the same.
Status MasterLink::follow(Leader leader) {
  Upid pid;
  if (leader) {
    TRY(pid, pid_of(*leader));
    LOG(INFO) << "The master is " << pid.to_string();
  } else {
    LOG(WARNING) << "No master leads at present";
  }
  // A new connection too: of the old one nobody knows whether it still reaches anybody.
  if (!master_pid_.empty()) parts_.sender.unlink(master_pid_);
  parts_.sender.dialer().set_name(master_pid_.address(), "");
  if (leader) parts_.sender.dialer().set_name(pid.address(), detector_->host_name());
  detect_again_.clear();
  asked_ = false;
  accepted_ = false;
  master_ = std::move(leader);
  master_pid_ = std::move(pid);
  parts_.state.master_hostname = master_ ? master_->hostname() : "";
  set_state(LinkState::kDisconnected);
  call(hooks_.disconnected);
  return {};
}

// Ends when the master is to be detected again.
Task<void> MasterLink::attend() {
  if (!master_) co_await std::suspend_always{};
  co_await base::any_of(join(), wait_for(detect_again_));
}

Task<void> MasterLink::join() {
  // Not all agents of a cluster at once.
  co_await base::sleep_for(random_up_to(options_.registration_backoff_factor));
  if (options_.credential && !co_await authenticate()) co_await std::suspend_always{};
  co_await keep_registering();
  co_await wait_for_silence();
  LOG(WARNING) << "The master " << master_pid_.to_string() << " has sent no ping for "
               << std::chrono::duration_cast<std::chrono::seconds>(ping_timeout_).count()
               << " s: it is looked for again";
}

// False if there is no point in trying again.
Task<bool> MasterLink::authenticate() {
  const nanoseconds min = options_.authentication_timeout_min;
  const nanoseconds cap = std::max(min, options_.authentication_timeout_max);
  nanoseconds max = std::min(min + 2 * options_.authentication_backoff_factor, cap);
  while (true) {
    // Not within the time of the try.
    auto sasl = co_await base::run_on_resolver(
        [credential = *options_.credential] { return SaslClient::make(credential); });
    if (!sasl && sasl.error().code == EAGAIN) {
      LOG(WARNING) << "Authenticating is put off: " << sasl.error().message;
      co_await base::sleep_for(kResolverPause);
      continue;
    }
    if (!sasl) {
      hooks_.failed(std::move(sasl).error().with_context("--credential"));
      co_return false;
    }
    link_master();
    authenticatee_ = std::make_unique<Authenticatee>(
        Authenticatee::Parts{parts_.receiver, parts_.sender}, *std::move(sasl), self_, master_pid_);
    const struct Guard {
      std::unique_ptr<Authenticatee>& owned;
      ~Guard() { owned.reset(); }
    } guard{authenticatee_};
    const auto outcome =
        co_await base::with_timeout(authenticatee_->run(), min + random_up_to(max - min));
    if (outcome && outcome->end == Authenticatee::End::kCompleted) {
      LOG(INFO) << "Authenticated with the master " << master_pid_.to_string();
      co_return true;
    }
    if (outcome && outcome->end == Authenticatee::End::kRefused) {
      hooks_.failed(
          base::Error(base::ErrorKind::kForbidden, concat("--credential: ", outcome->why)));
      co_return false;
    }
    LOG(WARNING) << "Authenticating with the master " << master_pid_.to_string()
                 << " has failed, and is tried again: "
                 << (outcome ? outcome->why : std::string("it takes too long"));
    // A master that answers with an error at once is not to be asked a thousand times a second.
    if (outcome) co_await base::sleep_for(random_up_to(max - min));
    max = std::min(min + 2 * (max - min), cap);
  }
}

Task<void> MasterLink::keep_registering() {
  answered_.clear();
  nanoseconds pause = options_.registration_backoff_factor;
  for (int tries = 0; !accepted_; ++tries) {
    LOG_IF(WARNING, tries >= kTriesInSilence)
        << "The master " << master_pid_.to_string() << " has not answered " << tries
        << " registrations; if it has got them, its log says why";
    pause = std::min(2 * pause, kRegistrationPauseMax);
    link_master();
    send_registration();
    co_await base::any_of(wait_for(answered_), base::sleep_task(random_up_to(pause)));
  }
}

Task<void> MasterLink::wait_for_silence() {
  while (true) {
    const auto left = last_ping_ + ping_timeout_ - Clock::now();
    if (left <= nanoseconds(0)) co_return;
    co_await base::sleep_for(left);
  }
}

// --- What masters say ---

void MasterLink::on_registered(const mesos::internal::SlaveRegisteredMessage& message) {
  if (!accept(message.slave_id(), message.connection())) return;
  LOG(INFO) << "Registered with the master " << master_pid_.to_string() << " as "
            << message.slave_id().value();
  enter_running();
}

void MasterLink::on_reregistered(const mesos::internal::SlaveReregisteredMessage& message) {
  if (!accept(message.slave_id(), message.connection())) return;
  LOG(INFO) << "Registered again with the master " << master_pid_.to_string() << " as "
            << message.slave_id().value();
  enter_running();
  call(hooks_.reregistered, message);
}

// Whether the agent is registered with that. It fails if it cannot be.
bool MasterLink::accept(const mesos::v1::AgentID& id,
                        const mesos::internal::MasterSlaveConnection& terms) {
  if (!asked_) {
    LOG(WARNING) << "The master answers a registration that it was not sent since it was detected";
    return false;
  }
  mesos::v1::AgentInfo& info = parts_.info;
  if (info.has_id() && info.id().value() != id.value()) {
    hooks_.failed(base::Error(
        base::ErrorKind::kConflict,
        concat("The master ", master_pid_.to_string(), " takes the agent, which is ",
               info.id().value(), ", for ", id.value(),
               ". To come back as a new agent, remove meta/slaves/latest in --work_dir")));
    return false;
  }
  if (!info.has_id()) {
    if (hooks_.registered) {
      if (auto kept = hooks_.registered(id); !kept) {
        hooks_.failed(std::move(kept).error());
        return false;
      }
    }
    *info.mutable_id() = id;
  }
  const double seconds = terms.total_ping_timeout_seconds();
  constexpr double kYear = 365.0 * 24 * 3600;
  ping_timeout_ =
      seconds > 0 && seconds < kYear
          ? std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(seconds))
          : kPingTimeout;
  last_ping_ = Clock::now();
  return true;
}

void MasterLink::enter_running() {
  accepted_ = true;
  answered_.set();
  set_state(LinkState::kRunning);
  send_update();
  call(hooks_.running);
}

void MasterLink::on_ping(const Upid& from, const mesos::internal::PingSlaveMessage& message) {
  // The observer pings, and only the observer waits for the answer.
  post_message(parts_.sender, self_, from, mesos::internal::PongSlaveMessage());
  last_ping_ = Clock::now();
  if (!message.connected() && state_ == LinkState::kRunning) {
    LOG(WARNING) << "The master takes the agent for disconnected: it registers again";
    detect_again_.set();
  }
}

void MasterLink::on_shutdown(const mesos::internal::ShutdownMessage& message) {
  LOG(WARNING) << "The master " << master_pid_.to_string() << " has the agent shut down"
               << (message.has_message() ? concat(": ", message.message()) : std::string());
  shut_down();
}

void MasterLink::on_authentication(const libprocess::Message& message) {
  if (authenticatee_) authenticatee_->receive(message);
}

// --- What the agent says ---

bool MasterLink::send(const google::protobuf::Message& message) {
  if (!accepted_) return false;
  post_message(parts_.sender, self_, master_pid_, message);
  return true;
}

void MasterLink::send_update() {
  auto update = make_update(parts_.info, resource_version_);
  call(hooks_.fill_update, &update);
  send(update);
}

void MasterLink::send_registration() {
  asked_ = true;
  const auto post = [this](google::protobuf::Message& message) {
    // As Apache Mesos sends them: in the older form, if it can express them all.
    downgrade_resources(message);
    post_message(parts_.sender, self_, master_pid_, message);
  };
  if (parts_.info.has_id()) {
    auto message = make_reregistration(parts_.info, resource_version_);
    call(hooks_.fill_reregistration, &message);
    post(message);
  } else {
    auto message = make_registration(parts_.info, resource_version_);
    call(hooks_.fill_registration, &message);
    post(message);
  }
}

void MasterLink::link_master() {
  // The end of this connection alone means nothing: if the master is gone its pings are missing.
  // While it registers, the sender says what goes wrong, and does not repeat itself.
  parts_.sender.link(master_pid_, [this, pid = master_pid_.to_string()] {
    LOG_IF(WARNING, registered()) << "The connection to the master " << pid << " has ended";
  });
}

// --- The end ---

void MasterLink::unregister() {
  if (parts_.info.has_id() && !master_pid_.empty()) {
    mesos::internal::UnregisterSlaveMessage message;
    *message.mutable_slave_id() = parts_.info.id();
    post_message(parts_.sender, self_, master_pid_, message);
  }
  shut_down();
}

void MasterLink::shut_down() {
  if (state_ == LinkState::kTerminating) return;
  set_state(LinkState::kTerminating);
  terminating_.set();
  call(hooks_.shut_down);
}

void MasterLink::set_state(LinkState state) {
  state_ = state;
  parts_.state.registered = registered();
}

nanoseconds MasterLink::random_up_to(nanoseconds limit) {
  return nanoseconds(std::uniform_int_distribution<int64_t>(0, limit.count())(random_));
}

}  // namespace agent
