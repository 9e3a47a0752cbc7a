#include "agent/master/credential.h"

#include "agent/secret_file.h"
#include "base/strings.h"
#include "proto/json_tree.h"

namespace agent {

using base::concat;
using base::ErrorKind;
using base::fail;
using proto::Json;

base::Result<Credential> load_credential(const SecretFile& file) {
  TRY(const std::string text, read_secret_file("credential", file.path));
  const auto json = proto::parse_json_tree(base::trim(text));
  const auto malformed = [&file](std::string_view why) {
    return fail(ErrorKind::kInvalid, concat("--credential: '", file.path, "': ", why));
  };
  if (!json) return malformed(json.error().message);
  Credential credential;
  for (auto [name, value] :
       {std::pair("principal", &credential.principal), std::pair("secret", &credential.secret)}) {
    const Json* member = json->find(name);
    if (member == nullptr || !member->is(Json::Type::kString) || member->text.empty()) {
      return malformed(R"(expected {"principal":"...","secret":"..."})");
    }
    *value = member->text;
  }
  return credential;
}

}  // namespace agent
