#include "containerizer/containerizer.h"

#include <glog/logging.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "base/combine.h"
#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"
#include "base/worker.h"
#include "containerizer/checkpoint.h"
#include "containerizer/runtime_directory.h"

namespace containerizer {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;
using base::Status;
using base::Task;

namespace {

// Ending a container takes descriptors for a moment, to read its cgroups, to wait for its
// processes, to delete its files. Launches leave so many, so that no end fails for want of them.
constexpr size_t kSpareDescriptors = 64;

Task<void> wait_for(base::Event& event) { co_await event.wait(); }

std::string sandbox_path(const LaunchParameters& parameters,
                         const std::shared_ptr<Container>& parent, const std::string& work_dir) {
  if (parameters.directory) return *parameters.directory;
  // What is recovered without its configuration has no sandbox that is known.
  if (parent == nullptr || !parent->config().has_directory()) {
    return Sandbox::path_of(work_dir, parameters.id);
  }
  return Sandbox::child_path(parent->config().directory(), parameters.id.value());
}

// The sandbox of a container that has ended, or is to be undone.
std::string recorded_sandbox(const RuntimePaths& paths, const std::string& work_dir,
                             const ContainerId& id) {
  ContainerConfig config;
  const auto read = read_checkpoint(paths.file(id, kConfigFile), &config);
  return read && config.has_directory() ? config.directory() : Sandbox::path_of(work_dir, id);
}

ContainerConfig make_config(const LaunchParameters& parameters,
                            const std::shared_ptr<Container>& parent, const Options& options) {
  ContainerConfig config;
  config.set_directory(sandbox_path(parameters, parent, options.work_dir));
  *config.mutable_container_id() = parameters.id.to_message();
  config.set_container_class(parameters.container_class);
  *config.mutable_command_info() = parameters.command;
  if (parameters.container) *config.mutable_container_info() = *parameters.container;
  set_allocation(parameters.allocation, &config);
  if (options.switch_user && parameters.command.has_user()) {
    config.set_user(parameters.command.user());
  } else if (parent != nullptr && parent->config().has_user()) {
    config.set_user(parent->config().user());
  }
  return config;
}

Status check_spare_descriptors() {
  auto spare = base::spare_descriptors();
  if (!spare || *spare > kSpareDescriptors) return {};
  return fail(ErrorKind::kInvalid, concat("No descriptors to spare: ", strerror(EMFILE)));
}

// Containers share the host's file system, and what is below has their environments in it. An
// earlier version may have made it open to everybody.
Status make_private_directory(const std::string& path) {
  constexpr mode_t kMode = 0700;
  TRY_VOID(base::make_directories(path));
  if (chmod(path.c_str(), kMode) == 0) return {};
  return base::fail_errno(concat("chmod '", path, "'"));
}

// Ends a launch that its client has given up.
class LaunchGuard {
 public:
  explicit LaunchGuard(std::shared_ptr<Container> container) : container_(std::move(container)) {}
  LaunchGuard(const LaunchGuard&) = delete;
  LaunchGuard& operator=(const LaunchGuard&) = delete;
  ~LaunchGuard() {
    if (container_ != nullptr) container_->request_destroy();
  }
  void dismiss() { container_.reset(); }

