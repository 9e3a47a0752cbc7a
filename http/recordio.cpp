#include "http/recordio.h"

#include <algorithm>
#include <cerrno>

#include "base/strings.h"

namespace http {

namespace {

// No length has more digits.
constexpr size_t kMaxDigits = 20;

// How long a line that cannot be a length is waited for: Apache Mesos tells that it is none only
// when it has ended.
constexpr size_t kMaxLine = 4 * kMaxDigits;

// A buffer that grew beyond this for one record is not kept for the next.
constexpr size_t kKeptCapacity = 64 * 1024;

base::Error bad_length(std::string_view text) {
  text = text.substr(0, kMaxLine);  // it goes into a reply
  return base::Error(base::ErrorKind::kInvalid,
                     base::concat("Failed to decode length '", text, "': Failed to convert '", text,
                                  "' to number"));
}

}  // namespace

void append_record(std::string_view payload, std::string* out) {
  char digits[kMaxDigits];
  out->append(digits, std::to_chars(digits, digits + sizeof(digits), payload.size()).ptr);
  *out += '\n';
  *out += payload;
}

void RecordDecoder::feed(std::string_view bytes) { input_ = bytes; }

base::Result<std::optional<std::string_view>> RecordDecoder::next() {
  if (error_) return base::fail(*error_);
  auto record = decode();
  if (!record) error_ = record.error();
  return record;
}

base::Result<std::optional<std::string_view>> RecordDecoder::decode() {
  if (partial_given_) {
    partial_given_ = false;
    partial_.clear();
    if (partial_.capacity() > kKeptCapacity) partial_.shrink_to_fit();
  }
  if (!length_) {
    const size_t newline = input_.find('\n');
    std::string_view digits = input_.substr(0, newline);
    if (newline == std::string_view::npos && partial_.size() + digits.size() <= kMaxLine) {
      partial_ += digits;
      input_ = {};
      return std::nullopt;
    }
    if (!partial_.empty()) digits = partial_ += digits.substr(0, kMaxLine);
    length_ = digits.size() <= kMaxDigits ? base::parse_number<size_t>(digits) : std::nullopt;
    if (!length_) return base::fail(bad_length(digits));
    if (*length_ > max_record_) {
      base::Error error(base::ErrorKind::kInvalid,
                        base::concat("A record of ", *length_,
                                     " bytes is larger than the limit of ", max_record_, " bytes"));
      error.code = EMSGSIZE;
      return base::fail(std::move(error));
    }
    partial_.clear();
    input_.remove_prefix(newline + 1);
  }
  const size_t piece = std::min(*length_ - partial_.size(), input_.size());
  const std::string_view bytes = input_.substr(0, piece);
  input_.remove_prefix(piece);
  if (piece == *length_) {
    length_.reset();
    return bytes;
  }
  partial_ += bytes;
  if (partial_.size() < *length_) return std::nullopt;
  length_.reset();
  partial_given_ = true;
  return partial_;
}

}  // namespace http
