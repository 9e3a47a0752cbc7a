// How protobuf messages become libprocess messages.
#pragma once

#include <google/protobuf/message.h>

#include "libprocess/sender.h"
#include "libprocess/upid.h"

namespace agent {

// Sends the message under its type's full name. One that lacks required fields is not sent, with an
// error in the log: nobody could read it.
void post_message(libprocess::Sender& sender, const libprocess::Upid& from,
                  const libprocess::Upid& to, const google::protobuf::Message& message);

}  // namespace agent
