#include "agent/flag_words.h"

#include <algorithm>
#include <utility>

#include "agent/master/zookeeper/url.h"
#include "base/files.h"
#include "base/strings.h"

namespace agent {
namespace {

using base::concat;
using base::ErrorKind;
using base::fail;

constexpr std::string_view kEnvironmentPrefix = "MESOS_";
constexpr std::string_view kFilePrefix = "file://";

// A flag as it was found in one place, its value not looked at yet.
struct Mention {
  const FlagSpec* flag;
  std::string value;
  std::string given;
};

using Mentions = std::map<std::string_view, Mention>;

const FlagSpec* find_flag(std::span<const FlagSpec> table, std::string_view name) {
  if (name.empty()) return nullptr;
  const auto row = std::ranges::find_if(
      table, [name](const FlagSpec& flag) { return flag.name == name || flag.alias == name; });
  return row == table.end() ? nullptr : &*row;
}

// What "name", "name=value", "no-name" stand for, the name being found already.
base::Result<Mention> mention(const FlagSpec& flag, bool negated,
                              std::optional<std::string_view> value, std::string given) {
  if (flag.secret) given.resize(std::min(given.find('='), given.size()));
  given = hide_password(given);
  if (flag.kind == FlagKind::kBool && value && value->empty()) value = std::nullopt;
  if (negated && flag.kind != FlagKind::kBool) {
    return fail(ErrorKind::kInvalid,
                concat(given, ": only a boolean flag can be negated, and ", flag.name, " is not"));
  }
  if (negated && value) {
    return fail(ErrorKind::kInvalid, concat(given, ": the negated form takes no value"));
  }
  if (flag.kind == FlagKind::kBool && !value) value = negated ? "false" : "true";
  if (!value) {
    return fail(ErrorKind::kInvalid,
                concat(given, ": expected a value, in the form --", flag.name, "=VALUE"));
  }
  return Mention{&flag, std::string(*value), std::move(given)};
}

base::Result<Mentions> read_words(std::span<const FlagSpec> table,
                                  std::span<const std::string_view> words) {
  Mentions mentions;
  for (std::string_view word : words) {
    if (word == "--") break;
    if (!word.starts_with("--")) continue;
    const size_t equals = word.find('=');
    const std::string name = base::to_lower(word.substr(2, equals - 2));
    std::optional<std::string_view> value;
    if (equals != std::string_view::npos) value = word.substr(equals + 1);

    const FlagSpec* flag = find_flag(table, name);
    const bool negated = flag == nullptr && name.starts_with("no-");
    if (negated) flag = find_flag(table, std::string_view(name).substr(3));
    if (flag == nullptr) {
      return fail(ErrorKind::kInvalid,
                  concat("Unknown flag ", word.substr(0, equals), ": --help lists all flags"));
    }
    TRY(auto found, mention(*flag, negated, value, std::string(word)));
    if (const auto first = mentions.find(flag->name); first != mentions.end()) {
      return fail(ErrorKind::kInvalid, concat("Flag --", flag->name, " is given twice: as ",
                                              first->second.given, " and as ", found.given));
    }
    mentions.emplace(flag->name, std::move(found));
  }
  return mentions;
}

base::Result<Mentions> read_environment(std::span<const FlagSpec> table,
                                        std::span<const std::string_view> environment) {
  Mentions mentions;
  for (std::string_view variable : environment) {
    const size_t equals = variable.find('=');
    if (!variable.starts_with(kEnvironmentPrefix) || equals == std::string_view::npos) continue;
    const size_t prefix = kEnvironmentPrefix.size();
    const std::string name = base::to_lower(variable.substr(prefix, equals - prefix));

    const FlagSpec* flag = find_flag(table, name);
    const bool negated = flag == nullptr && name.starts_with("no_");
    if (negated) flag = find_flag(table, std::string_view(name).substr(3));
    if (flag == nullptr || (negated && flag->kind != FlagKind::kBool)) continue;
    TRY(auto found, mention(*flag, negated, variable.substr(equals + 1), std::string(variable)));
    const auto [first, inserted] = mentions.try_emplace(flag->name, found);
    if (!inserted && first->second.value != found.value) {
      return fail(ErrorKind::kInvalid, concat("The environment contradicts itself: ",
                                              first->second.given, " and ", found.given));
    }
  }
  return mentions;
}

// The file whose content the value stands for, or nothing.
std::optional<std::string> named_file(const FlagSpec& flag, std::string_view value) {
  if (flag.kind == FlagKind::kPath) return std::nullopt;
  if (value.starts_with(kFilePrefix)) return std::string(value.substr(kFilePrefix.size()));
  if (flag.kind == FlagKind::kJson && value.starts_with('/')) return std::string(value);
  return std::nullopt;
}

}  // namespace

base::Result<std::map<std::string_view, FlagText>> read_flag_texts(
    std::span<const FlagSpec> table, std::span<const std::string_view> words,
    std::span<const std::string_view> environment) {
  TRY(Mentions mentions, read_words(table, words));
  TRY(Mentions from_environment, read_environment(table, environment));
  mentions.merge(from_environment);  // does not replace what the command line gives

  std::map<std::string_view, FlagText> texts;
  for (auto& [name, found] : mentions) {
    std::string text = std::move(found.value);
    if (const auto path = named_file(*found.flag, text)) {
      auto content = base::read_file(*path);
      if (!content) {
        return fail(
            ErrorKind::kInvalid,
            concat(found.given, ": expected a file that can be read: ", content.error().message));
      }
      text = found.flag->kind == FlagKind::kString ? *std::move(content)
                                                   : std::string(base::trim(*content));
    }
    texts.emplace(name, FlagText{std::move(text), std::move(found.given)});
  }
  return texts;
}

}  // namespace agent
