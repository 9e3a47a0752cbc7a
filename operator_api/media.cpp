#include "operator_api/media.h"

#include "base/strings.h"

namespace operator_api {

using base::concat;
using http::error_response;
using http::Headers;

namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kProtobuf = "application/x-protobuf";
constexpr std::string_view kRecordio = "application/recordio";

// The type without parameters, in lower case.
std::string bare_type(std::string_view text) {
  return base::to_lower(base::trim(text.substr(0, text.find(';'))));
}

std::optional<Encoding> encoding_named(std::string_view type) {
  if (type == kJson) return Encoding::kJson;
  if (type == kProtobuf) return Encoding::kProtobuf;
  return std::nullopt;
}

// Whether the parameters of one entry of an Accept header say q=0.
bool is_refused(std::string_view entry) {
  for (std::string_view parameter : base::split(entry, ';')) {
    const std::string text = base::to_lower(base::trim(parameter));
    if (!text.starts_with("q=")) continue;
    std::string_view value = base::trim(std::string_view(text).substr(2));
    if (!value.starts_with('0')) return false;
    return value.find_first_not_of("0.", 1) == std::string_view::npos;
  }
  return false;
}

// Whether an Accept-like header allows `type`: named itself, by its kind, or by */*, whichever is
// found first in this order. An absent header allows everything; nothing is ranked.
bool accepts(const std::string* header, std::string_view type) {
  if (header == nullptr) return true;
  for (std::string_view wanted :
       {type, std::string_view("application/*"), std::string_view("*/*")}) {
    for (std::string_view entry : base::split(*header, ',')) {
      if (bare_type(entry) == wanted) return !is_refused(entry);
    }
  }
  return false;
}

std::optional<http::Response> read_content_type(const Headers& headers, Media* media) {
  const std::string* content_type = headers.find("Content-Type");
  const std::string* message_type = headers.find("Message-Content-Type");
  if (content_type == nullptr) {
    return error_response(400, "Expecting 'Content-Type' to be present");
  }
  const std::string type = bare_type(*content_type);
  if (const auto encoding = encoding_named(type)) {
    if (message_type != nullptr) {
      return error_response(
          415, "Expecting 'Message-Content-Type' to be not set for non-streaming requests");
    }
    media->request = *encoding;
    return std::nullopt;
  }
  if (type != kRecordio) {
    return error_response(
        415, concat("Expecting 'Content-Type' of ", kJson, " or ", kProtobuf, " or ", kRecordio));
  }
  if (message_type == nullptr) {
    return error_response(400, "Expecting 'Message-Content-Type' to be set for streaming requests");
  }
  const auto encoding = encoding_named(bare_type(*message_type));
  if (!encoding) {
    return error_response(415,
                          concat("Expecting 'Message-Content-Type' of ", kJson, " or ", kProtobuf));
  }
  media->streaming_request = true;
  media->request = *encoding;
  return std::nullopt;
}

std::optional<http::Response> read_accept(const Headers& headers, Media* media) {
  const std::string* accept = headers.find("Accept");
  const std::string* message_accept = headers.find("Message-Accept");
  if (const auto encoding = accepted_encoding(accept)) {
    if (message_accept != nullptr) {
      return error_response(406,
                            "Expecting 'Message-Accept' to be not set for non-streaming responses");
    }
    media->response = *encoding;
    return std::nullopt;
  }
  if (!accepts(accept, kRecordio)) {
    return error_response(
        406, concat("Expecting 'Accept' to allow ", kJson, " or ", kProtobuf, " or ", kRecordio));
  }
  const auto encoding = accepted_encoding(message_accept);
  if (!encoding) {
    return error_response(406,
                          concat("Expecting 'Message-Accept' to allow ", kJson, " or ", kProtobuf));
  }
  media->streaming_response = true;
  media->response = *encoding;
  return std::nullopt;
}

}  // namespace

std::optional<Encoding> accepted_encoding(const std::string* header) {
  if (accepts(header, kJson)) return Encoding::kJson;
  if (accepts(header, kProtobuf)) return Encoding::kProtobuf;
  return std::nullopt;
}

const char* name_of(Encoding encoding) {
  return encoding == Encoding::kJson ? kJson.data() : kProtobuf.data();
}

std::optional<Encoding> body_encoding(std::string_view content_type) {
  return encoding_named(bare_type(content_type));
}

std::expected<Media, http::Response> negotiate(const Headers& headers) {
  Media media;
  if (auto refusal = read_content_type(headers, &media)) return std::unexpected(*refusal);
  if (auto refusal = read_accept(headers, &media)) return std::unexpected(*refusal);
  return media;
}

}  // namespace operator_api
