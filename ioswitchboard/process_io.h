// mesos.v1.agent.ProcessIO, the record that carries a container's output to whoever attached: its
// two encodings and the framing around them. Written by hand, because a switchboard is too small a
// process for a protobuf library; the bytes are those that protobuf and the JSON mapping of Apache
// Mesos emit.
//
// Every record is framed twice, as RecordIO ("<decimal length>\n<payload>") and that as exactly one
// HTTP chunk ("<hex length>\r\n...\r\n"): there are clients whose parser needs one record per
// chunk.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ioswitchboard {

enum class Encoding { kJson, kProtobuf };

constexpr std::string_view kJsonType = "application/json";
constexpr std::string_view kProtobufType = "application/x-protobuf";
constexpr std::string_view kRecordIoType = "application/recordio";

std::string_view media_type(Encoding encoding);

// The encoding of a media type (parameters and case ignored); nothing if it is neither.
std::optional<Encoding> encoding_of(std::string_view media_type);

// Values as in ProcessIO.Data.Type.
enum class OutputType : char { kStdout = 2, kStderr = 3 };

// The most bytes that one DATA record carries: as much as is read from a container at once.
constexpr size_t kMaxData = 65536;

// Room for the framing around the bytes of a DATA record in protobuf.
constexpr size_t kFrameHead = 48;
constexpr size_t kFrameTail = 2;

// Frames `size` (1 to kMaxData) bytes at `data` as a DATA record in protobuf without moving them.
// There must be kFrameHead writable bytes before and kFrameTail after them. Gives the whole chunk,
// which begins somewhere in the head room.
std::string_view frame_data_in_place(OutputType type, char* data, size_t size);

// The same record in JSON.
std::string frame_json_data(OutputType type, std::string_view data);

// A CONTROL record that tells a reader that the stream is alive and when to expect the next one.
std::string frame_heartbeat(Encoding encoding, std::chrono::nanoseconds interval);

}  // namespace ioswitchboard
