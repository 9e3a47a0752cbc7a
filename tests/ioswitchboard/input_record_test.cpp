#include "ioswitchboard/input_record.h"

#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "proto/json_read.h"
#include "proto/json_write.h"
#include "proto/mesos/v1/agent/agent.pb.h"

namespace ioswitchboard {
namespace {

using mesos::v1::agent::Call;
using mesos::v1::agent::ProcessIO;
using Input = Call::AttachContainerInput;
using Kind = InputRecord::Kind;

Call process_io_call() {
  Call call;
  call.set_type(Call::ATTACH_CONTAINER_INPUT);
  call.mutable_attach_container_input()->set_type(Input::PROCESS_IO);
  return call;
}

Call data_call(std::string_view data) {
  Call call = process_io_call();
  ProcessIO& io = *call.mutable_attach_container_input()->mutable_process_io();
  io.set_type(ProcessIO::DATA);
  io.mutable_data()->set_type(ProcessIO::Data::STDIN);
  io.mutable_data()->set_data(std::string(data));
  return call;
}

Call window_call(uint32_t rows, uint32_t columns) {
  Call call = process_io_call();
  ProcessIO& io = *call.mutable_attach_container_input()->mutable_process_io();
  io.set_type(ProcessIO::CONTROL);
  io.mutable_control()->set_type(ProcessIO::Control::TTY_INFO);
  auto* size = io.mutable_control()->mutable_tty_info()->mutable_window_size();
  size->set_rows(rows);
  size->set_columns(columns);
  return call;
}

Call heartbeat_call() {
  Call call = process_io_call();
  ProcessIO& io = *call.mutable_attach_container_input()->mutable_process_io();
  io.set_type(ProcessIO::CONTROL);
  io.mutable_control()->set_type(ProcessIO::Control::HEARTBEAT);
  io.mutable_control()->mutable_heartbeat()->mutable_interval()->set_nanoseconds(30000000000);
  return call;
}

std::string encode(Encoding encoding, const Call& call) {
  if (encoding == Encoding::kProtobuf) return call.SerializePartialAsString();
  std::string text;
  proto::append_json(call, &text);
  return text;
}

constexpr Encoding kBoth[] = {Encoding::kJson, Encoding::kProtobuf};

// "" if the record is good.
std::string error_of(Encoding encoding, std::string_view record) {
  auto decoded = decode_input(encoding, record);
  if (decoded) return "";
  EXPECT_EQ(decoded.error().kind, base::ErrorKind::kInvalid);
  return decoded.error().message;
}
std::string json_error(std::string_view record) { return error_of(Encoding::kJson, record); }

std::string json_data_error(std::string_view data) {
  std::string record =
      R"({"type":"ATTACH_CONTAINER_INPUT","attach_container_input":{"type":"PROCESS_IO",)"
      R"("process_io":)";
  record += data;
  return json_error(record + "}}");
}

TEST(InputRecord, DecodesData) {
  std::string binary;
  for (int i = 0; i < 70000; ++i) binary += static_cast<char>(i * 7);
  for (Encoding encoding : kBoth) {
    for (const std::string& data : {std::string(), std::string("ls\n"), binary}) {
      const auto record = decode_input(encoding, encode(encoding, data_call(data)));
      ASSERT_TRUE(record.has_value()) << record.error().message;
      EXPECT_EQ(record->kind, Kind::kData);
      EXPECT_EQ(record->data, data);
    }
  }
}

TEST(InputRecord, DecodesWindowSizes) {
  for (Encoding encoding : kBoth) {
    for (auto [rows, columns] : {std::pair{0u, 0u}, {40u, 120u}, {4294967295u, 1u}}) {
      const auto record = decode_input(encoding, encode(encoding, window_call(rows, columns)));
      ASSERT_TRUE(record.has_value()) << record.error().message;
      EXPECT_EQ(record->kind, Kind::kTtyInfo);
      EXPECT_EQ(record->rows, rows);
      EXPECT_EQ(record->columns, columns);
    }
  }
}

TEST(InputRecord, DecodesHeartbeats) {
  for (Encoding encoding : kBoth) {
    const auto record = decode_input(encoding, encode(encoding, heartbeat_call()));
    ASSERT_TRUE(record.has_value()) << record.error().message;
    EXPECT_EQ(record->kind, Kind::kHeartbeat);
  }
}

TEST(InputRecord, ReadsWhatThePythonClientsWrite) {
  const auto record = decode_input(
      Encoding::kJson,
      R"({"type": "ATTACH_CONTAINER_INPUT", "attach_container_input": {"type": "PROCESS_IO", )"
      R"("process_io": {"type": "DATA", "data": {"type": "STDIN", "data": "cGlwZWQtc3RkaW4K"}}}})");
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->data, "piped-stdin\n");
}

// mesos-go does it in JSON.
TEST(InputRecord, TakesAbsentDataForNone) {
  Call call = data_call("");
  call.mutable_attach_container_input()->mutable_process_io()->mutable_data()->clear_data();
  for (Encoding encoding : kBoth) {
    const auto record = decode_input(encoding, encode(encoding, call));
    ASSERT_TRUE(record.has_value()) << record.error().message;
    EXPECT_EQ(record->kind, Kind::kData);
    EXPECT_EQ(record->data, "");
  }
}

TEST(InputRecord, IsAsLenientWithJsonAsApacheMesos) {
  EXPECT_EQ(json_data_error(R"({"type":"DATA","data":{"type":"STDIN","data":"YQ"}})"), "");
  EXPECT_EQ(json_data_error(R"({"type":"DATA","data":{"type":"STDIN","data":" Y\nQ = junk!"}})"),
            "");
  EXPECT_EQ(json_data_error(R"({"new":[{"a":[1,{}]}],"type":"DATA","control":null,"x":null,)"
                            R"("data":{"more":{"data":1},"type":"STDIN","data":""}})"),
            "");
  // Of a name that comes twice the last one counts, with nothing of the first left.
  EXPECT_EQ(json_data_error(R"({"type":"DATA","data":{"type":"STDIN","data":"YQ=="},)"
                            R"("data":{"data":""}})"),
            "Expecting 'process_io.data.type' to be present");
  EXPECT_EQ(json_data_error(R"({"type":"CONTROL","control":{"type":"TTY_INFO","tty_info":)"
                            R"({"window_size":{"rows":"40","columns":80.7}}}})"),
            "");
  EXPECT_EQ(json_data_error(R"({"type":"CONTROL","control":{"type":"HEARTBEAT","heartbeat":{}}})"),
            "");
  const auto record = decode_input(
      Encoding::kJson,
      R"({"type":"ATTACH_CONTAINER_INPUT","attach_container_input":{"type":"PROCESS_IO",)"
      R"("process_io":{"type":"CONTROL","control":{"type":"TTY_INFO","tty_info":{"window_size":)"
      R"({"rows":-1,"columns":4294967297}}}}}})");
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->rows, 4294967295u);
  EXPECT_EQ(record->columns, 1u);
}

