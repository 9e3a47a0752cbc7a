// Attached sessions beside those of conmon with runc.

#include <algorithm>

#include "base/strings.h"
#include "bench/agent_session.h"
#include "bench/conmon.h"
#include "bench/copy_floor.h"
#include "bench/process_figures.h"
#include "bench/rows.h"

namespace bench {

using base::concat;
using base::Result;
using base::Status;

namespace {

constexpr uint64_t kMegabyte = 1'000'000;
const std::vector<std::string> kEcho = {"/bin/echo", "hello"};

struct EchoTimes {
  Samples first_byte, end;  // milliseconds from the call
};

Status compare_starts(Bench& bench, const Conmon& conmon) {
  EchoTimes ours, theirs;
  for (int round = 0; round < bench.settings.rounds(80); ++round) {
    const ContainerID id = child_id(root_id(kParent), concat("beside-conmon-", round));
    const std::string call = request(launch_session(id, kEcho, false));
    TRY(AgentSession our_session, AgentSession::start(bench.agent, call, Encoding::kJson));
    TRY_VOID(our_session.await_payload(1));
    ours.first_byte.add(milliseconds_since(our_session.started()));
    TRY_VOID(our_session.await_end());
    ours.end.add(milliseconds_since(our_session.started()));

    TRY(Conmon::Session their_session, conmon.start(concat("echo-", round), kEcho));
    TRY_VOID(their_session.await_payload(1));
    theirs.first_byte.add(milliseconds_since(their_session.started()));
    TRY_VOID(their_session.await_end());
    theirs.end.add(milliseconds_since(their_session.started()));
  }
  bench.table.compare(Figure::of("session of echo: call to first byte", ours.first_byte),
                      Figure::of("conmon + runc exec: first byte", theirs.first_byte), "ms");
  bench.table.compare(Figure::of("session of echo: call to end", ours.end),
                      Figure::of("conmon + runc exec: end of conmon", theirs.end), "ms");
  return {};
}

Status compare_keys(Bench& bench, const Conmon& conmon) {
  Samples ours, theirs;
  {
    const ContainerID id = child_id(root_id(kParent), "cat-beside-conmon");
    TRY(TypingSession our_session, TypingSession::start(bench.agent, id, EchoKind::kPipe));
    TRY(Conmon::Session their_session, conmon.start("cat", {"/bin/cat"}));
    const int warm_up = 20;
    for (int i = -warm_up; i < bench.settings.rounds(2000); ++i) {
      TRY(const double our_ms, our_session.send_key());
      TRY(const double their_ms, their_session.send_key());
      if (i < 0) continue;
      ours.add(our_ms);
      theirs.add(their_ms);
    }
  }
  bench.table.compare(Figure::of("key echo, pipe to cat", ours),
                      Figure::of("conmon, by its attach socket", theirs), "ms");
  return {};
}

Result<double> stream_conmon(const Conmon& conmon, const std::string& name,
                             const std::string& program, uint64_t bytes) {
  TRY(Conmon::Session session, conmon.start(name, writer_command(program, bytes)));
  TRY_VOID(session.await_payload(bytes));
  const double ms = milliseconds_since(session.started());
  TRY_VOID(session.await_end());
  return static_cast<double>(bytes) / ms * 1e3;
}

// conmon writes no file here, the agent writes the sandbox's.
Status compare_streams(Bench& bench, const Conmon& conmon) {
  const uint64_t bytes = (bench.settings.quick ? uint64_t{64} : uint64_t{256}) << 20;
  const std::string& self = bench.settings.self;
  const std::string inside = OciRuntime::kSelfDirectory + self.substr(self.rfind('/'));
  Samples ours, theirs;
  for (int round = 0; round < (bench.settings.quick ? 2 : 5); ++round) {
    TRY(double rate,
        stream_session(bench, concat("beside-conmon-stream-", round), Encoding::kProtobuf, bytes));
    ours.add(rate / kMegabyte);
    TRY(rate, stream_conmon(conmon, concat("stream-", round), inside, bytes));
    theirs.add(rate / kMegabyte);
  }
  bench.table.compare({"session output, protobuf", ours.p50(), std::nullopt},
                      {"conmon, by its attach socket, no log", theirs.p50(), std::nullopt}, "MB/s");
  return {};
}

Status compare_memory(Bench& bench, const Conmon& conmon) {
  const int count = std::min(bench.settings.rounds(100), 100);
  std::vector<Conmon::Session> theirs;
  std::vector<AgentSession> ours;
  for (int i = 0; i < count; ++i) {
    TRY(Conmon::Session session, conmon.start(concat("idle-", i), {"/bin/cat"}));
    theirs.push_back(std::move(session));
    const ContainerID id = child_id(root_id(kParent), concat("idle-beside-conmon-", i));
    const std::string call = request(launch_session(id, {"/bin/sleep", "100000"}, false));
    TRY(AgentSession our_session, AgentSession::start(bench.agent, call, Encoding::kJson));
    ours.push_back(std::move(our_session));
  }
  // A process of theirs only once it runs has had all that it needs.
  for (auto& session : theirs) TRY_VOID(session.send_key());
  TRY(const Samples conmons, pss_of("conmon", static_cast<size_t>(count)));
  TRY(const Samples switchboards, pss_of("mesos-io-switchboard", static_cast<size_t>(count)));
  TRY(const Samples helpers, pss_of("mesos-containerizer", static_cast<size_t>(count)));
  bench.table.compare({concat("PSS of switchboard and launch helper, ", count, " sessions"),
                       switchboards.p50() + helpers.p50(), std::nullopt},
                      {concat("PSS of conmon, ", count, " sessions"), conmons.p50(), std::nullopt},
                      "KiB");
  return {};
}

Status compare_all(Bench& bench, const Conmon& conmon) {
  TRY_VOID(compare_starts(bench, conmon));
  TRY_VOID(compare_keys(bench, conmon));
  TRY_VOID(compare_streams(bench, conmon));
  return compare_memory(bench, conmon);
}

}  // namespace

Status measure_beside_conmon(Bench& bench) {
  const auto runc = std::ranges::find(bench.runtimes, "runc", &OciRuntime::name);
  if (bench.settings.conmon.empty() || runc == bench.runtimes.end()) {
    bench.table.section("not compared: conmon or runc is not there");
    return {};
  }
  TRY_VOID(runc->start_idle(bench.settings.self));
  const Conmon conmon(bench.settings.conmon, bench.settings.directory, *runc);
  auto compared = compare_all(bench, conmon);
  runc->stop_idle();
  return compared;
}

}  // namespace bench
