// Whether a principal may do what it asks for: by the access control lists, or, for the holder of a
// token, by what the token claims.
#pragma once

#include <optional>
#include <string>

#include "agent/acls.h"
#include "http/authentication.h"
#include "isolators/container_id.h"

namespace agent {

enum class Action {
  kAccessMesosLog,
  kAccessSandbox,
  kAttachContainerInput,
  kAttachContainerOutput,
  kGetEndpoint,
  kKillNestedContainer,
  kKillStandaloneContainer,
  kLaunchNestedContainer,
  kLaunchNestedContainerSession,
  kLaunchStandaloneContainer,
  kMarkResourceProviderGone,
  kModifyResourceProviderConfig,
  kPruneImages,
  kRemoveNestedContainer,
  kRemoveStandaloneContainer,
  kRunTask,
  kSetLogLevel,
  kViewContainer,
  kViewExecutor,
  kViewFlags,
  kViewFramework,
  kViewResourceProvider,
  kViewRole,
  kViewStandaloneContainer,
  kViewTask,
  kWaitNestedContainer,
  kWaitStandaloneContainer,
};

// What an action is about. The lists see names only: a user, a role, a path.
struct Object {
  // Nothing: what has no name, so that only an entry for ANY lets the action.
  std::optional<std::string> name = {};
  // Of a launch: the user of the executor in whose container it is.
  std::optional<std::string> parent_user = {};
  // What a token's claims are compared with; of other actions than those on containers, none.
  const isolators::ContainerId* container = nullptr;
};

class Authorizer {
 public:
  explicit Authorizer(Acls acls) : acls_(std::move(acls)) {}

  // A token's holder, who has claims and no name, may do only what the claims imply, whatever the
  // lists say: an executor what concerns containers below its own ("cid"), a resource provider what
  // concerns standalone containers whose ids begin as its own do ("cid_prefix"). Everybody else is
  // up to the lists.
  bool allow(const std::optional<http::Principal>& principal, Action action,
             const Object& object) const;

  const Acls& acls() const { return acls_; }

 private:
  Acls acls_;
};

}  // namespace agent