TEST(InputRecord, SaysWhatIsWrongWithTheJson) {
  EXPECT_TRUE(json_error("").starts_with("Failed to parse body into JSON: "));
  EXPECT_TRUE(json_error("{").starts_with("Failed to parse body into JSON: "));
  EXPECT_TRUE(json_error(encode(Encoding::kJson, data_call("x")) + "x")
                  .starts_with("Failed to parse body into JSON: "));
  EXPECT_TRUE(json_error("{\"x\":" + std::string(100000, '[')).starts_with("Failed to parse"));
  EXPECT_TRUE(json_error(encode(Encoding::kJson, data_call("x")) + std::string(1, '\0'))
                  .starts_with("Failed to parse body into JSON: "));
  EXPECT_EQ(json_error("\"text\""), "Expecting a JSON object");
  EXPECT_EQ(json_error("[]"), "Expecting a JSON object");
  EXPECT_EQ(json_error("17"), "Expecting a JSON object");
  EXPECT_EQ(json_error("null"), "Expecting a JSON object");
  EXPECT_EQ(json_data_error("5"), "Not expecting a JSON number for field 'process_io'");
  EXPECT_EQ(json_data_error("[{}]"), "Not expecting a JSON array for field 'process_io'");
  EXPECT_EQ(json_data_error("true"), "Not expecting a JSON boolean for field 'process_io'");
  EXPECT_EQ(json_data_error("\"x\""), "Not expecting a JSON string for field 'process_io'");
  EXPECT_EQ(json_data_error(R"({"type":1})"), "Not expecting a JSON number for field 'type'");
  EXPECT_EQ(json_data_error(R"({"type":{}})"), "Not expecting a JSON object for field 'type'");
  EXPECT_EQ(json_data_error(R"({"type":"DATA","data":{"type":"STDIN","data":"a*b="}})"),
            "Failed to base64 decode bytes field 'data': Invalid character '*'");
  EXPECT_EQ(json_data_error(R"({"type":"CONTROL","control":{"type":"TTY_INFO","tty_info":)"
                            R"({"window_size":{"rows":null}}}})"),
            "Missing required fields: "
            "attach_container_input.process_io.control.tty_info.window_size.rows, "
            "attach_container_input.process_io.control.tty_info.window_size.columns");
}

