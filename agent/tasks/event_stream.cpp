#include "agent/tasks/event_stream.h"

#include <glog/logging.h>

#include <utility>

namespace agent {

using Event = mesos::v1::executor::Event;

void EventStream::put(Event event) {
  if (abandoned_ || closed_) {
    LOG(WARNING) << "An executor's connection is closed; it is not told: "
                 << Event::Type_Name(event.type());
    return;
  }
  const size_t size = event.ByteSizeLong();
  if (size > kMostBytes - bytes_) {
    LOG(WARNING) << "An executor does not read what it is told; it is not told: "
                 << Event::Type_Name(event.type());
    if (event.type() != Event::MESSAGE) close();
    return;
  }
  bytes_ += size;
  events_.push_back(std::move(event));
  changed_.set();
}

void EventStream::close() {
  closed_ = true;
  changed_.set();
}

base::Task<std::optional<Event>> EventStream::take() {
  while (events_.empty()) {
    if (closed_) co_return std::nullopt;
    changed_.clear();
    co_await changed_.wait();
  }
  Event event = std::move(events_.front());
  events_.pop_front();
  bytes_ -= event.ByteSizeLong();
  co_return event;
}

void HttpExecutorLink::subscribed(const Event::Subscribed& subscribed) {
  Event event;
  event.set_type(Event::SUBSCRIBED);
  *event.mutable_subscribed() = subscribed;
  stream_->put(std::move(event));
}

void HttpExecutorLink::launch(const Framework& /*framework*/, const mesos::v1::TaskInfo& task) {
  Event event;
  event.set_type(Event::LAUNCH);
  *event.mutable_launch()->mutable_task() = task;
  stream_->put(std::move(event));
}

void HttpExecutorLink::launch_group(const mesos::v1::TaskGroupInfo& group) {
  Event event;
  event.set_type(Event::LAUNCH_GROUP);
  *event.mutable_launch_group()->mutable_task_group() = group;
  stream_->put(std::move(event));
}

void HttpExecutorLink::kill(const mesos::v1::FrameworkID& /*framework*/,
                            const mesos::v1::TaskID& task,
                            const std::optional<mesos::v1::KillPolicy>& policy) {
  Event event;
  event.set_type(Event::KILL);
  *event.mutable_kill()->mutable_task_id() = task;
  if (policy) *event.mutable_kill()->mutable_kill_policy() = *policy;
  stream_->put(std::move(event));
}

void HttpExecutorLink::acknowledge(const mesos::v1::FrameworkID& /*framework*/,
                                   const mesos::v1::TaskID& task, const std::string& uuid) {
  Event event;
  event.set_type(Event::ACKNOWLEDGED);
  *event.mutable_acknowledged()->mutable_task_id() = task;
  event.mutable_acknowledged()->set_uuid(uuid);
  stream_->put(std::move(event));
}

void HttpExecutorLink::message(const mesos::v1::FrameworkID& /*framework*/,
                               const mesos::v1::ExecutorID& /*executor*/, const std::string& data) {
  Event event;
  event.set_type(Event::MESSAGE);
  event.mutable_message()->set_data(data);
  stream_->put(std::move(event));
}

void HttpExecutorLink::shut_down() {
  Event event;
  event.set_type(Event::SHUTDOWN);
  stream_->put(std::move(event));
}

}  // namespace agent
