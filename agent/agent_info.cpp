#include "agent/agent_info.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

#include "agent/attributes.h"

namespace agent {

namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

AddressList resolve(const char* name, int flags) {
  addrinfo hints{};
  hints.ai_flags = flags;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(name, nullptr, &hints, &found) != 0) found = nullptr;
  return {found, &freeaddrinfo};
}

std::string describe(const addrinfo& address, int flags) {
  char text[NI_MAXHOST];
  const int failed =
      getnameinfo(address.ai_addr, address.ai_addrlen, text, sizeof(text), nullptr, 0, flags);
  return failed != 0 ? "" : text;
}

std::string name_of(const std::string& ip) {
  const AddressList address = resolve(ip.c_str(), AI_NUMERICHOST);
  return address ? describe(*address, NI_NAMEREQD) : "";
}

}  // namespace

std::string advertised_ip(const Flags& flags) {
  if (flags.advertise_ip) return *flags.advertise_ip;
  std::string ip = flags.ip.value_or("0.0.0.0");
  if (ip != "0.0.0.0" && ip != "::") return ip;
  char host[256] = {};
  gethostname(host, sizeof(host) - 1);
  const AddressList addresses = resolve(host, 0);
  for (const addrinfo* at = addresses.get(); at != nullptr; at = at->ai_next) {
    if (at->ai_family == AF_INET) return describe(*at, NI_NUMERICHOST);
  }
  return "127.0.0.1";
}

base::Result<mesos::v1::AgentInfo> make_agent_info(
    const Flags& flags, const std::vector<mesos::v1::Resource>& resources, const std::string& ip) {
  mesos::v1::AgentInfo info;
  std::string hostname = flags.hostname.value_or("");
  if (hostname.empty() && flags.hostname_lookup) hostname = name_of(ip);
  info.set_hostname(hostname.empty() ? ip : hostname);
  info.set_port(flags.advertise_port.value_or(flags.port));
  info.mutable_resources()->Add(resources.begin(), resources.end());
  TRY(const auto attributes, parse_attributes(flags.attributes.value_or("")));
  info.mutable_attributes()->Add(attributes.begin(), attributes.end());
  return info;
}

// All that there are in the version of the protocol that is spoken.
std::vector<mesos::v1::AgentInfo::Capability::Type> capabilities() {
  using Capability = mesos::v1::AgentInfo::Capability;
  return {Capability::MULTI_ROLE,
          Capability::HIERARCHICAL_ROLE,
          Capability::RESERVATION_REFINEMENT,
          Capability::RESOURCE_PROVIDER,
          Capability::RESIZE_VOLUME,
          Capability::AGENT_OPERATION_FEEDBACK,
          Capability::AGENT_DRAINING,
          Capability::TASK_RESOURCE_LIMITS};
}

}  // namespace agent
