// Protobuf to JSON, as Apache Mesos writes its answers: one line without white space, fields in the
// order of their declaration.
#pragma once

#include <google/protobuf/message.h>

#include <span>
#include <string>

#include "proto/json_string.h"

namespace proto {

struct JsonWriteOptions {
  // Messages of these types show their empty lists as [], everywhere in the output. Mesos does so
  // for the lists that it writes by hand, and leaves all other empty lists out.
  std::span<const google::protobuf::Descriptor* const> with_empty_lists;

  // Fields in the order of their names, as Mesos's older endpoints have them.
  bool sorted = false;
};

// Appends message to *out. Written are the fields that are set, lists and maps that are not empty,
// and those unset fields that have an explicit default and are not deprecated. Enums go by name,
// bytes as base64, maps as objects sorted by key, integers of 64 bits as exact numbers; a NaN field
// is left out. parse_json() makes the same message of it, but for defaults that are then set.
void append_json(const google::protobuf::Message& message, std::string* out,
                 const JsonWriteOptions& options = {});

}  // namespace proto
