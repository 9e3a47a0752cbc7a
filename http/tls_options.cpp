#include "http/tls_options.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>

#include "base/strings.h"

namespace http {

namespace {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Status;

constexpr std::string_view kPrefix = "LIBPROCESS_SSL_";
constexpr std::string_view kOldPrefix = "SSL_";

// The first are for everybody who is not older than ten years. The last are the ones that Apache
// Mesos offers unless it is told otherwise, without those that are broken: its master must be able
// to talk to us.
constexpr std::string_view kCiphers =
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:"
    "DHE-RSA-AES128-SHA:DHE-RSA-AES256-SHA:AES128-SHA:AES256-SHA:!aNULL:!PSK";

using Values = std::map<std::string, std::string, std::less<>>;  // by name without prefix

// --- How each variable is read. ---

Status read_into(bool* to, const std::string& value) {
  if (value != "true" && value != "1" && value != "false" && value != "0") {
    return fail(ErrorKind::kInvalid, "expected true, 1, false or 0");
  }
  *to = value == "true" || value == "1";
  return {};
}

Status read_into(int* to, const std::string& value) {
  constexpr int kMost = 100;  // more than OpenSSL follows
  const auto number = base::parse_number<int>(value);
  if (!number || *number < 0 || *number > kMost) {
    return fail(ErrorKind::kInvalid, concat("expected an integer from 0 to ", kMost));
  }
  *to = *number;
  return {};
}

Status read_into(std::string* to, const std::string& value) {
  if (value.empty()) return fail(ErrorKind::kInvalid, "expected something");
  *to = value;
  return {};
}

Status read_into(std::optional<std::string>* to, const std::string& value) {
  return read_into(&to->emplace(), value);
}

struct Variable {
  std::string_view name;
  Status (*read)(TlsOptions* options, const std::string& value);
};

template <auto kMember>
constexpr Variable variable(std::string_view name) {
  return {name, [](TlsOptions* options, const std::string& value) {
            return read_into(&(options->*kMember), value);
          }};
}

// Of which we have nothing: only "off" is taken.
constexpr Variable refused(std::string_view name) {
  return {name, [](TlsOptions*, const std::string& value) -> Status {
            bool on = false;
            TRY_VOID(read_into(&on, value));
            if (!on) return {};
            return fail(ErrorKind::kInvalid,
                        "the oldest version that this agent speaks is TLS 1.2");
          }};
}

constexpr std::array kVariables = {
    variable<&TlsOptions::enabled>("ENABLED"),
    variable<&TlsOptions::support_downgrade>("SUPPORT_DOWNGRADE"),
    variable<&TlsOptions::key_file>("KEY_FILE"),
    variable<&TlsOptions::cert_file>("CERT_FILE"),
    variable<&TlsOptions::ca_file>("CA_FILE"),
    variable<&TlsOptions::ca_dir>("CA_DIR"),
    variable<&TlsOptions::require_client_cert>("REQUIRE_CLIENT_CERT"),
    variable<&TlsOptions::verify_server_cert>("VERIFY_SERVER_CERT"),
    variable<&TlsOptions::verify_ipadd>("VERIFY_IPADD"),
    variable<&TlsOptions::verification_depth>("VERIFICATION_DEPTH"),
    variable<&TlsOptions::ciphers>("CIPHERS"),
    variable<&TlsOptions::ecdh_curves>("ECDH_CURVES"),
    variable<&TlsOptions::hostname_validation_scheme>("HOSTNAME_VALIDATION_SCHEME"),
    refused("ENABLE_SSL_V3"),
    refused("ENABLE_TLS_V1_0"),
    refused("ENABLE_TLS_V1_1"),
    variable<&TlsOptions::enable_tls_v1_2>("ENABLE_TLS_V1_2"),
    variable<&TlsOptions::enable_tls_v1_3>("ENABLE_TLS_V1_3"),
};

struct Renamed {
  std::string_view from;
  std::string_view to;
};
constexpr std::array kRenamed = {
    Renamed{"VERIFY_CERT", "VERIFY_SERVER_CERT"},
    Renamed{"REQUIRE_CERT", "REQUIRE_CLIENT_CERT"},
    Renamed{"VERIFY_DEPTH", "VERIFICATION_DEPTH"},
    Renamed{"ECDH_CURVE", "ECDH_CURVES"},
};

const Variable* find_variable(std::string_view name) {
  const auto* found = std::ranges::find(kVariables, name, &Variable::name);
  return found == kVariables.end() ? nullptr : found;
}

const Renamed* find_renamed(std::string_view name) {
  const auto* found = std::ranges::find(kRenamed, name, &Renamed::from);
  return found == kRenamed.end() ? nullptr : found;
}

bool is_known(std::string_view name) { return find_variable(name) || find_renamed(name); }

// --- What is in the environment. ---

struct Found {
  Values values;
  Values old_values;  // with the old prefix
  std::vector<std::string> unknown;
};

Found find_values(const char* const* environment) {
  Found found;
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view entry(*environment);
    const size_t equals = entry.find('=');
    if (equals == std::string_view::npos) continue;
    std::string_view name = entry.substr(0, equals);
    const bool is_ours = name.starts_with(kPrefix);
    if (!is_ours && !name.starts_with(kOldPrefix)) continue;
    name.remove_prefix(is_ours ? kPrefix.size() : kOldPrefix.size());
    if (is_known(name)) {
      (is_ours ? found.values : found.old_values).emplace(name, entry.substr(equals + 1));
    } else if (is_ours) {
      found.unknown.emplace_back(name);
    }
  }
  return found;
}

// Puts what has only an old prefix or name under the new one, which counts if both are there.
Values take_old_names(Found found, std::vector<std::string>* warnings) {
  for (auto& [name, value] : found.old_values) {
    const auto [at, added] = found.values.emplace(name, value);
    if (added) {
      warnings->push_back(concat(kOldPrefix, name, " is deprecated: call it ", kPrefix, name));
    } else if (at->second != value) {
      warnings->push_back(concat(kOldPrefix, name, " and ", kPrefix, name,
                                 " have different values; that of ", kPrefix, name, " counts"));
    }
  }
  for (const auto& [from, to] : kRenamed) {
    const auto node = found.values.extract(std::string(from));
    if (node.empty()) continue;
    const bool added = found.values.emplace(to, node.mapped()).second;
    warnings->push_back(concat(kPrefix, from, " is deprecated: call it ", kPrefix, to,
                               added ? "" : ", whose value counts, as it is set too"));
  }
  return std::move(found.values);
}

// --- What the values mean together. ---

Status check(const TlsOptions& options) {
  const auto missing = [](std::string_view name, std::string_view what) {
    return fail(ErrorKind::kInvalid,
                concat(kPrefix, "ENABLED is set, so ", kPrefix, name, " must name ", what));
  };
  if (options.key_file.empty()) return missing("KEY_FILE", "the file with the private key");
  if (options.cert_file.empty()) return missing("CERT_FILE", "the file with the certificate");
  if (!options.enable_tls_v1_2 && !options.enable_tls_v1_3) {
    return fail(ErrorKind::kInvalid, concat(kPrefix, "ENABLE_TLS_V1_2 and ", kPrefix,
                                            "ENABLE_TLS_V1_3 are both off: no version is left"));
  }
  // Otherwise whoever has a certificate of any public authority would be let in.
  if (options.require_client_cert && !options.ca_file && !options.ca_dir) {
    return fail(ErrorKind::kInvalid,
                concat(kPrefix, "REQUIRE_CLIENT_CERT is set, so ", kPrefix, "CA_FILE or ", kPrefix,
                       "CA_DIR must name the authorities that sign clients' certificates"));
  }
  const std::string& scheme = options.hostname_validation_scheme;
  if (scheme != "legacy" && scheme != "openssl") {
    return fail(ErrorKind::kInvalid, concat(kPrefix, "HOSTNAME_VALIDATION_SCHEME=", scheme,
                                            ": expected legacy or openssl"));
  }
  return {};
}

void warn(TlsOptions* options) {
  if (options->support_downgrade && options->require_client_cert) {
    options->warnings.push_back(concat(
        "With ", kPrefix, "SUPPORT_DOWNGRADE whoever does without TLS also does without the ",
        "certificate that ", kPrefix, "REQUIRE_CLIENT_CERT asks for"));
  } else if (options->support_downgrade) {
    options->warnings.push_back(
        concat(kPrefix, "SUPPORT_DOWNGRADE: connections without TLS are served too"));
  }
  if (!options->verify_server_cert) return;
  if (options->support_downgrade) {
    options->warnings.push_back(concat("With ", kPrefix, "SUPPORT_DOWNGRADE a server whose ",
                                       "certificate is not accepted is spoken to without TLS"));
  }
  if (options->hostname_validation_scheme == "openssl" && !options->verify_ipadd) {
    options->warnings.push_back(
        concat("With ", kPrefix, "HOSTNAME_VALIDATION_SCHEME=openssl and without ", kPrefix,
               "VERIFY_IPADD only a master that --master has the name of can be connected to"));
  }
}

}  // namespace

base::Result<TlsOptions> read_tls_options(const char* const* environment) {
  TlsOptions options;
  options.ciphers = kCiphers;
  options.ecdh_curves = "auto";
  options.hostname_validation_scheme = "legacy";

  Found found = find_values(environment);
  std::vector<std::string> unknown = std::move(found.unknown);
  Values values = take_old_names(std::move(found), &options.warnings);
  // Of a configuration that is switched off nothing can be wrong but the switch.
  const auto enabled = values.find("ENABLED");
  if (enabled == values.end()) return TlsOptions{};
  for (const Variable& entry : kVariables) {
    const auto at = values.find(entry.name);
    if (at == values.end()) continue;
    if (auto status = entry.read(&options, at->second); !status) {
      return fail(ErrorKind::kInvalid, concat(kPrefix, entry.name, "=", at->second, ": ",
                                              std::move(status).error().message));
    }
    if (!options.enabled) return TlsOptions{};
  }
  TRY_VOID(check(options));
  if (options.require_client_cert) options.verify_server_cert = true;
  for (const std::string& name : unknown) {
    options.warnings.push_back(concat("There is no variable ", kPrefix, name, "; it is ignored"));
  }
  warn(&options);
  return options;
}

}  // namespace http
