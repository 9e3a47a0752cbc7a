#include "agent/version.h"

#include <ctime>

#include "base/strings.h"

namespace agent {

namespace {

// When this file was compiled, in UTC as far as the build host's clock goes.
std::time_t build_time() {
  std::tm parts{};
  strptime(__DATE__ " " __TIME__, "%b %d %Y %H:%M:%S", &parts);
  return timegm(&parts);
}

}  // namespace

mesos::v1::VersionInfo version_info() {
  mesos::v1::VersionInfo info;
  info.set_version(kMesosVersion);
  const std::time_t time = build_time();
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts);
  info.set_build_date(text);
  info.set_build_time(static_cast<double>(time));
  info.set_build_user(MESOS_AGENT_BUILD_USER);
  info.set_git_tag(base::concat("mesos-agent-", MESOS_AGENT_VERSION));
  return info;
}

std::string version_text() {
  return base::concat("mesos-agent ", MESOS_AGENT_VERSION, " (speaks Apache Mesos ", kMesosVersion,
                      ")");
}

}  // namespace agent
