#include "bench/oci_runtime.h"

#include <unistd.h>

#include <cerrno>

#include "base/files.h"
#include "base/stream.h"
#include "base/strings.h"
#include "bench/child.h"
#include "bench/samples.h"
#include "proto/json_write.h"

namespace bench {

using base::concat;
using base::Result;
using base::Status;

namespace {

constexpr char kIdle[] = "idle";

std::string json_text(const std::string& text) {
  std::string json;
  proto::append_json_string(text, &json);
  return json;
}

std::string json_list(const std::vector<std::string>& items) {
  std::string text = "[";
  for (const auto& item : items) {
    if (text.size() > 1) text += ',';
    text += json_text(item);
  }
  return text + ']';
}

// The same limits as the agent's containers have (bench/operator_calls.cpp).
std::string config(const std::vector<std::string>& argv, const std::string& group,
                   const std::string& self_directory) {
  std::string more_mounts;
  if (!self_directory.empty()) {
    more_mounts =
        concat(R"(,{"destination":")", OciRuntime::kSelfDirectory, R"(","type":"bind","source":)",
               json_text(self_directory), R"(,"options":["bind","ro"]})");
  }
  return concat(
      R"({"ociVersion":"1.0.0","process":{"terminal":false,"user":{"uid":0,"gid":0},"cwd":"/",)",
      R"("env":["PATH=/usr/bin:/bin"],"args":)", json_list(argv),
      R"(},"root":{"path":"rootfs"},"mounts":[)",
      R"({"destination":"/proc","type":"proc","source":"proc"},)",
      R"({"destination":"/usr","type":"bind","source":"/usr","options":["rbind","ro"]})",
      more_mounts, "],", R"("linux":{"cgroupsPath":"/)", group,
      R"(","resources":{"cpu":{"shares":1024},"memory":{"limit":67108864,"reservation":67108864},)",
      R"("pids":{"limit":4096}},"namespaces":[{"type":"pid"},{"type":"mount"}]}})");
}

Status make_link(const char* target, const std::string& path) {
  if (symlink(target, path.c_str()) < 0 && errno != EEXIST) {
    return base::fail_errno(concat("symlink '", path, "'"));
  }
  return {};
}

}  // namespace

OciRuntime::OciRuntime(std::string program, const std::string& directory, std::string group)
    : program_(std::move(program)),
      name_(program_.substr(program_.rfind('/') + 1)),
      directory_(base::join_path(directory, name_)),
      state_directory_(concat(directory, "/volatile/", name_)),
      group_(std::move(group)) {}

Result<std::string> OciRuntime::make_bundle(const std::string& id,
                                            const std::vector<std::string>& argv,
                                            const std::string& self_directory) const {
  std::string bundle = base::join_path(directory_, id);
  const std::string rootfs = base::join_path(bundle, "rootfs");
  if (base::path_exists(rootfs)) return bundle;
  for (const char* directory : {"proc", "dev", "usr"}) {
    TRY_VOID(base::make_directories(base::join_path(rootfs, directory)));
  }
  for (const char* name : {"bin", "lib", "lib64"}) {
    TRY_VOID(
        make_link(concat("usr/", std::string_view(name)).c_str(), base::join_path(rootfs, name)));
  }
  const std::string group = concat(group_, "/", name_, "-", id);
  TRY_VOID(base::write_file(base::join_path(bundle, "config.json"),
                            config(argv, group, self_directory)));
  return bundle;
}

std::vector<std::string> OciRuntime::command(const std::vector<std::string>& arguments) const {
  std::vector<std::string> argv = global_arguments();
  argv.insert(argv.begin(), program_);
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return argv;
}

Result<double> OciRuntime::run_true(int lane) const {
  const std::string id = concat("true-", lane);
  TRY(const std::string bundle, make_bundle(id, {"/bin/true"}));
  const auto argv = command({"run", "--bundle", bundle, id});
  const auto start = Clock::now();
  TRY(const pid_t pid, start_program(argv, {{STDERR_FILENO, STDERR_FILENO}}));
  TRY_VOID(expect_exit(pid, concat(name_, " run")));
  return milliseconds_since(start);
}

const char* OciRuntime::idle_id() const { return kIdle; }

Status OciRuntime::start_idle(const std::string& self) {
  TRY(const std::string bundle,
      make_bundle(kIdle, {"/bin/sleep", "100000"}, self.substr(0, self.rfind('/'))));
  TRY(const pid_t pid, start_program(command({"run", "--detach", "--bundle", bundle, kIdle}),
                                     {{STDERR_FILENO, STDERR_FILENO}}));
  TRY_VOID(expect_exit(pid, concat(name_, " run --detach")));
  idle_ = true;
  return {};
}

void OciRuntime::stop_idle() {
  if (!idle_) return;
  idle_ = false;
  auto pid = start_program(command({"delete", "--force", kIdle}));
  if (pid) (void)reap(*pid);
}

Result<OciRuntime::Exec> OciRuntime::exec_echo() const {
  const auto argv = command({"exec", kIdle, "/bin/echo", "hello"});
  TRY(base::Pipe output, base::make_pipe());
  const auto start = Clock::now();
  TRY(const pid_t pid, start_program(argv, {{output.write_end.get(), STDOUT_FILENO},
                                            {STDERR_FILENO, STDERR_FILENO}}));
  output.write_end.reset();
  Exec times;
  char buffer[256];
  while (true) {
    const ssize_t n = read(output.read_end.get(), buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    if (times.first_byte == 0) times.first_byte = milliseconds_since(start);
  }
  TRY_VOID(expect_exit(pid, concat(name_, " exec")));
  times.end = milliseconds_since(start);
  if (times.first_byte == 0) return base::fail(concat(name_, " exec has printed nothing"));
  return times;
}

}  // namespace bench
