// Requests and responses as handlers see them.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "http/body.h"
#include "http/headers.h"
#include "http/url.h"

namespace http {

struct Request {
  std::string method;  // as sent, upper case for all known methods
  std::string target;  // as sent: "/a%20b?c=d"
  std::string path;    // of the target, still percent-encoded, begins with '/'
  Query query;
  Headers headers;
  int minor_version = 1;   // of HTTP/1.x
  bool keep_alive = true;  // whether the client wants to use the connection again
  BodyReader& body;        // inflated already, if it came with Content-Encoding: gzip
};

// A whole response. Content-Length, Date and what concerns the connection are added when it is
// sent.
struct Response {
  int status = 200;
  Headers headers;
  std::string body;
};

// "Not Found" for 404; the classic phrases of RFC 2616 ("Request Time-out"), as Apache Mesos sends
// them. "Unknown" for what is in no list.
std::string_view reason_phrase(int status);

// An error as plain text (text/plain; charset=utf-8). Without a text, it is "404 Not Found." or the
// like.
Response error_response(int status, std::string text = {});

// The status that fits an error: 400 for kInvalid (413 if its code is EMSGSIZE), 403 for
// kForbidden, 404 for kNotFound, 409 for kConflict and kAlreadyExists, 501 for kUnsupported, 503
// for kTimeout, 500 for the rest.
int status_of(const base::Error& error);

// error_response(status_of(error), error.message)
Response error_response(const base::Error& error);

// The time as the Date header has it: "Sat, 21 Nov 2026 09:56:23 GMT". Formatted once a second; the
// view is valid until the next call. For the loop's thread only.
std::string_view http_date();

// "HTTP/1.1 200 OK\r\nDate: ...\r\n" and the fields, without the empty line at the end. A Date
// among the fields is kept. Line ends inside of a name or value become blanks, so that no value can
// start a new field.
std::string format_response_head(int status, const Headers& headers);
std::string format_request_head(std::string_view method, std::string_view target,
                                const Headers& headers);

}  // namespace http
