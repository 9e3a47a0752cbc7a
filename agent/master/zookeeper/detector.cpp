#include "agent/master/zookeeper/detector.h"

#include <glog/logging.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <string>
#include <utility>

#include "agent/master/zookeeper/candidates.h"
#include "agent/master/zookeeper/session.h"
#include "base/combine.h"
#include "base/scope.h"
#include "base/strings.h"

namespace agent {

using base::concat;
using base::Error;
using base::ErrorKind;
using base::fail;
using base::Result;
using base::Status;
using base::Task;
using google::protobuf::util::MessageDifferencer;
using std::chrono::nanoseconds;
using Leader = MasterDetector::Leader;

namespace {

// As Apache Mesos waits (src/zookeeper/group.cpp).
constexpr std::chrono::seconds kRetryInterval{2};

std::string seconds_text(nanoseconds time) {
  return concat(std::chrono::ceil<std::chrono::seconds>(time).count(), " s");
}

// ": why there is no connection", if the client has said so.
std::string why() {
  const std::string complaint = ZooKeeperSession::last_complaint();
  return complaint.empty() ? "" : concat(": ", complaint);
}

class ZooKeeperDetector final : public MasterDetector {
 public:
  ZooKeeperDetector(ZooKeeperUrl url, nanoseconds session_timeout)
      : url_(std::move(url)), session_timeout_(session_timeout) {}

  Task<Result<Leader>> detect(Leader previous) override {
    if (scope_.size() == 0) scope_.spawn(run());
    while (is_leader(previous)) {
      changed_.clear();
      co_await changed_.wait();
    }
    co_return leader_;
  }

 private:
  // From one session to the next.
  Task<void> run() {
    while (true) {
      {
        ZooKeeperSession session(url_.servers, session_timeout_);
        co_await base::any_of(wait_for_end(session), look(session));
      }
      set_leader(std::nullopt);
    }
  }

  // The server keeps a session that has no connection for its timeout. After that there is no need
  // to ask it: it will have forgotten us.
  Task<void> wait_for_end(ZooKeeperSession& session) {
    auto end = co_await base::any_of(session.ended(), wait_for_silence(session));
    if (end.index() == 0) {
      const Error& error = std::get<0>(end);
      const bool expired = error.kind == ErrorKind::kClosed;
      LOG(WARNING) << "ZooKeeper at " << url_.servers << ": " << error.message
                   << (expired ? "" : why());
      // One that could not be begun would fail again at once.
      if (!expired) co_await base::sleep_for(kRetryInterval);
    } else {
      LOG(WARNING) << "There was no connection to ZooKeeper at " << url_.servers << " for "
                   << seconds_text(session.timeout()) << why();
    }
  }

  Task<void> wait_for_silence(ZooKeeperSession& session) {
    co_await session.opened();
    // One that is not given the time to connect would be followed by the next at once.
    auto patience = std::max<nanoseconds>(session.timeout(), kRetryInterval);
    while (co_await base::with_timeout(session.connected(), patience)) {
      LOG(INFO) << "Connected to ZooKeeper at " << url_.servers << ", which keeps the session for "
                << seconds_text(session.timeout());
      co_await session.disconnected();
      LOG(WARNING) << "The connection to ZooKeeper is lost" << why();
      patience = session.timeout();
    }
  }

  // While the session lasts. Without a connection what was seen last counts.
  Task<void> look(ZooKeeperSession& session) {
    bool authenticated = url_.credentials.empty();
    while (true) {
      co_await session.connected();
      Status looked;
      if (!authenticated) looked = co_await session.authenticate(url_.credentials);
      authenticated = looked.has_value();
      if (looked) looked = co_await look_once(session);
      if (looked) {
        problem_.clear();
        co_await session.changed();
      } else {
        report(looked.error());
        co_await base::sleep_for(kRetryInterval);
      }
    }
  }

  Task<Status> look_once(ZooKeeperSession& session) {
    auto children = co_await session.children(url_.path);
    if (!children && children.error().kind == ErrorKind::kNotFound) {
      CO_TRY_VOID(co_await make_group(session));
      children = co_await session.children(url_.path);
    }
    if (!children) co_return fail(std::move(children).error().with_context(url_.path));

    const auto candidate = find_leader(*children);
    Leader leader;
    if (candidate) {
      const std::string node = concat(url_.path, "/", candidate->name);
      auto content = co_await session.read(node);
      // It has left since: that is a change of the children, too.
      if (!content && content.error().kind == ErrorKind::kNotFound) co_return Status{};
      if (!content) co_return fail(std::move(content).error().with_context(node));
      CO_TRY(leader, read_candidate(*candidate, *content));
    }
    set_leader(std::move(leader));
    co_return Status{};
  }

  // With all that is above it. Masters do the same, and who comes first makes it.
  Task<Status> make_group(ZooKeeperSession& session) {
    for (size_t end = 0; end != std::string::npos;) {
      end = url_.path.find('/', end + 1);
      const std::string path = url_.path.substr(0, end);
      auto made = co_await session.create(path, !url_.credentials.empty());
      if (!made && made.error().kind != ErrorKind::kAlreadyExists) {
        co_return fail(std::move(made).error().with_context(path));
      }
    }
    co_return Status{};
  }

  // Once for each problem, however often it is met.
  void report(const Error& error) {
    if (error.kind == ErrorKind::kClosed) return;  // wait_for_silence says so
    set_leader(std::nullopt);
    if (std::exchange(problem_, error.message) == error.message) return;
    LOG(ERROR) << "ZooKeeper at " << url_.servers
               << " does not tell who leads, and is asked again: " << error.message;
  }

  bool is_leader(const Leader& other) const {
    if (!leader_ || !other) return leader_.has_value() == other.has_value();
    return MessageDifferencer::Equals(*leader_, *other);
  }

  void set_leader(Leader leader) {
    leader_ = std::move(leader);
    changed_.set();
  }

  const ZooKeeperUrl url_;
  const nanoseconds session_timeout_;
  Leader leader_;
  std::string problem_;  // the last that was reported, until it is over
  base::Event changed_;  // leader_ was set
  base::Scope scope_;    // last: its task ends before what it uses
};

}  // namespace

Result<std::unique_ptr<MasterDetector>> make_zookeeper_detector(ZooKeeperUrl url,
                                                                nanoseconds session_timeout) {
  return std::make_unique<ZooKeeperDetector>(std::move(url), session_timeout);
}

}  // namespace agent
