// One request being answered: what every handler gets, that of an endpoint and that of a call.
#pragma once

#include <sys/types.h>

#include <optional>

#include "agent/agent.h"
#include "base/own_frame.h"
#include "base/task.h"
#include "http/authentication.h"
#include "http/message.h"
#include "http/response_writer.h"

namespace operator_api {

struct Context {
  agent::Agent& agent;
  http::Request& request;
  http::ResponseWriter& writer;
  // Who sends it; nobody in particular where nobody is asked. The router finds it out.
  std::optional<http::Principal> principal = {};
  // As whom the sender runs, where that decides which executor it may speak for; root may for all.
  std::optional<uid_t> local_user = {};

  // The whole response.
  OWN_FRAME base::Task<void> reply(http::Response response) {
    // A client that is gone has no use for the result.
    (void)co_await writer.send(std::move(response));
  }
};

}  // namespace operator_api
