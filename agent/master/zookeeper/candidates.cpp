#include "agent/master/zookeeper/candidates.h"

#include <algorithm>
#include <array>

#include "agent/master/detector.h"
#include "base/strings.h"
#include "proto/json_read.h"

namespace agent {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;
using base::Status;
using mesos::v1::MasterInfo;

namespace {

std::optional<Candidate> parse_candidate(const std::string& name) {
  const size_t underscore = name.rfind('_');
  const size_t digits = underscore == std::string::npos ? 0 : underscore + 1;
  const auto number = base::parse_number<int32_t>(std::string_view(name).substr(digits));
  if (!number) return std::nullopt;
  return Candidate{.name = name, .number = *number};
}

Status read_json(const std::string& content, MasterInfo* master) {
  auto parsed = proto::parse_json(content, master);
  if (!parsed) return fail(ErrorKind::kInvalid, std::move(parsed).error().message);
  return {};
}

Status read_message(const std::string& content, MasterInfo* master) {
  if (!master->ParseFromString(content)) return fail(ErrorKind::kInvalid, "not a MasterInfo");
  return {};
}

Status read_pid(const std::string& content, MasterInfo* master) {
  TRY(const auto pid, libprocess::Upid::parse(content));
  *master = make_master_info(pid, "");
  return {};
}

struct Form {
  std::string_view label;
  Status (*read)(const std::string& content, MasterInfo* master);
};

constexpr std::array kForms = {
    Form{"json.info", read_json}, Form{"info", read_message},  // of old masters
    Form{"", read_pid},                                        // of older ones
};

}  // namespace

std::string_view Candidate::label() const {
  const size_t underscore = name.rfind('_');
  return std::string_view(name).substr(0, underscore == std::string::npos ? 0 : underscore);
}

std::optional<Candidate> find_leader(const std::vector<std::string>& children) {
  std::optional<Candidate> leader;
  for (const std::string& name : children) {
    auto candidate = parse_candidate(name);
    if (candidate && (!leader || candidate->number < leader->number)) leader = std::move(candidate);
  }
  return leader;
}

Result<MasterInfo> read_candidate(const Candidate& candidate, const std::string& content) {
  const auto form = std::ranges::find(kForms, candidate.label(), &Form::label);
  if (form == kForms.end()) {
    return fail(ErrorKind::kInvalid,
                concat("the node '", candidate.name, "' has a label that no master uses"));
  }
  MasterInfo master;
  Status read = form->read(content, &master);
  if (read) {
    if (const auto pid = pid_of(master); !pid) read = fail(pid.error());
  }
  if (!read) {
    return fail(std::move(read).error().with_context(
        concat("the node '", candidate.name, "' describes no master")));
  }
  return master;
}

}  // namespace agent
