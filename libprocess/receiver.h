// Where messages come in.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>

#include "base/task.h"
#include "http/body.h"
#include "http/message.h"
#include "http/response_writer.h"
#include "libprocess/message.h"

namespace libprocess {

// The processes of this program that others send messages to, by their ids.
class Receiver {
 public:
  using Handler = std::function<void(Message)>;

  // What a message may hold. The largest are those of many tasks at once: a framework's task group,
  // or what a master wants reconciled.
  static constexpr size_t kMaxBody = 64 * 1024 * 1024;

  explicit Receiver(size_t max_body = kMaxBody)
      : max_body_(max_body), bodies_(kLargeBodies * max_body) {}
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  // From here on the handler gets what is sent to this id, whole, and what comes on one connection
  // in the order in which it came. It must not wait. It may install and remove, itself too.
  void install(std::string id, Handler handler);
  void remove(const std::string& id);

  // Serves a request that is_message(). It is answered 202 after the handler has returned; 404 if
  // there is no such process, 500 if it does not tell from whom it is or for whom, 413 if it is too
  // large, all with a text that says why.
  //
  // The sender's connection is kept from here on (ResponseWriter::keep_connection): a master takes
  // its end for the agent's.
  base::Task<void> handle(http::Request& request, http::ResponseWriter& writer);

 private:
  static constexpr size_t kLargeBodies = 4;  // so many of the largest can come at once

  const size_t max_body_;
  http::BodyBudget bodies_;
  std::map<std::string, Handler, std::less<>> handlers_;
};

}  // namespace libprocess
