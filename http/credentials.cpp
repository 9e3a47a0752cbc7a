#include "http/credentials.h"

#include <vector>

#include "base/strings.h"
#include "proto/json_tree.h"

namespace http {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Status;
using proto::Json;

namespace {

// The words between blanks and tabs.
std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!(line = base::trim(line)).empty()) {
    const size_t end = std::min(line.find_first_of(" \t"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return words;
}

// A member that is a string; an empty view if it is none.
std::string_view text_member(const Json& object, std::string_view name) {
  const Json* member = object.find(name);
  return member != nullptr && member->is(Json::Type::kString) ? std::string_view(member->text)
                                                              : std::string_view();
}

}  // namespace

base::Result<Credentials> Credentials::parse(std::string_view text) {
  text = base::trim(text);
  if (text.empty()) return fail(ErrorKind::kInvalid, "there is nothing in it");
  Credentials credentials;
  TRY_VOID(text.front() == '{' ? credentials.parse_json(text) : credentials.parse_lines(text));
  if (credentials.digests_.empty())
    return fail(ErrorKind::kInvalid, "there is no credential in it");
  return credentials;
}

Status Credentials::parse_json(std::string_view text) {
  TRY(const Json json, proto::parse_json_tree(text));
  const Json* list = json.find("credentials");
  if (list == nullptr || !list->is(Json::Type::kArray)) {
    return fail(ErrorKind::kInvalid,
                R"(expected {"credentials":[{"principal":"...","secret":"..."}]})");
  }
  size_t number = 0;
  for (const Json& entry : list->items) {
    ++number;
    const auto missing = [number](std::string_view what) {
      return fail(ErrorKind::kInvalid, concat("the ", what, " of credential ", number,
                                              " is missing, empty or not a string"));
    };
    const auto principal = text_member(entry, "principal");
    const auto secret = text_member(entry, "secret");
    if (principal.empty()) return missing("principal");
    if (secret.empty()) return missing("secret");
    add(principal, secret);
  }
  return {};
}

Status Credentials::parse_lines(std::string_view text) {
  size_t number = 0;
  for (const std::string_view line : base::split(text, '\n')) {
    ++number;
    const auto words = words_of(line);
    if (words.empty()) continue;
    if (words.size() != 2) {
      return fail(ErrorKind::kInvalid,
                  concat("expected a principal and a secret in line ", number));
    }
    add(words[0], words[1]);
  }
  return {};
}

void Credentials::add(std::string_view principal, std::string_view secret) {
  digests_.insert_or_assign(std::string(principal), hmac_sha256(key_, secret));
}

bool Credentials::match(std::string_view principal, std::string_view secret) const {
  const auto view = [](const Sha256Mac& mac) {
    return std::string_view(reinterpret_cast<const char*>(mac.data()), mac.size());
  };
  const auto found = digests_.find(principal);
  const bool known = found != digests_.end();
  const Sha256Mac given = hmac_sha256(key_, secret);
  return equal_in_constant_time(view(given), view(known ? found->second : no_digest_)) && known;
}

}  // namespace http
