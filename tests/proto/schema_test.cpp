// Holds our .proto files to the table of Apache Mesos's v1 messages, in both directions: a row that
// the files lack or contradict is an error, and so is anything in the files without a row.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "proto/mesos/v1/agent/agent.pb.h"
#include "proto/mesos/v1/executor/executor.pb.h"
#include "proto/mesos/v1/resource_provider/resource_provider.pb.h"

namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using testing::ElementsAreArray;

// An agent has no business with the scheduler's side.
constexpr const char* kLeftOut = "mesos.v1.scheduler.";

// What the table says of one message or enum: its members in the order of declaration, each as the
// text that a row without its first two columns has.
using Members = std::vector<std::string>;

struct Schema {
  std::map<std::string, Members> messages;
  std::map<std::string, Members> enums;
};

Schema read_table() {
  Schema schema;
  std::ifstream file(TESTS_DATA_DIR "/wire/v1.tsv");
  std::string line;
  std::getline(file, line);  // the names of the columns
  while (std::getline(file, line)) {
    std::istringstream row(line);
    std::string kind, owner, member;
    std::getline(row, kind, '\t');
    std::getline(row, owner, '\t');
    std::getline(row, member);
    if (owner.starts_with(kLeftOut)) continue;
    if (kind == "message") {
      schema.messages[owner];
    } else if (kind == "field") {
      schema.messages[owner].push_back(member);
    } else if (kind == "enum") {
      schema.enums[owner].push_back(member);
    } else {
      ADD_FAILURE() << "unknown kind of row: " << line;
    }
  }
  return schema;
}

std::string label_of(const FieldDescriptor& field) {
  return field.is_repeated() ? "repeated" : field.is_required() ? "required" : "optional";
}

std::string type_of(const FieldDescriptor& field) {
  if (field.message_type()) return field.message_type()->full_name();
  if (field.enum_type()) return field.enum_type()->full_name();
  return field.type_name();
}

std::string default_of(const FieldDescriptor& field) {
  // Only a FieldDescriptorProto shows defaults of all types as text.
  google::protobuf::FieldDescriptorProto shown;
  field.CopyTo(&shown);
  return shown.default_value();
}

std::string options_of(const FieldDescriptor& field) {
  std::string options;
  if (field.has_default_value()) options = "default=" + default_of(field);
  if (field.options().deprecated()) options += options.empty() ? "deprecated" : " deprecated";
  return options;
}

std::string row_of(const FieldDescriptor& field) {
  return field.name() + '\t' + std::to_string(field.number()) + '\t' + label_of(field) + '\t' +
         type_of(field) + '\t' + options_of(field);
}

std::string row_of(const EnumValueDescriptor& value) {
  return value.name() + '\t' + std::to_string(value.number()) + "\t\t\t" +
         (value.options().deprecated() ? "deprecated" : "");
}

void collect(const EnumDescriptor& type, Schema* schema) {
  Members& members = schema->enums[type.full_name()];
  for (int i = 0; i < type.value_count(); ++i) members.push_back(row_of(*type.value(i)));
}

void collect(const Descriptor& type, Schema* schema) {
  Members& members = schema->messages[type.full_name()];
  for (int i = 0; i < type.field_count(); ++i) members.push_back(row_of(*type.field(i)));
  for (int i = 0; i < type.nested_type_count(); ++i) collect(*type.nested_type(i), schema);
  for (int i = 0; i < type.enum_type_count(); ++i) collect(*type.enum_type(i), schema);
}

void collect(const FileDescriptor& file, std::set<const FileDescriptor*>* seen, Schema* schema) {
  if (!seen->insert(&file).second) return;
  for (int i = 0; i < file.message_type_count(); ++i) collect(*file.message_type(i), schema);
  for (int i = 0; i < file.enum_type_count(); ++i) collect(*file.enum_type(i), schema);
  for (int i = 0; i < file.dependency_count(); ++i) collect(*file.dependency(i), seen, schema);
}

Schema read_descriptors() {
  Schema schema;
  std::set<const FileDescriptor*> seen;
  for (const Descriptor* type :
       {mesos::v1::agent::Call::descriptor(), mesos::v1::executor::Call::descriptor(),
        mesos::v1::resource_provider::Call::descriptor()}) {
    collect(*type->file(), &seen, &schema);
  }
  return schema;
}

void expect_same(const std::map<std::string, Members>& table,
                 const std::map<std::string, Members>& files) {
  for (const auto& [name, members] : table) {
    const auto found = files.find(name);
    if (found == files.end()) {
      ADD_FAILURE() << name << " is in the table, but in no file";
    } else {
      EXPECT_THAT(found->second, ElementsAreArray(members)) << name;
    }
  }
  for (const auto& [name, members] : files) {
    // A message that only holds others has no row of its own.
    if (members.empty() && !table.contains(name)) continue;
    EXPECT_TRUE(table.contains(name)) << name << " is in a file, but not in the table";
  }
}

TEST(Schema, MessagesAreThoseOfTheTable) {
  const Schema table = read_table();
  ASSERT_GT(table.messages.size(), 200u);
  expect_same(table.messages, read_descriptors().messages);
}

TEST(Schema, EnumsAreThoseOfTheTable) {
  const Schema table = read_table();
  ASSERT_GT(table.enums.size(), 30u);
  expect_same(table.enums, read_descriptors().enums);
}

TEST(Schema, EveryFileIsProto2) {
  std::set<const FileDescriptor*> seen;
  Schema unused;
  collect(*mesos::v1::agent::Call::descriptor()->file(), &seen, &unused);
  ASSERT_GT(seen.size(), 10u);
  for (const FileDescriptor* file : seen) {
    EXPECT_EQ(file->syntax(), FileDescriptor::SYNTAX_PROTO2) << file->name();
  }
}

}  // namespace
