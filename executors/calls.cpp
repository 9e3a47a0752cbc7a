#include "executors/calls.h"

#include <utility>

#include "proto/wire.h"

namespace executors {

using proto::put_bytes;
using proto::put_double;
using proto::put_id;
using proto::put_varint;

namespace {

// Call.Type
constexpr uint64_t kSubscribe = 1;
constexpr uint64_t kUpdate = 2;
constexpr uint64_t kHeartbeat = 4;

std::string begin_call(const CallHeader& header, uint64_t type) {
  std::string call;
  put_id(1, header.executor_id, &call);
  put_id(2, header.framework_id, &call);
  put_varint(3, type, &call);
  return call;
}

// Call.Update, and the same in Call.Subscribe.
std::string encode_update_member(std::string_view status) {
  std::string update;
  put_bytes(1, status, &update);
  return update;
}

// The number of the kind's member in CheckStatusInfo: command, http, tcp.
uint32_t member_of(CheckKind kind) { return static_cast<uint32_t>(kind) + 1; }

std::string encode_check_status(const CheckResult& result) {
  std::string status;
  put_varint(1, static_cast<uint64_t>(result.kind), &status);
  if (result.kind == CheckKind::kUnknown) return status;
  std::string member;
  // A negative int32 is sign-extended to 64 bits.
  if (result.value) put_varint(1, static_cast<uint64_t>(int64_t{*result.value}), &member);
  put_bytes(member_of(result.kind), member, &status);
  return status;
}

}  // namespace

std::string encode_status(const TaskStatus& status) {
  constexpr uint64_t kSourceExecutor = 2;
  std::string out;
  put_id(1, status.task_id, &out);
  put_varint(2, static_cast<uint64_t>(status.state), &out);
  if (!status.message.empty()) put_bytes(4, status.message, &out);
  put_double(6, status.timestamp, &out);
  put_id(7, status.executor_id, &out);
  if (status.healthy) put_varint(8, *status.healthy ? 1 : 0, &out);
  put_varint(9, kSourceExecutor, &out);
  if (status.reason) put_varint(10, static_cast<uint64_t>(*status.reason), &out);
  put_bytes(11, status.uuid, &out);
  if (status.check_result) put_bytes(15, encode_check_status(*status.check_result), &out);
  return out;
}

std::string encode_subscribe(const CallHeader& header, std::span<const std::string_view> tasks,
                             std::span<const std::string_view> statuses) {
  std::string subscribe;
  for (const std::string_view task : tasks) put_bytes(1, task, &subscribe);
  for (const std::string_view status : statuses) {
    put_bytes(2, encode_update_member(status), &subscribe);
  }
  std::string call = begin_call(header, kSubscribe);
  put_bytes(4, subscribe, &call);
  return call;
}

std::string encode_update(const CallHeader& header, std::string_view status) {
  std::string call = begin_call(header, kUpdate);
  put_bytes(5, encode_update_member(status), &call);
  return call;
}

std::string encode_heartbeat(const CallHeader& header) { return begin_call(header, kHeartbeat); }

}  // namespace executors
