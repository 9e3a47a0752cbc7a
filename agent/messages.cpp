#include "agent/messages.h"

#include <glog/logging.h>

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "proto/mesos/internal/messages.pb.h"

namespace agent {

using base::concat;
using libprocess::Message;
using libprocess::Upid;
namespace internal = mesos::internal;

namespace {

// --- Handlers ---

void registered(MessageContext& context, const Upid&, const internal::SlaveRegisteredMessage& m) {
  context.link.on_registered(m);
}
void reregistered(MessageContext& context, const Upid&,
                  const internal::SlaveReregisteredMessage& m) {
  context.link.on_reregistered(m);
}
void ping(MessageContext& context, const Upid& from, const internal::PingSlaveMessage& m) {
  context.link.on_ping(from, m);
}
void shutdown(MessageContext& context, const Upid&, const internal::ShutdownMessage& m) {
  context.link.on_shutdown(m);
}

// Given to a member function of Tasks as it is.
template <typename T, void (Tasks::*Method)(const T&)>
void to_tasks(MessageContext& context, const Upid&, const T& message) {
  (context.tasks.*Method)(message);
}

// The same, for what executors send, with who sends it.
template <typename T, void (Tasks::*Method)(const std::string&, const T&)>
void from_driver(MessageContext& context, const Upid& from, const T& message) {
  (context.tasks.*Method)(from.to_string(), message);
}

// The same for operations. An error of the other's making is told and forgotten.
template <typename T, base::Task<base::Status> (Operations::*Method)(T)>
base::Task<void> carry_out(MessageContext& context, std::string from, T message) {
  using base::ErrorKind;
  auto done = co_await (context.operations.*Method)(std::move(message));
  context.tasks.operations_changed(context.operations.operations());
  if (done) co_return;
  const ErrorKind kind = done.error().kind;
  if (kind == ErrorKind::kInvalid || kind == ErrorKind::kNotFound || kind == ErrorKind::kConflict) {
    LOG(WARNING) << "A " << T::descriptor()->full_name() << " from " << from
                 << " is refused: " << done.error().message;
  } else {
    context.fail(std::move(done).error());
  }
}

template <typename T, base::Task<base::Status> (Operations::*Method)(T)>
void to_operations(MessageContext& context, const Upid& from, const T& message) {
  context.scope->spawn(carry_out<T, Method>(context, from.to_string(), message));
  // What has to wait is known already.
  context.tasks.operations_changed(context.operations.operations());
}

void reconcile_operations(MessageContext& context, const Upid&,
                          const internal::ReconcileOperationsMessage& message) {
  context.operations.reconcile(message);
}

// --- The table ---

template <typename T, void (*Handle)(MessageContext&, const Upid&, const T&)>
bool decode(MessageContext& context, const Message& message) {
  T decoded;
  if (!decoded.ParseFromString(message.body)) return false;
  Handle(context, message.from, decoded);
  return true;
}

bool pass_to_authenticatee(MessageContext& context, const Message& message) {
  context.link.on_authentication(message);
  return true;
}

constexpr LinkStates kRecovering = in(LinkState::kRecovering);
constexpr LinkStates kDisconnected = in(LinkState::kDisconnected);
constexpr LinkStates kRunning = in(LinkState::kRunning);
constexpr LinkStates kTerminating = in(LinkState::kTerminating);
constexpr LinkStates kRecovered = kDisconnected | kRunning | kTerminating;
constexpr LinkStates kAlways = kRecovering | kRecovered;

#define MESSAGE(type) "mesos.internal." #type

// Decoded as `type` and given to `handler`.
#define ROW(type, senders, states, handler) \
  MessageSpec { MESSAGE(type), senders, states, decode<internal::type, handler> }

// Decoded and given to that member function of Tasks.
#define TASKS(type, senders, states, method) \
  ROW(type, senders, states, (to_tasks<internal::type, &Tasks::method>))
#define OPERATIONS(type, method) \
  ROW(type, kMaster, kRecovered, (to_operations<internal::type, &Operations::method>))
#define DRIVER(type, senders, states, method) \
  ROW(type, senders, states, (from_driver<internal::type, &Tasks::method>))

using enum Senders;

constexpr std::array kTable = {
    OPERATIONS(AcknowledgeOperationStatusMessage, acknowledge),
    OPERATIONS(ApplyOperationMessage, apply),
    MessageSpec{MESSAGE(AuthenticationCompletedMessage), kAnybody, kAlways, pass_to_authenticatee},
    MessageSpec{MESSAGE(AuthenticationErrorMessage), kAnybody, kAlways, pass_to_authenticatee},
    MessageSpec{MESSAGE(AuthenticationFailedMessage), kAnybody, kAlways, pass_to_authenticatee},
    MessageSpec{MESSAGE(AuthenticationMechanismsMessage), kAnybody, kAlways, pass_to_authenticatee},
    MessageSpec{MESSAGE(AuthenticationStepMessage), kAnybody, kAlways, pass_to_authenticatee},
    OPERATIONS(CheckpointResourcesMessage, checkpoint_resources),
    TASKS(DrainSlaveMessage, kMaster, kRecovered, drain),
    TASKS(ExecutorToFrameworkMessage, kAnybody, kRunning, message_from_executor),
    TASKS(FrameworkToExecutorMessage, kAnybody, kRunning, message_to_executor),
    TASKS(KillTaskMessage, kMaster, kDisconnected | kRunning, kill_task),
    ROW(PingSlaveMessage, kAnybody, kAlways, ping),
    ROW(ReconcileOperationsMessage, kMaster, kRecovered, reconcile_operations),
    DRIVER(RegisterExecutorMessage, kAnybody, kAlways, register_executor),
    DRIVER(ReregisterExecutorMessage, kAnybody, kAlways, reregister_executor),
    TASKS(RunTaskGroupMessage, kMaster, kDisconnected | kRunning, run_task_group),
    TASKS(RunTaskMessage, kMaster, kDisconnected | kRunning, run_task),
    TASKS(ShutdownExecutorMessage, kMaster, kRunning | kTerminating, shut_down_executor),
    TASKS(ShutdownFrameworkMessage, kMaster, kRunning | kTerminating, shut_down_framework),
    ROW(ShutdownMessage, kMaster, kRecovered, shutdown),
    ROW(SlaveRegisteredMessage, kMaster, kDisconnected | kRunning, registered),
    ROW(SlaveReregisteredMessage, kMaster, kDisconnected | kRunning, reregistered),
    TASKS(StatusUpdateAcknowledgementMessage, kMasterIfSoCalled, kRunning, acknowledge),
    DRIVER(StatusUpdateMessage, kAnybody, kAlways, update_from_driver),
    TASKS(UpdateFrameworkMessage, kMaster, kRunning, update_framework),
};

#undef DRIVER
#undef OPERATIONS
#undef TASKS
#undef ROW
#undef MESSAGE

static_assert(std::ranges::is_sorted(kTable, {}, &MessageSpec::name));

bool is_sender(const MessageSpec& row, const Upid& from, const Upid& master) {
  if (row.senders == kAnybody) return true;
  if (row.senders == kMasterIfSoCalled && !from.id.starts_with("master")) return true;
  return !master.empty() && from == master;
}

}  // namespace

std::span<const MessageSpec> message_table() { return kTable; }

Messages::Messages(libprocess::Receiver& receiver, MessageContext context)
    : receiver_(receiver), context_(std::move(context)) {
  receiver_.install(context_.link.self().id, [this](const Message& message) { receive(message); });
}

Messages::~Messages() { receiver_.remove(context_.link.self().id); }

void Messages::receive(const Message& message) {
  const auto* row = std::ranges::lower_bound(kTable, message.name, {}, &MessageSpec::name);
  const auto drop = [&message](std::string_view why) {
    LOG_EVERY_T(WARNING, 1) << "A " << message.name << " from " << message.from.to_string()
                            << " is dropped: " << why;
  };
  const MasterLink& link = context_.link;
  if (row == kTable.end() || row->name != message.name) {
    drop("it is none that agents get");
  } else if (!is_sender(*row, message.from, link.master_pid())) {
    drop(concat("it is not from the master, which is ",
                link.master_pid().empty() ? "not known" : link.master_pid().to_string()));
  } else if ((row->states & in(link.state())) == 0) {
    drop(concat("the agent is ", name_of(link.state())));
  } else if (!row->handle(context_, message)) {
    drop("it cannot be decoded");
  }
}

}  // namespace agent
