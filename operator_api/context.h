// One request being answered: what every handler gets, that of an endpoint and that of a call.
#pragma once

#include "agent/agent.h"
#include "base/task.h"
#include "http/message.h"
#include "http/response_writer.h"

namespace operator_api {

// Nobody is asked who they are yet. The principal's place is here: the router (router.cpp) makes
// the context, so what authenticates a request there can say so here, and every handler sees it.
struct Context {
  agent::Agent& agent;
  http::Request& request;
  http::ResponseWriter& writer;

  // The whole response.
  base::Task<void> reply(http::Response response) {
    // A client that is gone has no use for the result.
    (void)co_await writer.send(std::move(response));
  }
};

}  // namespace operator_api
