// The container's standard input, and whose turn it is to write to it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/stream.h"
#include "base/sync.h"
#include "base/task.h"
#include "http/body.h"
#include "http/response_writer.h"
#include "ioswitchboard/input_record.h"

namespace ioswitchboard {

class ContainerInput {
 public:
  // The write end of a pipe, or the master of a terminal.
  ContainerInput(std::shared_ptr<base::Stream> stream, bool tty)
      : stream_(std::move(stream)), tty_(tty) {}
  ContainerInput(const ContainerInput&) = delete;
  ContainerInput& operator=(const ContainerInput&) = delete;

  // Handles the records of one request's body until it ends, each completely before the next is
  // taken. Only one request is served at a time; another one waits if the end of the body of the
  // one before it has come already, and is refused otherwise. `client` tells when to give up
  // because nobody is there any more.
  //
  // Fails with kConflict for a second writer, kInvalid for a bad record, kInternal if stdin cannot
  // be written to, and with the body's own errors.
  base::Task<base::Status> serve(Encoding encoding, http::BodyReader& body,
                                 http::ResponseWriter& client);

 private:
  // One request's use of the input, from its beginning to its end or the destruction of the task.
  class Turn {
   public:
    Turn(ContainerInput& input, http::BodyReader& body) : input_(input), body_(body) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn();

    // Waits until it is this one's turn; kConflict if it is not going to be soon.
    base::Task<base::Status> begin();

    // The next bytes of the body, none at its end. Valid until the next call.
    base::Task<base::Result<std::string_view>> read();

   private:
    // Whether all of the body has come, as far as that can be seen without waiting.
    bool body_has_ended();
    void read_ahead();

    ContainerInput& input_;
    http::BodyReader& body_;
    std::string current_;
    std::string ahead_;     // behind current_
    bool ended_ = false;    // nothing comes after ahead_
    bool waiting_ = false;  // for the body
    std::optional<base::Error> error_;
  };

  base::Task<base::Status> handle(InputRecord record, http::ResponseWriter& client);
  base::Task<base::Status> write(std::string_view data, http::ResponseWriter& client);
  base::Status resize(const InputRecord& record);

  std::shared_ptr<base::Stream> stream_;  // none after the end of stdin
  const bool tty_;
  Turn* turn_ = nullptr;
  base::Event turn_changed_;  // its body has ended, or it is over
};

}  // namespace ioswitchboard
