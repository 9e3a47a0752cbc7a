#include "agent/meta/reconfiguration.h"

#include <algorithm>
#include <string>

#include "agent/resource_set.h"
#include "agent/resource_values.h"
#include "base/strings.h"

namespace agent {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;
using base::Status;
using mesos::v1::AgentInfo;
using mesos::v1::Attribute;
using mesos::v1::Resource;

namespace {

Status changed(std::string_view what) {
  return fail(ErrorKind::kConflict, concat("the ", what, " has changed"));
}

// The field `checkpoint` of SlaveInfo, which agents always set.
bool checkpoints(const AgentInfo& info) {
  const auto& fields = info.unknown_fields();
  for (int i = 0; i < fields.field_count(); ++i) {
    const auto& field = fields.field(i);
    if (field.number() == 7 && field.type() == google::protobuf::UnknownField::TYPE_VARINT) {
      return field.varint() != 0;
    }
  }
  return true;
}

// All of `some` is in `all`, and there is no other text or number: an attribute's scalar is no
// amount.
bool attribute_covers(const Attribute& all, const Attribute& some) {
  return all.name() == some.name() && all.type() == some.type() &&
         covers(all.scalar(), some.scalar()) && covers(some.scalar(), all.scalar()) &&
         all.text().value() == some.text().value() && covers(all.ranges(), some.ranges()) &&
         covers(all.set(), some.set());
}

bool has_all_attributes(const AgentInfo& info, const AgentInfo& of) {
  return std::ranges::all_of(of.attributes(), [&info](const Attribute& wanted) {
    return std::ranges::any_of(info.attributes(), [&wanted](const Attribute& attribute) {
      return attribute_covers(attribute, wanted);
    });
  });
}

bool has_all_resources(const AgentInfo& info, const AgentInfo& of) {
  const ResourceSet now(info.resources());
  const ResourceSet before(of.resources());
  return std::ranges::all_of(before.list(), [&now](const Resource& wanted) {
    return std::ranges::any_of(now.list(), [&wanted](const Resource& resource) {
      return same_kind(resource, wanted) && covers_value(resource, wanted);
    });
  });
}

// What must be as it was under any policy.
Status compare_identity(const AgentInfo& before, const AgentInfo& now) {
  if (now.has_id() && before.id().value() != now.id().value()) return changed("id");
  if (before.hostname() != now.hostname()) return changed("hostname");
  if (before.port() != now.port()) return changed("port");
  if (!checkpoints(before)) return changed("checkpointing");
  return {};
}

Status compare_additive(const AgentInfo& before, const AgentInfo& now) {
  TRY_VOID(compare_identity(before, now));
  if (before.has_domain() &&
      before.domain().SerializeAsString() != now.domain().SerializeAsString()) {
    return changed("domain");
  }
  if (!has_all_resources(now, before)) {
    return fail(ErrorKind::kConflict, "there are less resources than before");
  }
  if (!has_all_attributes(now, before)) {
    return fail(ErrorKind::kConflict, "attributes have changed or are missing");
  }
  return {};
}

Status compare_equal(const AgentInfo& before, const AgentInfo& now) {
  TRY_VOID(compare_identity(before, now));
  if (before.has_domain() != now.has_domain() ||
      before.domain().SerializeAsString() != now.domain().SerializeAsString()) {
    return changed("domain");
  }
  if (ResourceSet(before.resources()) != ResourceSet(now.resources())) {
    return fail(ErrorKind::kConflict, "the resources have changed");
  }
  if (before.attributes_size() != now.attributes_size() || !has_all_attributes(now, before) ||
      !has_all_attributes(before, now)) {
    return fail(ErrorKind::kConflict, "the attributes have changed");
  }
  return {};
}

}  // namespace

Result<ReconfigurationPolicy> parse_reconfiguration_policy(std::string_view text) {
  if (text == "equal") return ReconfigurationPolicy::kEqual;
  if (text == "additive") return ReconfigurationPolicy::kAdditive;
  return fail(ErrorKind::kInvalid, concat("--reconfiguration_policy: expected 'equal' or "
                                          "'additive', not '",
                                          text, "'"));
}

Result<Reconfiguration> compare_agents(ReconfigurationPolicy policy, const AgentInfo& before,
                                       const AgentInfo& now) {
  const Status equal = compare_equal(before, now);
  if (equal) return Reconfiguration::kUnchanged;
  if (policy == ReconfigurationPolicy::kEqual) return fail(equal.error());
  TRY_VOID(compare_additive(before, now));
  return Reconfiguration::kChanged;
}

}  // namespace agent
