// The table of flags: one row each, read by the loader, by --help and by GET_FLAGS. A new flag is a
// member of Flags and a row here.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "agent/flags.h"
#include "base/result.h"

namespace agent {

enum class FlagKind {
  kBool,
  kInteger,
  kNumber,
  kDuration,
  kBytes,
  kList,  // comma separated
  kString,
  kPath,  // a string whose file:// is not replaced by the file's content
  kJson,  // inline, or the /absolute/path of a file
};

struct FlagSpec {
  std::string_view name;
  FlagKind kind;
  std::optional<std::string_view> initial;  // the default, in the form that `set` reads
  std::string_view help;                    // one line

  // Reads the text into its member of Flags, which is untouched on failure: kInvalid, with a
  // message that says what was expected.
  base::Status (*set)(Flags&, std::string_view text);
  // Prints the member; std::nullopt if it has no value.
  std::optional<std::string> (*get)(const Flags&);

  std::string_view alias = {};          // the flag's old name, if Mesos still takes that
  std::string (*computed)() = nullptr;  // the default where it depends on the host; `help` tells
  bool required = false;
  bool secret = false;  // what was given must not be shown: it may be the secret itself, by mistake
};

// All rows, sorted by name.
std::span<const FlagSpec> flag_table();

}  // namespace agent