 private:
  std::shared_ptr<Container> container_;
};

}  // namespace

Containerizer::Containerizer(Services services)
    : services_(std::move(services)),
      ended_(services_.paths, services_.options.termination_retention,
             services_.options.termination_retention_count) {}

// --- Launch ---

// Whether a container of that id can be launched now.
Status Containerizer::check_free(const ContainerId& id) const {
  if (containers_.contains(id)) {
    return fail(ErrorKind::kAlreadyExists, concat("Container ", id.to_string(), " exists"));
  }
  if (!id.has_parent()) return {};
  const auto parent = find(id.parent());
  if (parent == nullptr) {
    return fail(ErrorKind::kInvalid,
                concat("Parent container ", id.parent().to_string(), " does not exist"));
  }
  if (parent->state() == Container::State::kDestroying) {
    return fail(ErrorKind::kInvalid,
                concat("Parent container ", id.parent().to_string(), " is in 'DESTROYING' state"));
  }
  return {};
}

std::shared_ptr<Container> Containerizer::add(const ContainerId& id, ContainerConfig config,
                                              Container::ForkedHook forked) {
  auto parent = id.has_parent() ? find(id.parent()) : nullptr;
  auto container = std::make_shared<Container>(services_, id, std::move(config), std::move(parent),
                                               std::move(forked));
  containers_.emplace(id, container);
  return container;
}

Task<Status> Containerizer::launch(LaunchParameters parameters) {
  const ContainerId id = parameters.id;
  co_await await_undone(id);
  co_await await_erased(id);
  CO_TRY_VOID(check_free(id));
  CO_TRY_VOID(check_spare_descriptors());
  const auto parent = id.has_parent() ? find(id.parent()) : nullptr;
  ContainerConfig config = make_config(parameters, parent, services_.options);
  CO_TRY_VOID(check_supported(config));
  if (services_.sandbox_collector != nullptr && !parameters.directory) {
    CO_TRY(const bool at_once, co_await services_.sandbox_collector->reclaim(config.directory()));
    if (!at_once) {
      // Meanwhile somebody may have had what was there before removed.
      co_await await_erased(id);
      CO_TRY_VOID(check_free(id));
    }
  }
  auto container = add(id, std::move(config), std::move(parameters.forked));
  if (!id.has_parent()) ended_.drop_root(id);
  LaunchGuard guard(container);
  lives_.spawn(run(container));
  co_await container->launched().wait();
  Status launched = container->launched().get();
  guard.dismiss();
  // A failed launch answers when the id is free again.
  if (!launched) co_await container->terminated().wait();
  co_return launched;
}

Task<void> Containerizer::run(std::shared_ptr<Container> container) {
  const ContainerId id = container->id();
  LOG_IF(INFO, !isolators::is_debug(container->config()))
      << "Container " << id.to_string() << " starts";
  auto termination = co_await container->live();
  if (!termination) ++destroy_errors_;
  if (termination && container->never_started()) {
    co_await forget_launch(*container);
  } else {
    if (termination) ended_.keep(id, *termination);
    if (!id.has_parent()) {
      ended_.root_ended(id, std::chrono::steady_clock::now());
      root_ended_.set();
    }
  }
  containers_.erase(id);
  discard_sandbox(container->config(), SandboxCollector::Age::kFromNow);
  container->end(std::move(termination));
}

void Containerizer::discard_sandbox(const ContainerConfig& config, SandboxCollector::Age age) {
  if (services_.sandbox_collector == nullptr || !config.has_directory()) return;
  const auto id = ContainerId::from_message(config.container_id());
  const bool is_executor =
      !id.has_parent() && config.directory() != Sandbox::path_of(services_.options.work_dir, id);
  if (!is_executor) services_.sandbox_collector->schedule(config.directory(), age);
}

// Deletes what a launch has made that came to nothing; an earlier container's end is kept. The
// sandbox goes first: the runtime directory tells of it, should the agent be killed in between.
Task<void> Containerizer::forget_launch(const Container& container) {
  const ContainerId& id = container.id();
  Status removed;
  if (container.config().created_directory()) {
    removed = co_await base::run_on_worker(
        [work_dir = services_.options.work_dir, path = container.config().directory()] {
          return Sandbox::remove(work_dir, path);
        });
  }
  if (removed && container.has_runtime_directory()) {
    ended_.forget(id);
    removed = base::remove_tree(services_.paths.directory(id));
  } else if (!container.has_runtime_directory() && !id.has_parent()) {
    ended_.recover_root(id);
  }
  if (!removed) LOG(ERROR) << removed.error().message;
}

// --- The other calls ---

std::shared_ptr<Container> Containerizer::find(const ContainerId& id) const {
  auto at = containers_.find(id);
  return at == containers_.end() ? nullptr : at->second;
}

Task<Result<ContainerTermination>> Containerizer::wait(ContainerId id) {
  co_await await_undone(id);
  const auto container = find(id);
  if (container != nullptr) {
    co_await container->terminated().wait();
    co_return container->terminated().get();
  }
  if (auto termination = ended_.find(id)) co_return *std::move(termination);
  co_return fail(ErrorKind::kNotFound, concat("Container ", id.to_string(), " cannot be found"));
}

Status Containerizer::kill(const ContainerId& id, int signal) {
  const auto container = find(id);
  if (container == nullptr) {
    return fail(ErrorKind::kNotFound,
                concat("Container '", id.to_string(), "' cannot be found (or is already killed)"));
  }
  return container->kill(signal);
}

Status Containerizer::update(const ContainerId& id, const Allocation& allocation) {
  const auto container = find(id);
  if (container == nullptr) {
    return fail(ErrorKind::kNotFound, concat("Container ", id.to_string(), " cannot be found"));
  }
  return container->update(allocation);
}

Task<void> Containerizer::destroy_all() {
  while (!containers_.empty()) {
    for (const auto& [id, container] : containers_) container->request_destroy();
    const auto container = containers_.begin()->second;
    co_await container->terminated().wait();
  }
}

Task<Status> Containerizer::remove(ContainerId id) {
  co_await await_erased(id);
  if (containers_.contains(id)) {
    co_return fail(
        concat(id.has_parent() ? "Nested container" : "Container", " has not terminated yet"));
  }
  const ContainerId root = id.root();
  const bool root_known = containers_.contains(root) || ended_.knows_root(root);
  if (!root_known) {
    if (id.has_parent()) co_return fail("Unknown root container");
    co_return fail(ErrorKind::kNotFound, concat("Container ", id.to_string(), " cannot be found"));
  }
  if (!id.has_parent()) ended_.drop_root(id);
  co_return co_await erase(id, true);
}

Task<Status> Containerizer::erase(ContainerId id, bool sandbox) {
  ended_.forget(id);
  const auto done = std::make_shared<Erased>();
  erasing_.emplace(id, done);
  lives_.spawn(erase_files(id, sandbox, done));
  co_await done->wait();
  co_return done->get();
}

Task<void> Containerizer::erase_files(ContainerId id, bool sandbox, std::shared_ptr<Erased> done) {
  const std::string& work_dir = services_.options.work_dir;
  const std::string path = sandbox ? recorded_sandbox(services_.paths, work_dir, id) : "";
  Status erased = co_await base::run_on_worker([id, path, paths = services_.paths, work_dir] {
    // The sandbox first: as long as there is the runtime directory, an agent that starts after a
    // crash knows the container, and its removal can be asked for again.
    const Status removed = path.empty() ? Status() : Sandbox::remove(work_dir, path);
    return removed ? remove_runtime_directory(paths, id) : removed;
  });
  if (erased && sandbox && services_.sandbox_collector != nullptr) {
    services_.sandbox_collector->forget(path);
  }
  erasing_.erase(id);
  done->set(std::move(erased));
}

Task<void> Containerizer::await_undone(ContainerId id) {
  while (const auto container = find(id)) {
    if (!container->is_cut_off()) co_return;
    co_await container->terminated().wait();
  }
}

Task<void> Containerizer::await_erased(ContainerId id) {
  for (auto at = erasing_.find(id); at != erasing_.end(); at = erasing_.find(id)) {
    const auto done = at->second;
    co_await done->wait();
  }
}

Result<std::string> Containerizer::find_switchboard(const ContainerId& id) const {
  const auto container = find(id);
  if (container == nullptr) {
    return fail(ErrorKind::kNotFound, concat("Unknown container ", id.to_string()));
  }
  if (!container->is_attachable()) {
    return fail("I/O switchboard server was disabled for this container");
  }
  return services_.paths.file(id, kSwitchboardDirectory);
}

Task<void> Containerizer::forget_expired() {
  while (true) {
    root_ended_.clear();
    for (const auto& root : ended_.take_expired()) {
      // The id may have been taken again, or removed, while the one before was deleted.
      if (containers_.contains(root) || erasing_.contains(root)) continue;
      auto erased = co_await erase(root, false);
      if (!erased) LOG(WARNING) << erased.error().message;
    }
    if (const auto next = ended_.next_expiry()) {
      co_await base::any_of(wait_for(root_ended_), base::sleep_task(*next));
    } else {
      co_await root_ended_.wait();
    }
  }
}

// --- Recovery ---

Status Containerizer::recover() {
  TRY_VOID(make_private_directory(services_.paths.containers()));
  TRY_VOID(make_private_directory(services_.paths.removed()));
  lives_.spawn(finish_removals());
  services_.fetcher->recover();
  recover_below(services_.paths.containers(), std::nullopt);
  find_orphans();
  // Only now: a parent that has ended must find all of its children, which go first.
  std::vector<std::shared_ptr<Container>> found;
  for (const auto& [id, container] : containers_) found.push_back(container);
  for (auto& container : found) lives_.spawn(run(std::move(container)));
  lives_.spawn(forget_expired());
  return {};
}

Task<void> Containerizer::finish_removals() {
  const auto left = base::list_directory(services_.paths.removed());
  for (const auto& name : left ? *left : std::vector<std::string>()) {
    Status removed =
        co_await base::run_on_worker([path = base::join_path(services_.paths.removed(), name)] {
          return base::remove_tree(path);
        });
    if (!removed) LOG(WARNING) << removed.error().message;
  }
}

// Parents come before their children, so that these find them.
void Containerizer::recover_below(const std::string& directory,
                                  const std::optional<ContainerId>& parent) {
  auto names = base::list_directory(directory);
  if (!names) return;  // no children
  for (const auto& name : *names) {
    mesos::v1::ContainerID level;
    level.set_value(name);
    if (!isolators::validate_container_id(level)) {
      LOG(WARNING) << "Ignoring '" << directory << "/" << name << "', which is no container";
      continue;
    }
    const ContainerId id = parent ? parent->child(name) : ContainerId::root_of(name);
    recover_container(id);
    recover_below(base::join_path(services_.paths.directory(id), kChildrenDirectory), id);
  }
}

void Containerizer::recover_container(const ContainerId& id) {
  ContainerConfig config;
  if (ended_.find(id)) {
    if (!id.has_parent()) ended_.recover_root(id);
    const bool collected = services_.sandbox_collector != nullptr;
    if (collected && read_checkpoint(services_.paths.file(id, kConfigFile), &config)) {
      discard_sandbox(config, SandboxCollector::Age::kAsOnDisk);
    }
    return;
  }
  auto read = read_checkpoint(services_.paths.file(id, kConfigFile), &config);
  if (!read) {
    // Nothing can have been started: the configuration is written first. Or the file was damaged
    // later; then its processes and groups are found as orphans, and what it was is lost.
    LOG(WARNING) << "Cannot recover container " << id.to_string() << ": " << read.error().message;
    *config.mutable_container_id() = id.to_message();
  }
  auto container = add(id, std::move(config));
  container->recover();
  const bool orphan =
      isolators::is_debug(container->config()) || (id.has_parent() && find(id.parent()) == nullptr);
  if (orphan || !read) container->request_destroy();
}

// What the launcher still has but no checkpoint tells of.
void Containerizer::find_orphans() {
  auto ids = services_.launcher->find_containers();
  // Parents first, so that each of their children finds them, and goes before them.
  std::reverse(ids.begin(), ids.end());
  for (const auto& id : ids) {
    if (containers_.contains(id)) continue;
    LOG(WARNING) << "Destroying orphan container " << id.to_string();
    ContainerConfig config;
    *config.mutable_container_id() = id.to_message();
    auto container = add(id, std::move(config));
    container->recover();
    container->request_destroy();
  }
}

}  // namespace containerizer
