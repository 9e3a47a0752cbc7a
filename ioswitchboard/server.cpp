#include "ioswitchboard/server.h"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

#include "base/combine.h"
#include "base/fd_watch.h"
#include "base/strings.h"
#include "ioswitchboard/attach.h"

namespace ioswitchboard {

namespace {

using base::Fd;
using base::FdWatch;

// Who asked before the container's end is to get an answer. So many turns of the loop a connection
// is given to be accepted and the head of its request, which has come already, to be read.
constexpr int kAttachTurns = 16;

constexpr std::chrono::milliseconds kIdleAfter{500};

base::Task<void> wait_for(base::Event& event) { co_await event.wait(); }

std::shared_ptr<base::Stream> make_stream(int fd, FdWatch::Direction direction) {
  // Nothing that this process might start is to have it.
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  return std::make_shared<base::Stream>(Fd(fd), direction);
}

base::Task<void> wait_for_sigterm() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  const Fd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  FdWatch watch(fd.get(), FdWatch::kRead);
  signalfd_siginfo info;
  while (::read(fd.get(), &info, sizeof(info)) < 0) co_await watch.readable();
}

// Sends a reader all there is, to the end of it.
base::Task<void> stream_to(OutputReader& reader, OutputForm form, http::ResponseWriter& writer) {
  if (!co_await writer.start_stream(200, content_headers(form))) co_return;
  while (!reader.ended()) {
    const std::string_view chunks = reader.next();
    if (chunks.empty()) {
      co_await reader.changed();
      continue;
    }
    if (!co_await writer.write_chunks(chunks)) co_return;
    reader.taken();
  }
  // If this fails the reader has gone, with all its output.
  [[maybe_unused]] const auto finished = co_await writer.finish();
}

}  // namespace

Server::Server(ServerOptions options)
    : options_(std::move(options)),
      server_([this](http::Request& request, http::ResponseWriter& writer) {
        return handle(request, writer);
      }),
      log_({.stall_timeout = options_.stall_timeout,
            .sole_reader_may_pause = options_.wait_for_connection}),
      ring_(options_.replay_size.count()) {
  if (options_.tty) {
    auto terminal = make_stream(kStdinFd, FdWatch::kReadWrite);
    streams_ = {terminal};
    input_ = std::make_unique<ContainerInput>(std::move(terminal), true);
  } else {
    streams_ = {make_stream(kStdoutFd, FdWatch::kRead), make_stream(kStderrFd, FdWatch::kRead)};
    input_ = std::make_unique<ContainerInput>(make_stream(kStdinFd, FdWatch::kWrite), false);
  }
  constexpr struct {
    OutputType type;
    int file;
  } kTargets[] = {{OutputType::kStdout, kSandboxStdoutFd}, {OutputType::kStderr, kSandboxStderrFd}};
  for (size_t i = 0; i < streams_.size(); ++i) {
    const OutputPump::Source source{streams_[i].get(), kTargets[i].type, kTargets[i].file,
                                    options_.tty};
    pumps_.push_back(std::make_unique<OutputPump>(source, log_, ring_));
  }
}

base::Task<void> Server::run() {
  co_await base::any_of(serve(), send_heartbeats(), give_memory_back(), live());
}

base::Task<void> Server::serve() {
  // It fails only if the agent gave us something that is not a listening socket.
  [[maybe_unused]] const auto served = co_await server_.serve(Fd(kListenFd));
}

base::Task<void> Server::live() {
  co_await base::any_of(pump(), wait_for_sigterm());
  co_await wind_down();
}

base::Task<void> Server::pump() {
  if (options_.wait_for_connection) co_await log_.first_reader().wait();
  std::vector<base::Task<void>> running;
  for (const auto& pump : pumps_) running.push_back(pump->run());
  co_await base::all_of(std::move(running));
  co_await container_ended_.wait();
}

base::Task<void> Server::wind_down() {
  container_ended_.set();
  for (int i = 0; i < kAttachTurns && somebody_is_attaching(); ++i) co_await base::next_turn();
  for (const auto& pump : pumps_) pump->drain();
  report_lost_output();
  log_.finish();
  co_await log_.drained();
  const auto deadline = std::chrono::steady_clock::now() + options_.stall_timeout;
  while (requests_ > 0 && std::chrono::steady_clock::now() < deadline) {
    request_handled_.clear();
    co_await base::any_of(wait_for(request_handled_),
                          base::sleep_task(deadline - std::chrono::steady_clock::now()));
  }
}

