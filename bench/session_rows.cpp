// Sessions: how soon the first byte comes, how long a short one takes, and the echo of a keystroke.

#include "base/strings.h"
#include "bench/agent_session.h"
#include "bench/echo_floor.h"
#include "bench/operator_calls.h"
#include "bench/rows.h"

namespace bench {

using base::concat;
using base::Result;
using base::Status;

namespace {

constexpr double kMesosFirstByteMs = 67;  // the middle of 60 to 75
constexpr double kMesosKeyMs = 0.32;

Status measure_echo(const Bench& bench, Client& client, int round, Samples* first_byte,
                    Samples* end) {
  const ContainerID id = child_id(root_id(kParent), concat("session-", round));
  const std::string wait = request(wait_for(id));
  TRY(AgentSession session,
      AgentSession::start(bench.agent, request(launch_session(id, {"/bin/echo", "hello"}, false)),
                          Encoding::kJson));
  TRY_VOID(session.await_payload(1));
  first_byte->add(milliseconds_since(session.started()));
  TRY_VOID(session.await_end());
  TRY(const std::string reply, perform(client, wait));
  end->add(milliseconds_since(session.started()));
  TRY_VOID(expect_success(reply));
  return perform(client, remove(id));
}

struct KeyMeasurement {
  EchoKind kind;
  const char* session;  // its container's name
  const char* title;
  const char* floor_title;
};

constexpr KeyMeasurement kKeyMeasurements[] = {
    {EchoKind::kTerminal, "terminal", "key echo, terminal", "bare terminal over TCP"},
    {EchoKind::kPipe, "cat", "key echo, pipe to cat", "bare pipe to cat over TCP"},
};

Status measure_keys(Bench& bench, const KeyMeasurement& what) {
  Samples ours, floors;
  const int keys = bench.settings.rounds(3000);
  const int warm_up = 20;
  {
    const ContainerID id = child_id(root_id(kParent), what.session);
    TRY(TypingSession session, TypingSession::start(bench.agent, id, what.kind));
    TRY(EchoFloor floor, EchoFloor::start(bench.settings.self, what.kind));
    for (int i = -warm_up; i < keys; ++i) {
      TRY(const double our_ms, session.send_key());
      TRY(const double floor_ms, floor.send_key());
      if (i < 0) continue;
      ours.add(our_ms);
      floors.add(floor_ms);
    }
  }
  // The session has lost its client, and with it its life.
  TRY(Client client, Client::connect(bench.agent.port()));
  (void)client.exchange(request(wait_for(child_id(root_id(kParent), what.session))));

  const Figure figure = Figure::of(what.title, ours);
  const Figure floor_figure = Figure::of(what.floor_title, floors);
  bench.table.compare_p99(figure, floor_figure, "ms", at_most(2));
  bench.table.compare(figure, floor_figure, "ms");
  bench.table.compare(figure, bench.mesos(kMesosKeyMs), "ms");
  return {};
}

}  // namespace

Status measure_sessions(Bench& bench) {
  TRY(Client client, Client::connect(bench.agent.port()));
  for (auto& runtime : bench.runtimes) TRY_VOID(runtime.start_idle(bench.settings.self));
  Samples first_byte, end;
  std::vector<Samples> their_first(bench.runtimes.size());
  std::vector<Samples> their_end(bench.runtimes.size());
  for (int round = 0; round < bench.settings.rounds(160); ++round) {
    TRY_VOID(measure_echo(bench, client, round, &first_byte, &end));
    for (size_t i = 0; i < bench.runtimes.size(); ++i) {
      TRY(const auto exec, bench.runtimes[i].exec_echo());
      their_first[i].add(exec.first_byte);
      their_end[i].add(exec.end);
    }
  }
  for (auto& runtime : bench.runtimes) runtime.stop_idle();

  const Figure first = Figure::of("session of echo: call to first byte", first_byte);
  const Figure whole = Figure::of("session of echo: call to end + wait", end);
  bench.table.compare(first, bench.mesos(kMesosFirstByteMs), "ms", at_most(0.1));
  for (size_t i = 0; i < bench.runtimes.size(); ++i) {
    const std::string exec = bench.runtimes[i].name() + " exec of echo: ";
    bench.table.compare(first, Figure::of(exec + "first byte", their_first[i]), "ms");
    bench.table.compare(whole, Figure::of(exec + "exit", their_end[i]), "ms");
  }
  return {};
}

Status measure_keys(Bench& bench) {
  for (const auto& what : kKeyMeasurements) TRY_VOID(measure_keys(bench, what));
  return {};
}

}  // namespace bench
