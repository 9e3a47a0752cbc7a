// Throughput of a session's output, beside a bare copy loop.

#include "base/strings.h"
#include "bench/agent_session.h"
#include "bench/copy_floor.h"
#include "bench/rows.h"

namespace bench {

using base::concat;
using base::Result;
using base::Status;

namespace {

constexpr uint64_t kMegabyte = 1'000'000;

// Apache Mesos's rates beside its bare copy of 1,850 MB/s.
constexpr double kBareThen = 1850;
constexpr double kMesosProtobuf = 215;
constexpr double kMesosJson = 60;

Status compare(Bench& bench, const char* encoding, const Samples& ours, const Samples& bare,
               double mesos_share, Budget budget) {
  const Figure figure{concat("session output, ", std::string_view(encoding)), ours.p50(),
                      std::nullopt};
  bench.table.compare(figure, {"bare pipe to TCP copy loop", bare.p50(), std::nullopt}, "MB/s",
                      budget);
  bench.table.compare(
      figure, {"Apache Mesos (recorded, scaled by copy)", bare.p50() * mesos_share, std::nullopt},
      "MB/s");
  return {};
}

}  // namespace

Result<double> stream_session(const Bench& bench, const std::string& name, Encoding encoding,
                              uint64_t bytes) {
  const ContainerID id = child_id(root_id(kParent), name);
  const auto command = writer_command(bench.settings.self, bytes);
  TRY(AgentSession session,
      AgentSession::start(bench.agent, request(launch_session(id, command, false), encoding),
                          encoding));
  TRY_VOID(session.await_end());
  const double ms = milliseconds_since(session.started());
  if (session.payload() != bytes) {
    return base::fail(concat("A session has brought ", session.payload(), " bytes of ", bytes));
  }
  TRY(Client cleaner, Client::connect(bench.agent.port()));
  (void)cleaner.exchange(request(wait_for(id)));
  TRY_VOID(perform(cleaner, remove(id)));  // its sandbox has all the output too
  return static_cast<double>(bytes) / ms * 1e3;
}

Status measure_streams(Bench& bench) {
  const uint64_t bytes = (bench.settings.quick ? uint64_t{128} : uint64_t{512}) << 20;
  Samples bare, protobuf, json;
  // The first one often stands alone: the sandbox's files fill memory that a virtual machine's host
  // has yet to find, and later ones get the same memory again.
  TRY(const double first, stream_session(bench, "first", Encoding::kProtobuf, bytes));
  for (int round = 0; round < (bench.settings.quick ? 3 : 7); ++round) {
    TRY(double rate, measure_copy(bench.settings.self, bytes));
    bare.add(rate / kMegabyte);
    TRY(rate, stream_session(bench, concat("protobuf-", round), Encoding::kProtobuf, bytes));
    protobuf.add(rate / kMegabyte);
    TRY(rate, stream_session(bench, concat("json-", round), Encoding::kJson, bytes));
    json.add(rate / kMegabyte);
  }
  bench.table.compare({"session output, protobuf, the first one", first / kMegabyte, std::nullopt},
                      {"later ones", protobuf.p50(), std::nullopt}, "MB/s");
  TRY_VOID(compare(bench, "protobuf", protobuf, bare, kMesosProtobuf / kBareThen, at_least(0.5)));
  return compare(bench, "JSON", json, bare, kMesosJson / kBareThen, at_least(0.25));
}

}  // namespace bench
