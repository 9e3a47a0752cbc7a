// An executor's conversation with its agent: SUBSCRIBE on one connection, whose response is the
// stream of events, and all other calls on a second one. The loss of either is a disconnection. The
// second is made for the first call, since a server may not wait long for a client that only
// connects.
#pragma once

#include <list>
#include <string>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "base/result.h"
#include "base/sync.h"
#include "base/task.h"
#include "executors/calls.h"
#include "executors/events.h"
#include "executors/options.h"
#include "http/headers.h"

namespace executors {

class Connection {
 public:
  // Told what happens, from within run(); it must not destroy the connection there.
  class Listener {
   public:
    // Every event but HEARTBEAT, in order. What an ACKNOWLEDGED names has been forgotten already.
    virtual void on_event(Event event) = 0;
    // The subscription is lost. SUBSCRIBED tells that there is one again.
    virtual void on_disconnected() = 0;

   protected:
    ~Listener() = default;
  };

  Connection(AgentOptions options, Listener& listener)
      : options_(std::move(options)), listener_(listener) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Connects, and connects again as long as the options allow. Ends when the agent is lost for good
  // or refuses this executor; gives the reason.
  base::Task<base::Error> run();

  // Sends the update as soon as possible, after all that were sent before it. Until it is
  // acknowledged, each SUBSCRIBE repeats it.
  void send(const TaskStatus& status);

  // Has each SUBSCRIBE name the task until an update of it is acknowledged: of its launched tasks
  // the agent takes those that are not named for lost.
  void add_task(std::string id, std::string raw) {
    tasks_.emplace_back(std::move(id), std::move(raw));
  }

  bool has_unacknowledged_updates() const { return !updates_.empty(); }

 private:
  struct Session;
  struct Update {
    std::string uuid;
    std::string status;
    bool sent = false;  // on the present connection
  };

  base::Task<base::Error> keep_connected();
  base::Task<void> recovery_expired();
  base::Task<base::Result<base::Fd>> connect() const;
  base::Task<base::Status> converse();
  base::Task<base::Status> subscribe(Session& session);
  base::Task<base::Status> read_events(Session& session);
  base::Status handle_record(std::string_view record);
  base::Task<base::Status> send_calls(Session& session);
  base::Task<base::Status> idle(Session& session, Duration limit);
  base::Task<base::Status> post(Session& session, const char* type, std::string body);
  http::Headers headers() const;
  void acknowledge(const Event& event);
  void disconnect();

  AgentOptions options_;
  Listener& listener_;
  std::list<Update> updates_;                             // unacknowledged, in order
  std::list<std::pair<std::string, std::string>> tasks_;  // unacknowledged: id, TaskInfo
  base::Event unsent_;                                    // an update may be unsent
  base::Event subscribed_;
  base::Event away_;  // the agent was there and is not, or has not been yet
};

}  // namespace executors
