// One call being answered: what a handler gets.
#pragma once

#include <string>

#include "agent/agent.h"
#include "http/message.h"
#include "http/response_writer.h"
#include "operator_api/media.h"
#include "proto/mesos/v1/agent/agent.pb.h"

namespace operator_api {

using Call = mesos::v1::agent::Call;

class Exchange {
 public:
  Exchange(agent::Agent& agent_, const Call& call_, const Media& media_, http::Request& request_,
           http::ResponseWriter& writer_)
      : agent(agent_), call(call_), media(media_), request(request_), writer(writer_) {}

  agent::Agent& agent;
  const Call& call;
  const Media media;
  http::Request& request;
  http::ResponseWriter& writer;

  // Of a streaming request: what was read of its body beyond the first record.
  std::string body_read_ahead;

  // The response to a call: `message` in the encoding that the client wants.
  base::Task<void> reply(const mesos::v1::agent::Response& message);

  // A response without a message: 200, 202.
  base::Task<void> reply(int status);

  // A response as it is: mostly an error.
  base::Task<void> reply(http::Response response);
};

}  // namespace operator_api
