#include "bench/stream_meter.h"

#include <algorithm>

#include "base/strings.h"

namespace bench {

using base::fail;
using base::Result;
using base::Status;

namespace {

// Enough for all that stands before the data in a record, in either encoding.
constexpr size_t kHeadSize = 80;
constexpr size_t kTailSize = 8;

// Takes a varint off `bytes`; 0 if it is cut short.
uint64_t take_varint(std::string_view* bytes) {
  uint64_t value = 0;
  for (int shift = 0; !bytes->empty() && shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes->front());
    bytes->remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return value;
}

constexpr char kEnumField1 = 1 << 3;
constexpr char kBytesField2 = 2 << 3 | 2;

// Of a message that begins with the enum field 1 and goes on with the length-delimited field 2:
// the length of field 2, whose content `bytes` begins with then. Of any other message, 0.
uint64_t enter_field2(std::string_view* bytes, uint64_t* enum_value) {
  if (!bytes->starts_with(kEnumField1)) return 0;
  bytes->remove_prefix(1);
  *enum_value = take_varint(bytes);
  if (!bytes->starts_with(kBytesField2)) return 0;
  bytes->remove_prefix(1);
  return take_varint(bytes);
}

}  // namespace

Status StreamMeter::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (state_ == State::kEnded) break;
    if (state_ == State::kChunk) {
      const auto piece = bytes.substr(0, std::min<uint64_t>(chunk_left_, bytes.size()));
      TRY_VOID(feed_records(piece));
      bytes.remove_prefix(piece.size());
      chunk_left_ -= piece.size();
      if (chunk_left_ == 0) state_ = State::kChunkEnd;
      continue;
    }
    if (state_ == State::kChunkEnd) {
      const size_t end = bytes.find('\n');
      if (end == std::string_view::npos) break;
      bytes.remove_prefix(end + 1);
      state_ = State::kChunkSize;
      continue;
    }
    TRY(const auto size, read_number(&bytes, 16, &chunk_line_));
    if (!size) break;
    chunk_left_ = *size;
    state_ = *size == 0 ? State::kEnded : State::kChunk;
  }
  return {};
}

Result<std::optional<uint64_t>> StreamMeter::read_number(std::string_view* bytes, int radix,
                                                         std::string* line) {
  const size_t end = bytes->find('\n');
  line->append(bytes->substr(0, end));
  if (end == std::string_view::npos) {
    bytes->remove_prefix(bytes->size());
    return std::nullopt;
  }
  bytes->remove_prefix(end + 1);
  const auto value = base::parse_number<uint64_t>(base::trim(*line), radix);
  if (!value) return fail(base::concat("A broken stream: '", *line, "' is no length"));
  line->clear();
  return value;
}

Status StreamMeter::feed_records(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!record_size_) {
      TRY(record_size_, read_number(&bytes, 10, &record_line_));
      if (!record_size_) break;
      record_left_ = *record_size_;
      record_head_.clear();
      record_tail_.clear();
    }
    const auto piece = bytes.substr(0, std::min<uint64_t>(record_left_, bytes.size()));
    note_piece(piece);
    bytes.remove_prefix(piece.size());
    record_left_ -= piece.size();
    if (record_left_ > 0) break;
    payload_ += data_size();
    record_size_.reset();
  }
  return {};
}

void StreamMeter::note_piece(std::string_view piece) {
  if (record_head_.size() < kHeadSize) {
    record_head_.append(piece.substr(0, kHeadSize - record_head_.size()));
  }
  record_tail_.append(piece.substr(piece.size() - std::min(kTailSize, piece.size())));
  if (record_tail_.size() > kTailSize) record_tail_.erase(0, record_tail_.size() - kTailSize);
}

uint64_t StreamMeter::data_size() const {
  return encoding_ == Encoding::kJson ? json_data_size() : protobuf_data_size();
}

uint64_t StreamMeter::json_data_size() const {
  constexpr std::string_view kMember = R"(","data":")";
  constexpr std::string_view kEnd = R"("}})";
  const size_t at = record_head_.find(kMember);
  if (at == std::string::npos || !record_tail_.ends_with(kEnd)) return 0;
  const uint64_t letters = *record_size_ - (at + kMember.size()) - kEnd.size();
  return letters / 4 * 3 - static_cast<uint64_t>(std::ranges::count(record_tail_, '='));
}

uint64_t StreamMeter::protobuf_data_size() const {
  std::string_view bytes = record_head_;
  uint64_t type = 0;
  if (enter_field2(&bytes, &type) == 0 || type != 1) return 0;  // ProcessIO.DATA
  return enter_field2(&bytes, &type);
}

}  // namespace bench
