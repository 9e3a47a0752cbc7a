#include "ioswitchboard/options.h"

#include <string_view>

#include "base/duration.h"
#include "base/strings.h"

namespace ioswitchboard {

namespace {

// One flag: its text, and what its text sets.
struct Flag {
  std::string_view name;
  std::string (*print)(const ServerOptions&);
  base::Status (*parse)(std::string_view, ServerOptions&);
};

std::string print_bool(bool value) { return value ? "true" : "false"; }

base::Status parse_bool(std::string_view text, bool& value) {
  if (text != "true" && text != "false") {
    return base::fail(base::ErrorKind::kInvalid, "expecting 'true' or 'false'");
  }
  value = text == "true";
  return {};
}

base::Status parse_duration(std::string_view text, std::chrono::nanoseconds& value) {
  TRY(value, base::parse_duration(text));
  return {};
}

constexpr Flag kFlags[] = {
    {"directory", [](const ServerOptions& o) { return o.directory; },
     [](std::string_view text, ServerOptions& o) -> base::Status {
       o.directory = text;
       return {};
     }},
    {"tty", [](const ServerOptions& o) { return print_bool(o.tty); },
     [](std::string_view text, ServerOptions& o) { return parse_bool(text, o.tty); }},
    {"wait_for_connection",
     [](const ServerOptions& o) { return print_bool(o.wait_for_connection); },
     [](std::string_view text, ServerOptions& o) {
       return parse_bool(text, o.wait_for_connection);
     }},
    {"heartbeat_interval",
     [](const ServerOptions& o) { return base::to_string(o.heartbeat_interval); },
     [](std::string_view text, ServerOptions& o) {
       return parse_duration(text, o.heartbeat_interval);
     }},
    {"replay_size", [](const ServerOptions& o) { return base::to_string(o.replay_size); },
     [](std::string_view text, ServerOptions& o) -> base::Status {
       TRY(o.replay_size, base::parse_bytes(text));
       return {};
     }},
    {"stall_timeout", [](const ServerOptions& o) { return base::to_string(o.stall_timeout); },
     [](std::string_view text, ServerOptions& o) { return parse_duration(text, o.stall_timeout); }},
};

base::Status parse_option(std::string_view argument, ServerOptions& options) {
  for (const Flag& flag : kFlags) {
    std::string_view text = argument;
    if (!text.starts_with("--")) break;
    text.remove_prefix(2);
    if (!text.starts_with(flag.name) || !text.substr(flag.name.size()).starts_with('=')) continue;
    auto parsed = flag.parse(text.substr(flag.name.size() + 1), options);
    if (parsed) return {};
    return base::fail(
        std::move(parsed).error().with_context(base::concat("Failed to parse '", argument, "'")));
  }
  return base::fail(base::ErrorKind::kInvalid, base::concat("Unknown argument '", argument, "'"));
}

}  // namespace

std::vector<std::string> print_options(const ServerOptions& options) {
  std::vector<std::string> arguments;
  for (const Flag& flag : kFlags) {
    arguments.push_back(base::concat("--", flag.name, "=", flag.print(options)));
  }
  return arguments;
}

base::Result<ServerOptions> parse_options(std::span<const char* const> arguments) {
  ServerOptions options;
  for (const char* argument : arguments) TRY_VOID(parse_option(argument, options));
  if (options.heartbeat_interval <= std::chrono::nanoseconds(0)) {
    return base::fail(base::ErrorKind::kInvalid, "--heartbeat_interval must be positive");
  }
  return options;
}

}  // namespace ioswitchboard
