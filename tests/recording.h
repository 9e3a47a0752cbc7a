// Exchanges that were recorded with an Apache Mesos agent (tests/data/recordings).
#pragma once

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/strings.h"
#include "proto/base64.h"

namespace tests {

struct Recording {
  std::string name;
  std::string request;  // as sent; names of the recording's run are ${NAMES}
  int status = 0;       // 0: there was no answer
  std::map<std::string, std::string> headers;
  std::string body;

  // What follows the request's head.
  std::string request_body() const {
    const size_t end = request.find("\r\n\r\n");
    return end == std::string::npos ? "" : request.substr(end + 4);
  }
};

namespace internal {

inline std::string recorded_bytes(const google::protobuf::Struct& part) {
  const auto text = part.fields().find("text");
  if (text != part.fields().end()) return text->second.string_value();
  return proto::decode_base64(part.fields().at("base64").string_value()).value();
}

}  // namespace internal

// All of one file, in order. The test fails if there are none.
inline std::vector<Recording> read_recordings(const std::string& name) {
  std::vector<Recording> recordings;
  std::ifstream file(std::string(TESTS_DATA_DIR "/recordings/") + name + ".jsonl");
  for (std::string line; std::getline(file, line);) {
    google::protobuf::Struct entry;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(line, &entry).ok()) << line;
    const auto& response = entry.fields().at("response").struct_value().fields();
    Recording recording;
    recording.name = entry.fields().at("case").string_value();
    recording.request = internal::recorded_bytes(entry.fields().at("request").struct_value());
    const std::string status = response.at("status").string_value();  // "HTTP/1.1 200 OK"
    const auto words = base::split(status, ' ');
    if (words.size() > 1) recording.status = base::parse_number<int>(words[1]).value_or(0);
    for (const auto& [header, value] : response.at("headers").struct_value().fields()) {
      recording.headers[header] = value.string_value();
    }
    recording.body = internal::recorded_bytes(response.at("body").struct_value());
    recordings.push_back(std::move(recording));
  }
  EXPECT_FALSE(recordings.empty()) << name;
  return recordings;
}

}  // namespace tests
