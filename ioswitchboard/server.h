// The process beside a container that owns its stdio: tees its output into the sandbox's files and
// to every reader, and passes input on from one writer at a time. It outlives the agent, which
// finds it again by its socket, and ends when the agent says that the container has.
#pragma once

#include <memory>
#include <vector>

#include "base/stream.h"
#include "base/sync.h"
#include "base/task.h"
#include "http/server.h"
#include "ioswitchboard/container_input.h"
#include "ioswitchboard/options.h"
#include "ioswitchboard/output_log.h"
#include "ioswitchboard/output_pump.h"
#include "ioswitchboard/replay_ring.h"

namespace ioswitchboard {

class Server {
 public:
  // Takes over the descriptors of options.h. SIGTERM must be blocked and SIGPIPE ignored.
  explicit Server(ServerOptions options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Serves until SIGTERM: the agent's word that the container has ended and every process in it is
  // dead. Then what is still in the pipes is read and delivered, the readers' streams end, an open
  // input request is answered. The end of stdout and stderr, in contrast, means nothing: the
  // container's command may run on without them.
  base::Task<void> run();

 private:
  base::Task<void> handle(http::Request& request, http::ResponseWriter& writer);
  base::Task<void> handle_output(http::Request& request, http::ResponseWriter& writer);
  base::Task<void> handle_input(http::Request& request, http::ResponseWriter& writer);

  base::Task<void> answer_half_close(http::ResponseWriter& writer);

  base::Task<void> serve();
  base::Task<void> send_heartbeats();
  base::Task<void> give_memory_back();
  base::Task<void> live();
  base::Task<void> pump();
  base::Task<void> wind_down();
  bool somebody_is_attaching() const;
  void report_lost_output();

  const ServerOptions options_;
  http::Server server_;
  OutputLog log_;
  ReplayRing ring_;
  std::vector<std::shared_ptr<base::Stream>> streams_;  // that the pumps read
  std::vector<std::unique_ptr<OutputPump>> pumps_;
  std::unique_ptr<ContainerInput> input_;
  base::Event container_ended_;
  size_t requests_ = 0;  // being handled
  base::Event request_handled_;
};

}  // namespace ioswitchboard
