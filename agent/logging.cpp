#include "agent/logging.h"

#include <gflags/gflags.h>
#include <glog/logging.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/files.h"
#include "base/strings.h"

namespace agent {
namespace {

google::LogSeverity severity_of(const std::string& name) {
  if (name == "WARNING") return google::GLOG_WARNING;
  if (name == "ERROR") return google::GLOG_ERROR;
  return google::GLOG_INFO;
}

}  // namespace

base::Status configure_logging(const Flags& flags) {
  if (flags.log_dir) TRY_VOID(base::make_directories(*flags.log_dir));

  const bool to_stderr = !flags.quiet;
  const std::pair<const char*, std::string> settings[] = {
      {"minloglevel", base::concat(severity_of(flags.logging_level))},
      {"stderrthreshold", base::concat(to_stderr ? google::GLOG_INFO : google::GLOG_FATAL)},
  };
  for (const auto& [name, value] : settings) {
    if (google::SetCommandLineOption(name, value.c_str()).empty()) {
      return base::fail(base::concat("glog does not accept --", name, "=", value));
    }
  }
  if (!flags.log_dir) {
    for (int severity = 0; severity < google::NUM_SEVERITIES; ++severity) {
      google::SetLogDestination(severity, "");
    }
  }
  return {};
}

}  // namespace agent