bool Server::somebody_is_attaching() const {
  pollfd listening{kListenFd, POLLIN, 0};
  return poll(&listening, 1, 0) > 0 || server_.connections() > requests_;
}

void Server::report_lost_output() {
  constexpr std::string_view kNames[] = {"stdout", "stderr"};
  for (size_t i = 0; i < pumps_.size(); ++i) {
    if (pumps_[i]->lost_bytes() == 0) continue;
    const std::string text = base::concat(
        "mesos-io-switchboard: ", pumps_[i]->lost_bytes(), " bytes of ", kNames[i],
        " could not be written to the sandbox: ", std::strerror(pumps_[i]->lost_errno()), "\n");
    // If there still is no room for it, nobody can be told.
    [[maybe_unused]] const ssize_t n = ::write(kSandboxStderrFd, text.data(), text.size());
  }
}

base::Task<void> Server::send_heartbeats() {
  const auto start = std::chrono::steady_clock::now();
  for (int64_t beat = 1;; ++beat) {
    co_await base::sleep_for(start + beat * options_.heartbeat_interval -
                             std::chrono::steady_clock::now());
    // A reader that has plenty to take needs no sign that there may be some later.
    if (log_.unread() || log_.full()) continue;
    log_.append(OutputRecord::heartbeat(options_.heartbeat_interval));
  }
}

// A burst leaves a heap full of holes. There are many switchboards, most of them idle for most of
// their life; but in the middle of a stream this would cost more than it gives.
base::Task<void> Server::give_memory_back() {
  base::Event& activity = log_.activity();
  while (true) {
    co_await activity.wait();
    while (activity.is_set()) {
      activity.clear();
      co_await base::sleep_for(kIdleAfter);
    }
    if (log_.empty()) malloc_trim(0);
  }
}

base::Task<void> Server::handle(http::Request& request, http::ResponseWriter& writer) {
  // The handler may be destroyed instead of ending.
  struct Counted {
    Server& server;
    explicit Counted(Server& s) : server(s) { ++server.requests_; }
    ~Counted() {
      --server.requests_;
      server.request_handled_.set();
    }
  } counted(*this);

  if (request.method != "POST") {
    http::Response response = http::error_response(405);
    response.headers.set("Allow", "POST");
    [[maybe_unused]] const auto sent = co_await writer.send(std::move(response));
  } else if (request.path == kOutputPath) {
    co_await handle_output(request, writer);
  } else if (request.path == kInputPath) {
    co_await handle_input(request, writer);
  } else {
    [[maybe_unused]] const auto sent = co_await writer.send(http::error_response(404));
  }
}

base::Task<void> Server::handle_output(http::Request& request, http::ResponseWriter& writer) {
  const auto form = parse_accept(request.headers);
  if (!form) {
    [[maybe_unused]] const auto sent =
        co_await writer.send(http::error_response(406, form.error().message));
    co_return;
  }
  const std::string* replay = request.query.find(kReplayParameter);
  OutputReader reader(
      log_, form->encoding,
      replay != nullptr && *replay == "true" ? ring_.records() : std::deque<OutputRecord>());
  co_await base::any_of(stream_to(reader, *form, writer), wait_for(reader.cut_off()),
                        answer_half_close(writer));
}

// The agent passes on that its client has closed its sending side, to see whether there still is
// somebody: a heartbeat tells. What the reader has not taken yet does so as well.
base::Task<void> Server::answer_half_close(http::ResponseWriter& writer) {
  co_await writer.half_closed().wait();
  if (!log_.full()) log_.append(OutputRecord::heartbeat(options_.heartbeat_interval));
  co_await std::suspend_always{};
}

base::Task<void> Server::handle_input(http::Request& request, http::ResponseWriter& writer) {
  const std::string* type = request.headers.find("Message-Content-Type");
  const auto encoding = type != nullptr ? encoding_of(*type) : std::nullopt;
  if (!encoding) {
    [[maybe_unused]] const auto sent = co_await writer.send(http::error_response(
        415, "Expecting 'Message-Content-Type' of application/json or application/x-protobuf"));
    co_return;
  }
  auto result = co_await base::any_of(input_->serve(*encoding, request.body, writer),
                                      wait_for(container_ended_));
  http::Response response;
  if (auto* status = std::get_if<base::Status>(&result); status != nullptr && !*status) {
    if (status->error().kind == base::ErrorKind::kClosed) co_return;
    response = http::error_response(status->error());
  }
  [[maybe_unused]] const auto sent = co_await writer.send(std::move(response));
}

}  // namespace ioswitchboard
