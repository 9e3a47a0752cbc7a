#include "agent/post_message.h"

#include <glog/logging.h>

namespace agent {

void post_message(libprocess::Sender& sender, const libprocess::Upid& from,
                  const libprocess::Upid& to, const google::protobuf::Message& message) {
  const std::string& name = message.GetDescriptor()->full_name();
  // The library would end the process.
  if (!message.IsInitialized()) {
    LOG(ERROR) << "A " << name << " to " << to.to_string()
               << " is not sent, for it lacks: " << message.InitializationErrorString();
    return;
  }
  sender.send(from, to, name, message.SerializeAsString());
}

}  // namespace agent
