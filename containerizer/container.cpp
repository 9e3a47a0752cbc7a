#include "containerizer/container.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/combine.h"
#include "base/files.h"
#include "base/process.h"
#include "base/stream.h"
#include "base/strings.h"
#include "base/worker.h"
#include "containerizer/checkpoint.h"
#include "containerizer/runtime_directory.h"

namespace containerizer {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Fd;
using base::Result;
using base::Status;
using base::Task;
using isolators::LaunchSpec;
using isolators::Limitation;
using mesos::v1::TaskStatus;

namespace {

// A switchboard ends when it has delivered what is left; one that does not is killed. Its readers'
// own stall limit (30 s) is below this.
constexpr std::chrono::seconds kSwitchboardPatience{65};

// The name of the environment variable by which a client asks for a switchboard.
constexpr char kAttachableVariable[] = "MESOS_CONTAINER_ATTACHABLE";

bool wants_switchboard(const ContainerConfig& config, const Options& options) {
  if (isolators::is_debug(config) || config.container_info().has_tty_info()) return true;
  if (options.all_attachable) return true;
  for (const auto& variable : config.command_info().environment().variables()) {
    if (variable.name() == kAttachableVariable) return variable.value() == "true";
  }
  return false;
}

Task<void> wait_for(base::Event& event) { co_await event.wait(); }

// A switchboard ends only when it is told to: if it dies before, nobody reads the container's
// output any more, so the container goes too, with this as its reason.
Limitation describe_switchboard_death(const Result<std::optional<int>>& status) {
  Limitation limitation;
  limitation.reason = TaskStatus::REASON_IO_SWITCHBOARD_EXITED;
  limitation.message = "'IOSwitchboard' ";
  if (!status || !status->has_value()) {
    limitation.message += "has ended";
  } else if (WIFSIGNALED(**status)) {
    limitation.message += concat("terminated with signal ", strsignal(WTERMSIG(**status)));
  } else {
    limitation.message += concat("exited with status ", WEXITSTATUS(**status));
  }
  return limitation;
}

}  // namespace

Container::Container(Services& services, ContainerId id, ContainerConfig config,
                     std::shared_ptr<Container> parent, ForkedHook forked)
    : services_(services),
      id_(std::move(id)),
      config_(std::move(config)),
      parent_(std::move(parent)),
      forked_(std::move(forked)) {
  if (parent_ != nullptr) parent_->children_.insert(this);
}

Container::~Container() {
  if (parent_ != nullptr) parent_->children_.erase(this);
}

// --- A container's life ---

Task<Result<ContainerTermination>> Container::live() {
  if (!recovered_) {
    auto started = co_await base::any_of(start(), wait_for(destroy_requested_));
    if (started.index() == 1) {
      launched_.set(
          fail(ErrorKind::kInvalid, concat("Container is being destroyed during ", step_)));
    } else if (auto& status = std::get<0>(started); !status) {
      LOG(WARNING) << "Failed to launch container " << id_.to_string() << ": "
                   << status.error().message;
      launched_.set(std::move(status));
    } else {
      state_ = State::kRunning;
      forget_command();
      launched_.set({});
    }
  }
  if (state_ == State::kRunning) co_await wait_for_end();
  state_ = State::kDestroying;
  co_return co_await wind_down();
}

Task<Status> Container::start() {
  CO_TRY_VOID(co_await await_parent());
  CO_TRY_VOID(co_await resolve_user());
  CO_TRY_VOID(complete_config());
  CO_TRY_VOID(make_runtime_directory());
  auto sandbox = make_sandbox();
  if (!sandbox) {
    restore_runtime_directory();
    co_return fail(std::move(sandbox).error());
  }
  auto started = co_await start_in(*sandbox);
  // Whatever has failed, the client is told (400) that this container cannot be launched.
  if (!started) started.error().kind = ErrorKind::kInvalid;
  co_return started;
}

Task<Status> Container::start_in(const Sandbox& sandbox) {
  if (!earlier_.empty()) {
    CO_TRY_VOID(co_await base::run_on_worker(
        [directory = std::exchange(earlier_, {})] { return base::remove_tree(directory); }));
  }
  CO_TRY(LaunchSpec spec, co_await prepare());
  CO_TRY(StandardStreams streams, open_streams(sandbox));
  CO_TRY_VOID(start_process(spec, streams));
  for (const auto& isolator : services_.isolators) {
    if (applies(*isolator)) CO_TRY_VOID(co_await isolator->isolate(id_, process_.pid));
  }
  CO_TRY_VOID(co_await fetch(sandbox));
  co_return co_await release(spec);
}

Status Container::update(const Allocation& allocation) {
  if (state_ == State::kStarting) {
    return fail(ErrorKind::kConflict, "The container is being launched");
  }
  TRY_VOID(announce_volumes(file(kConfigFile), config_, allocation));
  ContainerConfig changed = config_;
  set_allocation(allocation, &changed);
  for (const auto& isolator : services_.isolators) {
    if (applies(*isolator)) TRY_VOID(isolator->update(id_, changed));
  }
  config_ = std::move(changed);
  // Without it the next run of the agent has older numbers, and perhaps volumes that have gone.
  auto written = checkpoint_allocation(file(kConfigFile), allocation);
  if (!written) LOG(WARNING) << written.error().message;
  return {};
}

Task<void> Container::wait_for_end() {
  auto end =
      co_await base::any_of(base::wait_for_exit(pidfd()), isolators::first_limitation(watches()),
                            switchboard_death(), wait_for(destroy_requested_));
  if (end.index() == 1) set_cause(std::get<1>(end));
}

// Undoes start(), in reverse, as far as it had come; also what an agent that died had started.
Task<Result<ContainerTermination>> Container::wind_down() {
  co_await finish_fetch();
  co_await destroy_children();
  process_.control.reset();
  Status clean = co_await free_everything();
  if (!clean) {
    LOG(ERROR) << "Failed to clean up container " << id_.to_string() << ": "
               << clean.error().message;
    co_return fail(std::move(clean).error());
  }
  ContainerTermination termination = make_termination();
  if (!never_started_) {
    auto written = write_checkpoint(file(kTerminationFile), termination);
    if (!written) LOG(ERROR) << written.error().message;
  }
  co_return termination;
}

// Again, if something fails: what the host has no memory or descriptors for now may succeed later,
// and a container that is given up leaves its processes and cgroups to nobody.
Task<Status> Container::free_everything() {
  constexpr std::chrono::milliseconds kFirstPause{10};
  constexpr std::chrono::milliseconds kLongestPause{1000};
  const auto deadline = std::chrono::steady_clock::now() + services_.options.destroy_timeout;
  for (auto pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
    Status clean = co_await free_once();
    if (clean) co_return clean;
    if (std::chrono::steady_clock::now() + pause > deadline) {
      co_await finish_switchboard();
      co_return clean;
    }
    LOG(WARNING) << "Cleaning up container " << id_.to_string()
                 << " again, because of: " << clean.error().message;
    co_await base::sleep_for(pause);
  }
}

Task<Status> Container::free_once() {
  CO_TRY_VOID(co_await services_.launcher->kill_all(id_, pidfd()));
  for (const auto& isolator : services_.isolators) {
    if (!applies(*isolator) || cause_.has_reason()) continue;
    if (auto limitation = isolator->limitation_at_end(id_)) set_cause(*limitation);
  }
  co_await finish_switchboard();
  CO_TRY_VOID(co_await clean_up());
  if (!never_started_) {
    CO_TRY(recorded_, read_status_file(file(kStatusFile)));
  }
  co_return {};
}

// --- The steps of start() ---

// A child needs its parent's process, whose namespaces it enters.
Task<Status> Container::await_parent() {
  if (parent_ == nullptr) co_return {};
  const auto parent = parent_;
  co_await parent->launched().wait();
  if (parent->state() == State::kRunning) co_return {};
  co_return fail(ErrorKind::kInvalid, concat("Parent container ", parent->id().to_string(),
                                             " is in 'DESTROYING' state"));
}

base::Error Container::sandbox_error(base::Error error) const {
  if (!id_.has_parent()) {
    error.kind = ErrorKind::kInternal;
    return std::move(error).with_context("Failed to create sandbox");
  }
  return {ErrorKind::kInvalid,
          concat("Failed to create nested sandbox '", config_.directory(), "': ", error.message)};
}

Task<Status> Container::resolve_user() {
  if (!config_.has_user()) co_return {};
  auto found = co_await base::run_on_worker([user = config_.user()] { return find_user(user); });
  if (!found) {
    co_return fail(sandbox_error(std::move(found).error().with_context(
        concat("Failed to chown directory to '", config_.user(), "'"))));
  }
  owner_ = *std::move(found);
  co_return {};
}

Status Container::complete_config() {
  config_.set_created_directory(!base::path_exists(config_.directory()));
  config_.set_attachable(wants_switchboard(config_, services_.options));
  std::optional<LaunchInfo> inherited;
  if (isolators::is_debug(config_) && parent_ != nullptr) {
    TRY(inherited, parent_->launch_info_for_sessions());
  }
  auto info = make_launch_info(config_, inherited ? &*inherited : nullptr);
  if (!info) return fail(ErrorKind::kInvalid, std::move(info).error().message);
  *config_.mutable_launch_info() = *std::move(info);
  return {};
}

// Of a container that runs.
Result<LaunchInfo> Container::launch_info_for_sessions() const {
  ContainerConfig whole;
  if (auto read = read_checkpoint(file(kConfigFile), &whole); !read) {
    return fail(ErrorKind::kInvalid, std::move(read).error().message);
  }
  return std::move(*whole.mutable_launch_info());
}

// Clearing would keep the memory for what might be put there.
void Container::forget_command() {
  const std::unique_ptr<mesos::v1::CommandInfo> command(config_.release_command_info());
  const std::unique_ptr<LaunchInfo> info(config_.release_launch_info());
}

// With the configuration in it, before anything else is made: whatever is found after a crash,
// there is a container that it belongs to. What an earlier container of this id has left is set
// aside.
Status Container::make_runtime_directory() {
  const std::string directory = services_.paths.directory(id_);
  auto earlier = set_aside_runtime_directory(services_.paths, id_);
  if (earlier) {
    earlier_ = *std::move(earlier);
  } else if (earlier.error().kind != ErrorKind::kNotFound) {
    return fail(ErrorKind::kInvalid, std::move(earlier).error().message);
  }
  has_runtime_directory_ = true;
  Status made = base::make_directories(directory);
  if (made) made = write_first_checkpoint(file(kConfigFile), config_);
  if (made) return {};
  restore_runtime_directory();
  return fail(ErrorKind::kInvalid, std::move(made).error().message);
}

// A launch that fails early leaves an earlier container's end as it was.
void Container::restore_runtime_directory() {
  if (earlier_.empty()) return;
  const std::string directory = services_.paths.directory(id_);
  if (auto removed = base::remove_tree(directory); !removed) {
    LOG(ERROR) << removed.error().message;
  } else if (rename(std::exchange(earlier_, {}).c_str(), directory.c_str()) == 0) {
    has_runtime_directory_ = false;
  }
}

Result<Sandbox> Container::make_sandbox() {
  auto sandbox = Sandbox::create(services_.options.work_dir, config_.directory(), owner_);
  if (!sandbox) return fail(sandbox_error(std::move(sandbox).error()));
  return sandbox;
}

Task<Result<LaunchSpec>> Container::prepare() {
  LaunchSpec spec;
  for (const auto& isolator : services_.isolators) {
    if (applies(*isolator)) CO_TRY_VOID(co_await isolator->prepare(id_, config_, &spec));
  }
  add_command(config_, config_.launch_info(), &spec);
  if (spec.working_directory.starts_with(services_.options.work_dir + "/")) {
    spec.trusted_prefix = static_cast<uint32_t>(services_.options.work_dir.size());
  }
  spec.credentials = owner_;
  spec.controlling_terminal = config_.container_info().has_tty_info();
  co_return spec;
}

Result<StandardStreams> Container::open_streams(const Sandbox& sandbox) {
  // Also with a switchboard: what an earlier container of this id has left is emptied.
  TRY(Fd output, sandbox.open_output("stdout", owner_));
  TRY(Fd errors, sandbox.open_output("stderr", owner_));
  if (config_.attachable()) return open_switchboard(sandbox);
  Fd input(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!input) return base::fail_errno("open '/dev/null'");
  return StandardStreams{std::move(input), std::move(output), std::move(errors)};
}

Result<StandardStreams> Container::open_switchboard(const Sandbox& sandbox) {
  ioswitchboard::SwitchboardOptions options;
  options.program = base::join_path(services_.options.launcher_dir, "mesos-io-switchboard");
  options.server.directory = file(kSwitchboardDirectory);
  options.server.wait_for_connection = isolators::is_debug(config_);
  options.server.heartbeat_interval = services_.options.heartbeat_interval;
  options.server.replay_size = services_.options.replay_size;
  options.stdout_path = sandbox.safe_path("stdout");
  options.stderr_path = sandbox.safe_path("stderr");
  if (owner_) {
    options.uid = owner_->uid;
    options.gid = owner_->gid;
  }
  if (config_.container_info().has_tty_info()) {
    options.server.tty = true;
    const auto& tty = config_.container_info().tty_info();
    if (tty.has_window_size()) {
      options.window_size = {tty.window_size().rows(), tty.window_size().columns()};
    }
  }
  TRY(auto started, ioswitchboard::start_switchboard(options));
  switchboard_ = std::move(started.process);
  return StandardStreams{std::move(started.stdin_fd), std::move(started.stdout_fd),
                         std::move(started.stderr_fd)};
}

Status Container::start_process(const LaunchSpec& spec, const StandardStreams& streams) {
  TRY(const Fd status_file, create_status_file(file(kStatusFile)));
  LaunchRequest request;
  request.id = id_;
  request.spec = &spec;
  request.stdin_fd = streams.input.get();
  request.stdout_fd = streams.output.get();
  request.stderr_fd = streams.errors.get();
  request.status_fd = status_file.get();
  request.parent_pidfd = parent_ != nullptr ? parent_->pidfd() : -1;
  TRY(process_, services_.launcher->start(request));
  take_pidfd(std::move(process_.pidfd));
  if (forked_) TRY_VOID(forked_(process_.pid));
  TRY(const ProcessRecord record, record_process(process_.pid));
  return write_process(file(kParkedFile), record);
}

Task<Status> Container::fetch(const Sandbox& sandbox) {
  if (config_.command_info().uris_size() == 0) co_return {};
  step_ = "fetching";
  // Into the sandbox's files, also with a switchboard: nothing else has written there yet.
  CO_TRY(const Fd output, sandbox.open_output("stdout", owner_));
  CO_TRY(const Fd errors, sandbox.open_output("stderr", owner_));
  fetcher::Request request;
  request.container = id_.to_string();
  request.command = &config_.command_info();
  if (owner_) request.user = fetcher::User{config_.user(), owner_->uid, owner_->gid};
  request.sandbox_path = sandbox.path();
  request.sandbox_fd = sandbox.fd();
  request.stdout_fd = output.get();
  request.stderr_fd = errors.get();
  request.adopt = [this](pid_t pid) { return adopt_fetcher(pid); };
  Status fetched = co_await services_.fetcher->fetch(std::move(request));
  step_ = "launch";
  if (fetched) fetcher_.reset();
  co_return fetched;
}

// Checkpointed, so that the next run of the agent waits for its end before it undoes the launch.
Result<int> Container::adopt_fetcher(pid_t pid) {
  TRY(Fd pidfd, base::open_pidfd(pid));
  TRY(const ProcessRecord record, record_process(pid));
  TRY_VOID(write_process(file(kFetcherFile), record));
  fetcher_ = std::move(pidfd);
  return fetcher_.get();
}

Task<Status> Container::release(const LaunchSpec& spec) {
  const std::string message = isolators::encode_launch_spec(spec);
  base::Stream control(std::move(process_.control), base::FdWatch::kWrite);
  auto sent = co_await control.write_all(message);
  if (!sent) {
    co_return fail(std::move(sent).error().with_context("Failed to release the container"));
  }
  // The launch counts from here on. Should the agent be killed before, no client was told of it,
  // and the next run undoes it: whoever asks for it again must not hear that it is there already.
  if (rename(file(kParkedFile).c_str(), file(kPidFile).c_str()) < 0) {
    co_return base::fail_errno(concat("rename '", file(kParkedFile), "'"));
  }
  never_started_ = false;
  co_return {};
}

// --- What wait_for_end() waits for ---

std::vector<Task<Limitation>> Container::watches() {
  std::vector<Task<Limitation>> tasks;
  for (const auto& isolator : services_.isolators) {
    if (!applies(*isolator)) continue;
    if (auto watch = isolator->watch(id_)) tasks.push_back(*std::move(watch));
  }
  return tasks;
}

Task<void> Container::switchboard_death() {
  if (!switchboard_) {
    base::Event never;
    co_await never.wait();
  }
  set_cause(describe_switchboard_death(co_await base::wait_for_exit(switchboard_->pidfd.get())));
}

// --- The steps of wind_down() ---

// Cancelled, or without the agent that had started it, it ends by itself.
Task<void> Container::finish_fetch() {
  if (fetcher_ && !co_await base::with_timeout(base::wait_for_exit(fetcher_.get()),
                                               services_.options.destroy_timeout)) {
    LOG(WARNING) << "Container " << id_.to_string() << ": its fetch cannot be ended";
  }
  fetcher_.reset();
}

Task<void> Container::destroy_children() {
  while (!children_.empty()) {
    for (Container* child : children_) child->request_destroy(cause_);
    const auto child = (*children_.begin())->shared_from_this();
    co_await child->terminated().wait();
  }
}

Task<void> Container::finish_switchboard() {
  if (switchboard_) co_await end_switchboard(switchboard_->pidfd.get());
  switchboard_.reset();
  // What a damaged checkpoint calls not attachable may have had one all the same.
  if (!config_.attachable() && !recovered_) co_return;
  auto removed = base::remove_tree(file(kSwitchboardDirectory));
  if (!removed) LOG(WARNING) << removed.error().message;
}

Task<void> Container::end_switchboard(int pidfd) {
  // Its readers may have seen its death before us, and have ended the container for it.
  if (base::has_exited(pidfd) && !cause_.has_reason()) {
    set_cause(describe_switchboard_death(co_await base::wait_for_exit(pidfd)));
  }
  (void)base::send_signal(pidfd, SIGTERM);
  if (auto end = co_await base::with_timeout(base::wait_for_exit(pidfd), kSwitchboardPatience)) {
    // SIGTERM does not kill it: something else did, just before, while its readers knew already.
    const bool killed = *end && end->value() && WIFSIGNALED(*end->value());
    if (killed && !cause_.has_reason()) set_cause(describe_switchboard_death(*end));
    co_return;
  }
  LOG(WARNING) << "The switchboard of container " << id_.to_string() << " does not end";
  (void)base::send_signal(pidfd, SIGKILL);
  (void)co_await base::wait_for_exit(pidfd);
}

// Goes on after a failure: what can be freed is freed. The first failure is the result.
Task<Status> Container::clean_up() {
  Status result;
  for (auto isolator = services_.isolators.rbegin(); isolator != services_.isolators.rend();
       ++isolator) {
    if (!applies(**isolator)) continue;
    auto cleaned = co_await (*isolator)->cleanup(id_);
    if (!cleaned && result) result = std::move(cleaned);
  }
  auto cleaned = services_.launcher->cleanup(id_);
  if (!cleaned && result) result = std::move(cleaned);
  co_return result;
}

ContainerTermination Container::make_termination() {
  ContainerTermination termination = cause_;
  if (never_started_) return termination;
  never_started_ = recorded_.never_started;
  if (recorded_.status) termination.set_status(*recorded_.status);
  return termination;
}

void Container::set_cause(const Limitation& limitation) {
  cause_.set_state(mesos::v1::TASK_FAILED);
  cause_.set_reason(limitation.reason);
  cause_.set_message(limitation.message);
  for (const auto& resource : limitation.resources) {
    *cause_.add_limited_resources() = resource;
  }
}

// --- From outside ---

void Container::end(Result<ContainerTermination> termination) {
  if (parent_ != nullptr) parent_->children_.erase(this);
  terminated_.set(std::move(termination));
}

void Container::recover() {
  recovered_ = true;
  has_runtime_directory_ = true;
  launched_.set({});
  for (const auto& isolator : services_.isolators) {
    if (!applies(*isolator)) continue;
    auto recovered = isolator->recover(id_, config_);
    if (!recovered) LOG(ERROR) << recovered.error().message;
  }
  unsettle(&config_);
  forget_command();
  // Also if the configuration does not say so: it may be damaged.
  if (base::path_exists(file(kSwitchboardDirectory))) {
    auto switchboard = ioswitchboard::find_switchboard(file(kSwitchboardDirectory));
    if (switchboard) switchboard_ = *std::move(switchboard);
  }
  if (const auto pid = read_live_process(file(kFetcherFile))) {
    if (auto pidfd = base::open_pidfd(*pid)) fetcher_ = *std::move(pidfd);
  }
  never_started_ = !base::path_exists(file(kPidFile));
  const auto pid = read_live_process(file(never_started_ ? kParkedFile : kPidFile));
  if (!pid || !services_.launcher->owns_process(id_, *pid)) return;
  if (auto pidfd = base::open_pidfd(*pid)) {
    process_.pid = *pid;
    if (!never_started_) state_ = State::kRunning;
    take_pidfd(*std::move(pidfd));
  }
}

void Container::request_destroy(ContainerTermination cause) {
  if (destroy_requested_.is_set() || state_ == State::kDestroying) return;
  if (cause.has_reason() && !cause_.has_reason()) cause_ = std::move(cause);
  destroy_requested_.set();
}

Status Container::kill(int signal) {
  if (state_ == State::kStarting) {
    request_destroy();
    return {};
  }
  if (state_ == State::kDestroying) return {};
  auto sent = base::send_signal(pidfd(), signal);
  if (sent || sent.error().kind == ErrorKind::kNotFound) return {};
  return fail(concat("Unable to send signal to container: ", strerror(sent.error().code)));
}

// The isolators are told.
void Container::take_pidfd(Fd pidfd) {
  pidfd_ = std::make_shared<const Fd>(std::move(pidfd));
  for (const auto& isolator : services_.isolators) {
    if (applies(*isolator)) isolator->set_process(id_, config_, pidfd_);
  }
}

// Whether the tree's root is no executor's: they have their sandboxes elsewhere.
bool Container::is_standalone() const {
  if (parent_ != nullptr) return parent_->is_standalone();
  return !config_.has_directory() ||
         config_.directory() == Sandbox::path_of(services_.options.work_dir, id_.root());
}

bool Container::applies(const Isolator& isolator) const {
  if (!isolator.supports_standalone() && is_standalone()) return false;
  return !id_.has_parent() || isolator.supports_nesting();
}

}  // namespace containerizer
