// The protobuf wire format, read and written by hand. For executors and switchboards: there is a
// process of each for every task or container, so they link no protobuf library, whose descriptors
// alone take more memory than all that is here. They take this as a source file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace proto {

// A tag: what a field's value is preceded by. For `case` labels.
constexpr uint32_t varint_field(uint32_t number) { return number << 3; }
constexpr uint32_t double_field(uint32_t number) { return number << 3 | 1; }
constexpr uint32_t bytes_field(uint32_t number) { return number << 3 | 2; }

// The number of the field that a tag is of.
constexpr uint32_t number_of(uint32_t tag) { return tag >> 3; }

// Walks over the fields of one message:
//
//   for (WireReader reader(bytes); reader.next();) {
//     switch (reader.tag()) {
//       case bytes_field(1): name = reader.bytes(); break;
//       case varint_field(2): state = reader.varint(); break;
//     }
//   }
//
// Fields that nobody asks for are skipped, groups included. A known number with another wire type
// has another tag, so it is skipped as well. What is cut off or malformed ends the walk with
// failed().
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : left_(bytes) {}

  bool next();
  bool failed() const { return failed_; }

  // Of the present field; a value is 0 or empty where the tag is of another kind.
  uint32_t tag() const { return tag_; }
  uint64_t varint() const { return number_; }
  double as_double() const;
  std::string_view bytes() const { return bytes_; }  // a view into what is read

 private:
  bool read_varint(uint64_t* value);
  bool read_tag(uint32_t* tag);
  bool read_value(uint32_t tag, int depth);
  bool skip_group(uint32_t number, int depth);
  bool fail();

  std::string_view left_;
  std::string_view bytes_;
  uint64_t number_ = 0;
  uint32_t tag_ = 0;
  bool failed_ = false;
};

// Appends one field each. A message inside of another is its bytes.
void put_varint(uint32_t number, uint64_t value, std::string* out);
void put_double(uint32_t number, double value, std::string* out);
void put_bytes(uint32_t number, std::string_view value, std::string* out);

// A message whose field 1 is a string: TaskID, ExecutorID, FrameworkID.
void put_id(uint32_t number, std::string_view id, std::string* out);

}  // namespace proto
