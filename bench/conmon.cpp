#include "bench/conmon.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/files.h"
#include "base/stream.h"
#include "base/strings.h"
#include "bench/http_client.h"
#include "proto/json_write.h"

namespace bench {

using base::concat;
using base::Fd;
using base::Result;
using base::Status;

namespace {

constexpr size_t kPacketSize = 64 * 1024;  // conmon's packets are of 8 KiB and a byte
constexpr char kStandardOutput = 2;

// Where conmon is told to find its pipes.
constexpr int kSyncFd = 3;
constexpr int kStartFd = 4;
constexpr int kAttachFd = 5;

Result<std::string> read_some(int fd) {
  char buffer[1024];
  ssize_t n = -1;
  while ((n = read(fd, buffer, sizeof(buffer))) < 0 && errno == EINTR) {
  }
  if (n < 0) return base::fail_errno("read from conmon");
  return std::string(buffer, static_cast<size_t>(n));
}

Result<Fd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return base::fail(concat(path, " is too long"));
  std::memcpy(address.sun_path, path.c_str(), path.size());
  Fd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd) return base::fail_errno("socket");
  const timeval limit{.tv_sec = 30, .tv_usec = 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0) {
    return base::fail_errno(concat("connect to '", path, "'"));
  }
  return fd;
}

std::string process(const std::vector<std::string>& argv) {
  std::string arguments;
  for (const auto& argument : argv) {
    if (!arguments.empty()) arguments += ',';
    proto::append_json_string(argument, &arguments);
  }
  return concat(R"({"terminal":false,"user":{"uid":0,"gid":0},"cwd":"/",)",
                R"("env":["PATH=/usr/bin:/bin"],"args":[)", arguments, "]}");
}

}  // namespace

Conmon::Conmon(std::string program, const std::string& directory, const OciRuntime& runtime)
    : program_(std::move(program)),
      directory_(base::join_path(directory, "volatile/conmon")),
      runtime_(runtime) {}

Result<Conmon::Session> Conmon::start(const std::string& name,
                                      const std::vector<std::string>& argv) const {
  const std::string bundle = base::join_path(directory_, name);
  TRY_VOID(base::make_directories(bundle));
  const std::string spec = base::join_path(bundle, "process.json");
  TRY_VOID(base::write_file(spec, process(argv)));
  TRY(base::Pipe sync, base::make_pipe());
  TRY(base::Pipe start, base::make_pipe());
  TRY(base::Pipe attach, base::make_pipe());

  std::vector<std::string> command = {program_,
                                      "--api-version",
                                      "--sync",
                                      "--exec",
                                      "--exec-attach",
                                      "--full-attach",
                                      "--stdin",
                                      "--cid",
                                      runtime_.idle_id(),
                                      "--cuuid",
                                      name,
                                      "--runtime",
                                      runtime_.program(),
                                      "--bundle",
                                      bundle,
                                      "--container-pidfile",
                                      base::join_path(bundle, "pid"),
                                      "--exec-process-spec",
                                      spec,
                                      "--log-path",
                                      "none:"};
  for (const auto& argument : runtime_.global_arguments()) {
    command.insert(command.end(), {"--runtime-arg", argument});
  }
  Session session;
  session.started_ = Clock::now();
  TRY(const pid_t pid,
      start_program(command,
                    {{sync.write_end.get(), kSyncFd},
                     {start.read_end.get(), kStartFd},
                     {attach.write_end.get(), kAttachFd},
                     {STDERR_FILENO, STDERR_FILENO}},
                    {concat("_OCI_SYNCPIPE=", kSyncFd), concat("_OCI_STARTPIPE=", kStartFd),
                     concat("_OCI_ATTACHPIPE=", kAttachFd)}));
  session.conmon_ = Child(pid);
  start.read_end.reset();
  attach.write_end.reset();
  // It waits twice: to be put into a cgroup, and to be attached to.
  TRY_VOID(write_all(start.write_end.get(), "\n"));
  TRY(const std::string listens, read_some(attach.read_end.get()));
  if (listens.empty()) return base::fail("conmon has not come to listen");
  TRY(session.connection_, connect_to(base::join_path(bundle, "attach")));
  TRY_VOID(write_all(start.write_end.get(), "\n"));
  return session;
}

Status Conmon::Session::read_packet() {
  static thread_local const auto buffer = std::make_unique<std::array<char, kPacketSize>>();
  ssize_t n = -1;
  while ((n = recv(connection_.get(), buffer->data(), buffer->size(), 0)) < 0 && errno == EINTR) {
  }
  if (n < 0) return base::fail_errno("recv from conmon");
  ended_ = n == 0;
  if (n > 0 && buffer->front() == kStandardOutput) payload_ += static_cast<uint64_t>(n) - 1;
  return {};
}

Status Conmon::Session::await_payload(uint64_t bytes) {
  while (payload_ < bytes && !ended_) TRY_VOID(read_packet());
  if (payload_ < bytes) return base::fail("A session of conmon's has ended early");
  return {};
}

Status Conmon::Session::await_end() {
  while (!ended_) TRY_VOID(read_packet());
  return expect_exit(conmon_.release(), "conmon");
}

Result<double> Conmon::Session::send_key() {
  const auto start = Clock::now();
  TRY_VOID(write_all(connection_.get(), "x"));
  TRY_VOID(await_payload(payload_ + 1));
  return milliseconds_since(start);
}

}  // namespace bench
