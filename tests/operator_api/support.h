// For tests of the API with an agent in this process, and real containers without root.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/agent.h"
#include "base/scope.h"
#include "base/strings.h"
#include "http/server.h"
#include "operator_api/router.h"
#include "proto/json_read.h"
#include "tests/base/scratch_loop_test.h"
#include "tests/containerizer/support.h"
#include "tests/http/support.h"

namespace tests {

// The head of a request and its body.
inline std::string make_request(std::string_view method, std::string_view path,
                                std::string_view headers, std::string_view body) {
  return base::concat(method, " ", path, " HTTP/1.1\r\nHost: agent\r\n", headers,
                      "Content-Length: ", body.size(), "\r\n\r\n", body);
}
inline std::string json_request(std::string_view body, std::string_view path = "/api/v1") {
  return make_request("POST", path,
                      "Content-Type: application/json\r\nAccept: application/json\r\n", body);
}

class ApiTest : public ScratchLoopTest {
 protected:
  using Reply = http_test::Reply;

  ApiTest() {
    containerizer::Options options;
    options.work_dir = scratch_ / "work";
    options.runtime_dir = scratch_ / "run";
    options.launcher_dir = MESOS_BIN_DIR;
    EXPECT_TRUE(base::make_directories(options.work_dir));
    auto helper = containerizer::HelperImage::load(options.launcher_dir + "/mesos-containerizer");
    EXPECT_TRUE(helper.has_value());
    const std::string work_dir = "--work_dir=" + options.work_dir;
    const char* argv[] = {"mesos-agent", work_dir.c_str(), nullptr};
    const char* environment[] = {nullptr};
    auto flags = agent::load_flags(2, argv, environment);
    EXPECT_TRUE(flags.has_value()) << flags.error().message;
    containerizer::RuntimePaths paths(options.runtime_dir);
    agent_ = std::make_unique<agent::Agent>(
        *std::move(flags), make_info(),
        containerizer::Services{std::move(options),
                                std::move(paths),
                                containerizer::make_posix_launcher(*std::move(helper)),
                                {}});
    EXPECT_TRUE(agent_->containers.recover());
    server_ = std::make_unique<http::Server>(operator_api::make_handler(*agent_));
  }

  static mesos::v1::AgentInfo make_info() {
    mesos::v1::AgentInfo info;
    info.set_hostname("host");
    info.set_port(5051);
    return info;
  }

  void TearDown() override {
    connections_.cancel();
    run(agent_->containers.destroy_all());
    EXPECT_EQ(0U, agent_->containers.destroy_errors());
    server_.reset();
    agent_.reset();
    EXPECT_EQ(std::vector<std::string>{}, Offspring::collect());
  }

  // A client, connected.
  http_test::Peer connect() {
    auto [ours, theirs] = http_test::make_socketpair();
    connections_.spawn(server_->serve_connection(std::move(theirs)));
    return http_test::Peer(std::move(ours));
  }

  // One request on a connection of its own.
  Reply exchange(std::string request) {
    http_test::Peer peer = connect();
    return run(on(peer, std::move(request)));
  }
  // One call, in JSON.
  Reply call(std::string_view body) { return exchange(json_request(body)); }

  static base::Task<Reply> on(http_test::Peer& peer, std::string request) {
    const bool bodiless = request.starts_with("HEAD ");
    EXPECT_TRUE(co_await peer.send(std::move(request)));
    co_return co_await peer.receive_reply(bodiless);
  }

  static std::string header(const Reply& reply, std::string_view name) {
    const std::string* value = reply.headers.find(name);
    return value == nullptr ? "" : *value;
  }

  const Offspring offspring_;
  std::unique_ptr<agent::Agent> agent_;
  std::unique_ptr<http::Server> server_;
  base::Scope connections_;  // last: ends before the server
};

}  // namespace tests
