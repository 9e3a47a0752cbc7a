// How flags are written on the command line and in the environment: which text each flag is given.
//
// The rules are Apache Mesos's. On the command line
//   --name=value    the only form for what is not boolean: a separate value word is not taken
//   --name          true, for a boolean flag; --no-name is false; --name=true, 1, false, 0
//   --              ends the flags; a word that does not begin with -- is passed over
// and names are compared without regard to case. A flag that is not in the table, that is given
// twice, also by its old name, or that lacks its value is an error.
// In the environment MESOS_<NAME>=value, the rest of the name in any case, and MESOS_NO_<NAME>= for
// boolean flags; a MESOS_ variable that names no flag is passed over, because executors and
// schedulers have such variables too. The command line wins over the environment. An empty value of
// a boolean flag counts as none.
// A value file://PATH stands for the content of that file, except where the flag's kind is a path;
// for JSON so does /PATH. Blanks and line ends around the content are dropped, but for strings
// the content counts as it is.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "agent/flag_table.h"
#include "base/result.h"

namespace agent {

struct FlagText {
  std::string text;  // the value, a file's content if it named one
  // What the user wrote, as "--port=5051" or "MESOS_PORT=5051", for messages; of a secret flag,
  // only what stands before "=", and without the password of a zk:// URL.
  std::string given;
};

// The text of each flag of `table` that is given, by the flag's present name. `words` are argv
// without the program, `environment` is "NAME=value" each. Fails with kInvalid and one sentence.
base::Result<std::map<std::string_view, FlagText>> read_flag_texts(
    std::span<const FlagSpec> table, std::span<const std::string_view> words,
    std::span<const std::string_view> environment);

}  // namespace agent