TEST(InputRecord, SaysWhatIsWrongWithTheMessage) {
  const auto errors = [](const Call& call) {
    const std::string json = error_of(Encoding::kJson, encode(Encoding::kJson, call));
    EXPECT_EQ(json, error_of(Encoding::kProtobuf, encode(Encoding::kProtobuf, call)));
    return json;
  };
  Call call;
  EXPECT_EQ(errors(call), "Expecting 'type' to be 'ATTACH_CONTAINER_INPUT'");
  call.set_type(Call::GET_HEALTH);
  EXPECT_EQ(errors(call), "Expecting 'type' to be 'ATTACH_CONTAINER_INPUT'");
  call.set_type(Call::ATTACH_CONTAINER_INPUT);
  EXPECT_EQ(errors(call), "Expecting 'attach_container_input' to be present");
  Input& input = *call.mutable_attach_container_input();
  EXPECT_EQ(errors(call),
            "Expecting 'attach_container_input.type' to be 'PROCESS_IO' instead of: 'UNKNOWN'");
  input.set_type(Input::CONTAINER_ID);
  EXPECT_EQ(errors(call),
            "Expecting 'attach_container_input.type' to be 'PROCESS_IO' instead of: "
            "'CONTAINER_ID'");
  input.set_type(Input::PROCESS_IO);
  EXPECT_EQ(errors(call), "Expecting 'attach_container_input.process_io' to be present");
  ProcessIO& io = *input.mutable_process_io();
  EXPECT_EQ(errors(call), "Expecting 'process_io.type' to be present");
  io.set_type(ProcessIO::UNKNOWN);
  EXPECT_EQ(errors(call), "'process_io.type' is unknown");

  io.set_type(ProcessIO::DATA);
  EXPECT_EQ(errors(call), "Expecting 'process_io.data' to be present");
  io.mutable_data();
  EXPECT_EQ(errors(call), "Expecting 'process_io.data.type' to be present");
  io.mutable_data()->set_data("x");
  io.mutable_data()->set_type(ProcessIO::Data::STDOUT);
  EXPECT_EQ(errors(call), "Expecting 'process_io.data.type' to be 'STDIN'");  // recorded

  io.set_type(ProcessIO::CONTROL);
  EXPECT_EQ(errors(call), "Expecting 'process_io.control' to be present");
  io.mutable_control();
  EXPECT_EQ(errors(call), "Expecting 'process_io.control.type' to be present");
  io.mutable_control()->set_type(ProcessIO::Control::UNKNOWN);
  EXPECT_EQ(errors(call), "'process_io.control.type' is unknown");
  io.mutable_control()->set_type(ProcessIO::Control::HEARTBEAT);
  EXPECT_EQ(errors(call), "Expecting 'process_io.control.heartbeat' to be present");
  io.mutable_control()->set_type(ProcessIO::Control::TTY_INFO);
  EXPECT_EQ(errors(call), "Expecting 'process_io.control.tty_info' to be present");
  io.mutable_control()->mutable_tty_info();
  EXPECT_EQ(errors(call), "Expecting 'tty_info.window_size' to be present");
}

