// What an executor that has subscribed by HTTP is told, in order, until its connection takes it.
#pragma once

#include <list>
#include <memory>
#include <optional>

#include "agent/tasks/executor_link.h"
#include "base/sync.h"
#include "base/task.h"
#include "proto/mesos/v1/executor/executor.pb.h"

namespace agent {

// Between the agent, which puts events in, and the coroutine of the connection, which takes them
// out.
class EventStream {
 public:
  using Event = mesos::v1::executor::Event;

  // The end that takes has gone: what is put in from now on is lost.
  void abandon() { abandoned_ = true; }

  // So much may wait for a client that does not read.
  static constexpr size_t kMostBytes = 16 * 1024 * 1024;

  // Dropped, with a line in the log, if nobody takes it any more, or if too much waits. With
  // anything but a message of its scheduler, of which some may be lost, the stream then ends: the
  // executor comes again and says what it knows of.
  void put(Event event);

  // Nothing is put in after this. What is there is still taken.
  void close();

  // The next event; nothing at the end. One taker at a time.
  base::Task<std::optional<Event>> take();

 private:
  std::list<Event> events_;  // not a deque, which takes memory also when it is empty
  base::Event changed_;
  size_t bytes_ = 0;  // of events_
  bool closed_ = false;
  bool abandoned_ = false;
};

class HttpExecutorLink final : public ExecutorLink {
 public:
  explicit HttpExecutorLink(std::shared_ptr<EventStream> stream) : stream_(std::move(stream)) {}

  // Another stream of the same executor takes its place, or the executor is gone.
  ~HttpExecutorLink() override { stream_->close(); }

  void subscribed(const mesos::v1::executor::Event::Subscribed& subscribed);

  void launch(const Framework& framework, const mesos::v1::TaskInfo& task) override;
  void launch_group(const mesos::v1::TaskGroupInfo& group) override;
  void kill(const mesos::v1::FrameworkID& framework, const mesos::v1::TaskID& task,
            const std::optional<mesos::v1::KillPolicy>& policy) override;
  void acknowledge(const mesos::v1::FrameworkID& framework, const mesos::v1::TaskID& task,
                   const std::string& uuid) override;
  void message(const mesos::v1::FrameworkID& framework, const mesos::v1::ExecutorID& executor,
               const std::string& data) override;
  void shut_down() override;

 private:
  std::shared_ptr<EventStream> stream_;
};

}  // namespace agent
