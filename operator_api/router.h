// From a request's path to what serves it.
#pragma once

#include "agent/agent.h"
#include "base/task.h"
#include "http/server.h"

namespace operator_api {

// Serves every request to the agent. Paths are those of Apache Mesos: with or without the component
// /slave(1) in front, and a handler serves everything below its own path as well.
http::Handler make_handler(agent::Agent& agent);

// The same for the unix socket of executors, which must do without most of it: all paths but
// /slave(1)/api/v1 and /slave(1)/api/v1/executor, exactly, are 403.
http::Handler make_domain_socket_handler(agent::Agent& agent);

// For the agent's own executors, by a unix socket: /slave(1)/api/v1/executor, exactly, and nothing
// else. Who runs as an executor's user may speak for it, and root.
http::Handler make_own_executors_handler(agent::Agent& agent);

}  // namespace operator_api