TEST(InputRecord, RefusesBrokenProtobuf) {
  const std::string good = encode(Encoding::kProtobuf, data_call("abc"));
  constexpr std::string_view kBroken = "Failed to parse body into a protobuf object";
  EXPECT_EQ(error_of(Encoding::kProtobuf, good.substr(0, good.size() - 1)), kBroken);
  EXPECT_EQ(error_of(Encoding::kProtobuf, good + "\xff"), kBroken);
  Call call = window_call(1, 2);
  call.mutable_attach_container_input()
      ->mutable_process_io()
      ->mutable_control()
      ->mutable_tty_info()
      ->mutable_window_size()
      ->clear_columns();
  EXPECT_EQ(error_of(Encoding::kProtobuf, encode(Encoding::kProtobuf, call)), kBroken);
}

// What the real parsers make of the bytes must be what ours makes of them.
void compare(Encoding encoding, const std::string& record) {
  Call call;
  // Partially, because the other way logs what is missing.
  const bool parsed = encoding == Encoding::kProtobuf
                          ? call.ParsePartialFromString(record) && call.IsInitialized()
                          : proto::parse_json(record, &call).has_value();
  const auto decoded = decode_input(encoding, record);
  const auto& io = call.attach_container_input().process_io();
  if (!decoded) {
    // Whatever is refused must be broken, or not be one of the three good messages.
    if (!parsed) return;
    const bool data = io.type() == ProcessIO::DATA && io.data().type() == ProcessIO::Data::STDIN;
    const bool window = io.type() == ProcessIO::CONTROL &&
                        io.control().type() == ProcessIO::Control::TTY_INFO &&
                        io.control().tty_info().has_window_size();
    const bool heartbeat = io.type() == ProcessIO::CONTROL &&
                           io.control().type() == ProcessIO::Control::HEARTBEAT &&
                           io.control().has_heartbeat();
    EXPECT_FALSE(call.type() == Call::ATTACH_CONTAINER_INPUT &&
                 call.attach_container_input().type() == Input::PROCESS_IO &&
                 (data || window || heartbeat))
        << decoded.error().message << "\n"
        << call.DebugString();
    return;
  }
  // Parts that do not matter here are not even parsed.
  if (!parsed) return;
  switch (decoded->kind) {
    case Kind::kData:
      EXPECT_EQ(decoded->data, io.data().data());
      EXPECT_EQ(io.data().type(), ProcessIO::Data::STDIN);
      break;
    case Kind::kTtyInfo:
      EXPECT_EQ(decoded->rows, io.control().tty_info().window_size().rows());
      EXPECT_EQ(decoded->columns, io.control().tty_info().window_size().columns());
      break;
    case Kind::kHeartbeat:
      EXPECT_TRUE(io.control().has_heartbeat());
      break;
  }
}

TEST(InputRecord, AgreesWithTheRealParsersOnDamagedRecords) {
  google::protobuf::LogSilencer silencer;
  std::mt19937 random(17);
  const auto below = [&random](size_t n) {
    return std::uniform_int_distribution<size_t>(0, n - 1)(random);
  };
  const Call calls[] = {data_call("some data"), data_call(""), window_call(300, 70000),
                        heartbeat_call()};
  const std::vector<std::string> words = {"\"",
                                          "{",
                                          "}",
                                          "[",
                                          "]",
                                          ":",
                                          ",",
                                          "null",
                                          "true",
                                          "1",
                                          "-1",
                                          "1e2",
                                          "\\u0041",
                                          "=",
                                          " ",
                                          "\"type\":",
                                          "\"data\":",
                                          "\"STDIN\"",
                                          "\"DATA\"",
                                          "\"control\":{}",
                                          "\"rows\":\"7\""};
  for (int round = 0; round < 40000; ++round) {
    const Encoding encoding = kBoth[round % 2];
    std::string record = encode(encoding, calls[below(std::size(calls))]);
    for (size_t damage = below(3) + 1; damage > 0; --damage) {
      const size_t at = below(record.size() + 1);
      switch (below(4)) {
        case 0:
          record.insert(at, encoding == Encoding::kJson
                                ? words[below(words.size())]
                                : std::string(1, static_cast<char>(below(256))));
          break;
        case 1:
          if (at < record.size()) record.erase(at, below(4) + 1);
          break;
        case 2:
          if (at < record.size()) record[at] = static_cast<char>(below(256));
          break;
        default:
          record.insert(at, record.substr(below(record.size() + 1), below(20)));
      }
    }
    compare(encoding, record);
  }
}

}  // namespace
}  // namespace ioswitchboard
