#include "agent/flags.h"

#include <gflags/gflags.h>

#include <deque>
#include <span>
#include <string_view>

#include "agent/flag_table.h"
#include "agent/flag_words.h"
#include "base/strings.h"

namespace agent {
namespace {

using base::concat;
using base::ErrorKind;
using base::fail;

using FlagTexts = std::map<std::string_view, FlagText>;

base::Status load_flag(Flags& flags, const FlagSpec& row, const FlagTexts& texts) {
  if (const auto text = texts.find(row.name); text != texts.end()) {
    auto done = row.set(flags, text->second.text);
    if (!done) return fail(std::move(done).error().with_context(text->second.given));
    return {};
  }
  if (row.required) {
    return fail(ErrorKind::kInvalid, concat("Missing required flag --", row.name));
  }
  if (row.initial) return row.set(flags, *row.initial);
  if (row.computed != nullptr) return row.set(flags, row.computed());
  return {};
}

std::string_view placeholder(FlagKind kind) {
  switch (kind) {
    case FlagKind::kBool:
      return "";
    case FlagKind::kInteger:
    case FlagKind::kNumber:
      return "=NUMBER";
    case FlagKind::kDuration:
      return "=DURATION";
    case FlagKind::kBytes:
      return "=BYTES";
    case FlagKind::kList:
      return "=A,B,...";
    case FlagKind::kString:
    case FlagKind::kPath:
      return "=VALUE";
    case FlagKind::kJson:
      return "=JSON";
  }
}

// Makes the flag known to gflags, which keeps pointers to the storage until the process ends.
template <typename T>
void register_with_gflags(const FlagSpec& row) {
  struct Storage {
    std::string name, help;
    T value{}, initial{};
  };
  static auto& storage = *new std::deque<Storage>;
  Storage& own = storage.emplace_back(std::string(row.name), std::string(row.help));
  google::FlagRegisterer(own.name.c_str(), own.help.c_str(), "agent/flag_table.cpp", &own.value,
                         &own.initial);
}

}  // namespace

base::Result<Flags> load_flags(int argc, const char* const* argv, const char* const* environment) {
  std::vector<std::string_view> words;
  for (int i = 1; i < argc; ++i) words.emplace_back(argv[i]);
  std::vector<std::string_view> variables;
  while (*environment != nullptr) variables.emplace_back(*environment++);
  TRY(const FlagTexts texts, read_flag_texts(flag_table(), words, variables));

  Flags asked;
  for (const FlagSpec& row : flag_table()) {
    if (row.name == "help" || row.name == "version") TRY_VOID(load_flag(asked, row, texts));
  }
  if (asked.help || asked.version) return asked;

  Flags flags;
  for (const FlagSpec& row : flag_table()) TRY_VOID(load_flag(flags, row, texts));
  return flags;
}

std::vector<std::pair<std::string, std::string>> flag_values(const Flags& flags) {
  std::vector<std::pair<std::string, std::string>> values;
  for (const FlagSpec& row : flag_table()) {
    if (auto text = row.get(flags)) values.emplace_back(row.name, *std::move(text));
  }
  return values;
}

std::string flags_help(const std::string& program) {
  std::string text = concat(
      "Usage: ", program, " --work_dir=DIR [--name=value ...]\n\n",
      "Each flag can also be set as MESOS_<NAME> in the environment; the command line wins. A\n"
      "value file://PATH stands for the content of that file. Durations have a unit (500ms,\n"
      "30secs, 5mins, 6hrs, 1days, 2weeks), sizes too (0B, 64MB, 2GB). --no-name turns a boolean\n"
      "flag off.\n");
  for (const FlagSpec& row : flag_table()) {
    const std::string_view prefix = row.kind == FlagKind::kBool ? "--[no-]" : "--";
    text += concat("\n  ", prefix, row.name, placeholder(row.kind), "\n      ", row.help);
    if (!row.alias.empty()) text += concat(" (Formerly --", row.alias, ".)");
    if (row.initial) text += concat(" (Default: ", *row.initial, ")");
    if (row.required) text += " (Required.)";
    text += '\n';
  }
  return text;
}

base::Status publish_flags(const Flags& flags) {
  for (const FlagSpec& row : flag_table()) {
    const std::string name(row.name);
    google::CommandLineFlagInfo known;
    if (!google::GetCommandLineFlagInfo(name.c_str(), &known)) {
      row.kind == FlagKind::kBool ? register_with_gflags<bool>(row)
                                  : register_with_gflags<std::string>(row);
    }
    const auto value = row.get(flags);
    if (value && google::SetCommandLineOption(name.c_str(), value->c_str()).empty()) {
      return fail(concat("gflags does not accept --", name, "=", *value));
    }
  }
  return {};
}

}  // namespace agent
