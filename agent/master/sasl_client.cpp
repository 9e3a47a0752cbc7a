#include "agent/master/sasl_client.h"

#include <sasl/sasl.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

#include "base/strings.h"

namespace agent {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr char kService[] = "mesos";
constexpr char kMechanism[] = "CRAM-MD5";

using AnyCallback = int (*)();

// The library knows each callback's real type by its id.
template <typename F>
AnyCallback as_callback(F* function) {
  return reinterpret_cast<AnyCallback>(reinterpret_cast<void*>(function));
}

// The library writes to the system's log if nobody else takes what it says. What counts is told by
// the results of its calls.
int drop_log(void*, int, const char*) { return SASL_OK; }

int give_principal(void* context, int, const char** result, unsigned* length) {
  const auto& principal = *static_cast<const std::string*>(context);
  *result = principal.c_str();
  if (length != nullptr) *length = static_cast<unsigned>(principal.size());
  return SASL_OK;
}

int give_secret(sasl_conn_t*, void* context, int, sasl_secret_t** result) {
  *result = static_cast<sasl_secret_t*>(context);
  return SASL_OK;
}

base::Error no_mechanism() {
  return {ErrorKind::kUnsupported,
          concat("SASL has no ", kMechanism, " here (Debian: package libsasl2-modules)")};
}

Status initialize_library() {
  static const sasl_callback_t callbacks[] = {
      {SASL_CB_LOG, as_callback(&drop_log), nullptr},
      {SASL_CB_LIST_END, nullptr, nullptr},
  };
  static const int code = sasl_client_init(callbacks);
  if (code == SASL_OK) return {};
  return fail(
      concat("SASL does not start: ", std::string_view(sasl_errstring(code, nullptr, nullptr))));
}

}  // namespace

struct SaslClient::Callbacks {
  explicit Callbacks(const Credential& credential)
      : secret(offsetof(sasl_secret_t, data) + credential.secret.size() + 1) {
    auto* given = reinterpret_cast<sasl_secret_t*>(secret.data());
    given->len = credential.secret.size();
    std::ranges::copy(credential.secret, secret.data() + offsetof(sasl_secret_t, data));
    void* principal = const_cast<std::string*>(&credential.principal);
    list = {{
        {SASL_CB_USER, as_callback(&give_principal), principal},
        {SASL_CB_AUTHNAME, as_callback(&give_principal), principal},
        {SASL_CB_PASS, as_callback(&give_secret), given},
        {SASL_CB_LOG, as_callback(&drop_log), nullptr},
        {SASL_CB_LIST_END, nullptr, nullptr},
    }};
  }

  std::vector<char> secret;  // a sasl_secret_t
  std::array<sasl_callback_t, 5> list{};
};

SaslClient::SaslClient(Credential credential)
    : credential_(std::move(credential)), callbacks_(std::make_unique<Callbacks>(credential_)) {}

SaslClient::~SaslClient() {
  if (connection_ != nullptr) sasl_dispose(&connection_);
}

Result<std::unique_ptr<SaslClient>> SaslClient::make(Credential credential) {
  TRY_VOID(initialize_library());
  std::unique_ptr<SaslClient> client(new SaslClient(std::move(credential)));
  const int code = sasl_client_new(kService, nullptr, nullptr, nullptr,
                                   client->callbacks_->list.data(), 0, &client->connection_);
  if (code != SASL_OK) return fail(client->error("SASL cannot be used", code));
  return client;
}

Status SaslClient::check() {
  TRY_VOID(initialize_library());
  const char** known = sasl_global_listmech();
  while (known != nullptr && *known != nullptr && std::string_view(*known) != kMechanism) ++known;
  return known != nullptr && *known != nullptr ? Status() : fail(no_mechanism());
}

Result<SaslClient::Start> SaslClient::start(std::span<const std::string> mechanisms) {
  if (std::ranges::find(mechanisms, kMechanism) == mechanisms.end()) {
    return fail(ErrorKind::kUnsupported, concat("the master does not offer ", kMechanism));
  }
  sasl_interact_t* questions = nullptr;
  const char* data = nullptr;
  unsigned length = 0;
  const char* chosen = nullptr;
  const int code = sasl_client_start(connection_, kMechanism, &questions, &data, &length, &chosen);
  if (code == SASL_NOMECH) {
    return fail(no_mechanism());
  }
  if (code != SASL_OK && code != SASL_CONTINUE) return fail(error("SASL does not start", code));
  return Start{chosen, data == nullptr ? "" : std::string(data, length)};
}

Result<std::string> SaslClient::step(std::string_view challenge) {
  sasl_interact_t* questions = nullptr;
  const char* data = nullptr;
  unsigned length = 0;
  const int code =
      sasl_client_step(connection_, challenge.data(), static_cast<unsigned>(challenge.size()),
                       &questions, &data, &length);
  if (code != SASL_OK && code != SASL_CONTINUE) {
    return fail(error("SASL cannot answer the master's challenge", code));
  }
  return data == nullptr ? "" : std::string(data, length);
}

base::Error SaslClient::error(std::string_view what, int code) const {
  const char* detail =
      connection_ != nullptr ? sasl_errdetail(connection_) : sasl_errstring(code, nullptr, nullptr);
  return base::Error(concat(what, ": ", std::string_view(detail)));
}

}  // namespace agent
