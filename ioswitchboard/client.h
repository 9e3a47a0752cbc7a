// The agent's side of attaching. A call of an operator comes down to
//
//   auto attached = co_await attach_output(directory, {encoding, recordio}, replay);
//   if (!attached) co_return co_await writer.send(http::error_response(attached.error()));
//   co_return co_await pass_on(*attached, writer);
//
// and for input, whose first record the agent has read,
//
//   auto response = co_await attach_input(directory, encoding, read_ahead, request.body, writer);
//   if (!response) co_return co_await writer.send(http::error_response(response.error()));
//   co_return co_await writer.send(*std::move(response));
#pragma once

#include <string>

#include "base/result.h"
#include "base/task.h"
#include "http/client.h"
#include "http/message.h"
#include "http/response_writer.h"
#include "ioswitchboard/attach.h"

namespace ioswitchboard {

// A connection to the switchboard of that directory, whatever the length of its path. kClosed, "I/O
// switchboard has shutdown", if nobody listens there any more.
base::Task<base::Result<http::ClientConnection>> connect_switchboard(std::string directory);

// The response to a request, and the connection that its body comes on. Can be moved.
struct Attached {
  http::ClientConnection connection;
  http::ClientResponse response;
};

// Attaches to the output; with `replay`, to what there was before as well. Whatever the container
// writes after this has returned with status 200 will be in the response's body.
base::Task<base::Result<Attached>> attach_output(std::string directory, OutputForm form,
                                                 bool replay);

// Passes the response on to a client: an output stream unchanged, byte for byte, anything else as a
// whole. The client's stream ends cleanly only if the switchboard's does.
base::Task<base::Status> pass_on(Attached& attached, http::ResponseWriter& writer);

// Attaches a client to the input: what came of its body behind the first record, and the rest of
// `body` unchanged. Gives the switchboard's answer as soon as it comes, even if the body has not
// ended. `client` tells, while the container takes nothing, that the client has gone: that, and a
// body that breaks off, is an error of kind kClosed, which nobody needs to be told.
//
// (The end of a TCP connection comes behind its data, so it is not seen while those fill all
// buffers on the way.) All arguments by reference must live until it returns.
base::Task<base::Result<http::Response>> attach_input(std::string directory, Encoding encoding,
                                                      std::string_view read_ahead,
                                                      http::BodyReader& body,
                                                      http::ResponseWriter& client);

}  // namespace ioswitchboard
