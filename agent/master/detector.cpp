#include "agent/master/detector.h"

#include <arpa/inet.h>
#include <google/protobuf/util/message_differencer.h>
#include <netdb.h>
#include <sys/socket.h>

#include <coroutine>
#include <utility>

#include "agent/master/master_address.h"
#include "agent/master/zookeeper/detector.h"
#include "agent/master/zookeeper/url.h"
#include "base/files.h"
#include "base/strings.h"

namespace agent {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;
using base::Task;
using google::protobuf::util::MessageDifferencer;
using libprocess::Upid;
using mesos::v1::MasterInfo;

namespace {

class StandaloneDetector final : public MasterDetector {
 public:
  StandaloneDetector(MasterInfo master, std::string host_name)
      : master_(std::move(master)), host_name_(std::move(host_name)) {}

  Task<Result<Leader>> detect(Leader previous) override {
    if (previous && MessageDifferencer::Equals(*previous, master_)) {
      co_await std::suspend_always{};
    }
    co_return Leader(master_);
  }

  std::string host_name() const override { return host_name_; }

 private:
  const MasterInfo master_;
  const std::string host_name_;
};

Result<uint32_t> resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int code = getaddrinfo(host.c_str(), nullptr, &hints, &found); code != 0) {
    return fail(ErrorKind::kInvalid,
                concat("'", host, "' has no IPv4 address: ", std::string_view(gai_strerror(code))));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, &freeaddrinfo);
  return ntohl(reinterpret_cast<const sockaddr_in*>(found->ai_addr)->sin_addr.s_addr);
}

// The name of who has this address; empty if it has none.
std::string name_of(uint32_t ip) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(ip);
  char text[NI_MAXHOST];
  const int failed = getnameinfo(reinterpret_cast<const sockaddr*>(&address), sizeof(address), text,
                                 sizeof(text), nullptr, 0, NI_NAMEREQD);
  return failed != 0 ? "" : text;
}

Result<std::string> text_of_flag(const std::string& master) {
  constexpr std::string_view kFile = "file://";
  if (!master.starts_with(kFile)) return master;
  TRY(const std::string content, base::read_file(master.substr(kFile.size())));
  return std::string(base::trim(content));
}

Result<std::unique_ptr<MasterDetector>> find_master(const std::string& text) {
  TRY(const MasterAddress address, parse_master_address(text));
  TRY(const uint32_t ip, resolve(address.host));
  const bool numeric = libprocess::parse_ip(address.host).has_value();
  return make_standalone_detector(
      make_master_info({address.process, ip, address.port}, numeric ? name_of(ip) : address.host),
      numeric ? "" : address.host);
}

Result<std::unique_ptr<MasterDetector>> make_detector(const std::string& flag,
                                                      std::chrono::nanoseconds session_timeout) {
  TRY(const std::string text, text_of_flag(flag));
  if (is_zookeeper_url(text)) {
    TRY(auto url, parse_zookeeper_url(text));
    return make_zookeeper_detector(std::move(url), session_timeout);
  }
  return find_master(text);
}

}  // namespace

MasterInfo make_master_info(const Upid& pid, const std::string& hostname) {
  MasterInfo info;
  info.set_id(pid.to_string());
  info.set_ip(htonl(pid.ip));
  info.set_port(pid.port);
  info.set_pid(pid.to_string());
  const std::string ip = pid.address().ip_text();
  info.set_hostname(hostname.empty() ? ip : hostname);
  info.mutable_address()->set_hostname(info.hostname());
  info.mutable_address()->set_ip(ip);
  info.mutable_address()->set_port(pid.port);
  for (const auto type :
       {MasterInfo::Capability::AGENT_UPDATE, MasterInfo::Capability::AGENT_DRAINING,
        MasterInfo::Capability::QUOTA_V2}) {
    info.add_capabilities()->set_type(type);
  }
  return info;
}

Result<Upid> pid_of(const MasterInfo& master) {
  TRY(Upid pid, Upid::parse(master.pid()));
  if (pid.empty()) return fail(ErrorKind::kInvalid, "the master has no process");
  return pid;
}

std::unique_ptr<MasterDetector> make_standalone_detector(MasterInfo master, std::string host_name) {
  return std::make_unique<StandaloneDetector>(std::move(master), std::move(host_name));
}

Result<std::unique_ptr<MasterDetector>> make_master_detector(
    const std::string& master, std::chrono::nanoseconds zookeeper_session_timeout) {
  auto made = make_detector(master, zookeeper_session_timeout);
  if (made) return made;
  const std::string flag = concat("--master=", hide_password(master));
  return fail(std::move(made).error().with_context(flag));
}

}  // namespace agent
