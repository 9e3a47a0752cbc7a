// One call being answered: what a handler gets.
#pragma once

#include <string>

#include "operator_api/context.h"
#include "operator_api/media.h"
#include "proto/mesos/v1/agent/agent.pb.h"

namespace operator_api {

using Call = mesos::v1::agent::Call;

class Exchange : public Context {
 public:
  Exchange(const Context& context, const Call& call_, const Media& media_)
      : Context(context), call(call_), media(media_) {}

  const Call& call;
  const Media media;

  // Of a streaming request: what was read of its body beyond the first record.
  std::string body_read_ahead;

  // The response to a call: `message` in the encoding that the client wants.
  base::Task<void> reply(const mesos::v1::agent::Response& message);

  // A response without a message: 200, 202.
  base::Task<void> reply(int status);

  // 200 for success, else what fits the error.
  base::Task<void> reply(const base::Status& status);

  // A response as it is: mostly an error.
  using Context::reply;
};

}  // namespace operator_api
