#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "base/fd.h"
#include "base/stream.h"
#include "base/strings.h"
#include "executors/checks/command_probe.h"
#include "executors/checks/probe.h"
#include "executors/checks/url.h"
#include "executors/process.h"
#include "http/client.h"

namespace executors {

using base::concat;

namespace {

// As many as curl follows.
constexpr int kMaxRedirections = 50;

// The status code, and where it leads if it is a redirection.
struct Answer {
  int32_t status = 0;
  std::optional<Url> location;
};

bool is_redirection(int status) {
  constexpr int kStatuses[] = {301, 302, 303, 307, 308};
  for (const int each : kStatuses) {
    if (each == status) return true;
  }
  return false;
}

base::Task<base::Result<Answer>> get(Url url, std::string address) {
  CO_TRY(auto fd, co_await base::connect_tcp(address, url.port));
  http::ClientConnection connection(std::move(fd));
  http::Headers headers{
      {"Host", url.authority()}, {"User-Agent", "mesos-executor"}, {"Accept", "*/*"}};
  CO_TRY_VOID(co_await connection.send("GET", url.target, std::move(headers)));
  CO_TRY(const auto response, co_await connection.read_response());
  Answer answer{.status = response.status};
  const std::string* location = response.headers.find("Location");
  if (location != nullptr && is_redirection(response.status)) {
    answer.location = resolve_location(url, *location);
    if (!answer.location) {
      co_return base::fail(concat("'", url.text(), "' redirects to '", *location, "'"));
    }
  }
  co_return answer;
}

// What curl writes: the status code, once it has ended. Its own complaints go to stderr.
base::Task<ProbeResult> run_curl(std::string url, ProbeContext context) {
  CO_TRY(auto pipe, base::make_pipe());
  const Command command{.shell = false,
                        .value = "curl",
                        .arguments = {"curl", "-s", "-S", "-L", "-k", "-w", "%{http_code}", "-o",
                                      "/dev/null", "-g", url}};
  auto pid = start_process(command, {.environment = make_environment({}),
                                     .stdin_path = "/dev/null",
                                     .stdout_fd = pipe.write_end.get(),
                                     .user = context.user});
  if (!pid) {
    co_return base::fail(
        std::move(pid).error().with_context(concat("'", url, "' needs the program curl")));
  }
  ProbeProcess process(context.reaper, *pid);
  pipe.write_end.reset();
  base::Stream output(std::move(pipe.read_end), base::FdWatch::kRead);
  std::string text;
  while (true) {
    std::array<char, 64> buffer;
    CO_TRY(const size_t n, co_await output.read_some(buffer));
    if (n == 0) break;
    text.append(buffer.data(), n);
  }
  const int status = co_await process.end();
  const auto code = base::parse_number<int32_t>(text);
  if (status != 0 || !code) co_return base::fail(concat("curl failed to get '", url, "'"));
  co_return *code;
}

}  // namespace

base::Task<ProbeResult> run_http_probe(std::string url, ProbeContext context) {
  auto next = parse_url(url);
  if (!next) co_return base::fail(concat("'", url, "' is no URL of a check"));
  for (int i = 0; i <= kMaxRedirections; ++i) {
    auto address = numeric_address(*next);
    if (next->scheme != "http" || !address) co_return co_await run_curl(next->text(), context);
    CO_TRY(auto answer, co_await get(*next, *std::move(address)));
    if (!answer.location) co_return answer.status;
    next = std::move(answer.location);
  }
  co_return base::fail(concat("'", url, "' redirects more than ", kMaxRedirections, " times"));
}

}  // namespace executors
