// RunnerServer: lets other processes call the runners of this host, over Unix sockets: the mounted
// apps, over a private socket; any other program of the same user, over sockets that the operator
// names. Their calls travel in the same batches as everybody else's. README.md has the protocol.
//
// Threads: any thread may call its functions; connections live on the loops.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "base/mutex.h"
#include "base/status.h"
#include "runner_rpc/listening_socket.h"
#include "runner_rpc/server_state.h"

namespace bentohost::plugin {
class CopyPlace;
}

namespace bentohost::runner_rpc {

class Acceptor;

class RunnerServer {
 public:
  using Loops = std::vector<std::shared_ptr<EventLoop>>;

  RunnerServer(ServerOptions options, Loops loops);
  // Calls stop(). If the loops have run, they still run, or have been stopped.
  ~RunnerServer();
  RunnerServer(const RunnerServer&) = delete;
  RunnerServer& operator=(const RunnerServer&) = delete;

  // Listens at `path`, a file that only this user may connect to, before or after serve(). With a
  // token clients must know that, too.
  Status open(const std::string& path, const std::string& token = "",
              ListeningSocket::IfTaken if_taken = ListeningSocket::IfTaken::kRefuse);
  // Listens in a folder of its own (mode 0700), with a random token, from the first call on, for
  // processes that get these variables: BENTO_RUNNER_SOCKET and BENTO_RUNNER_TOKEN.
  using Variables = std::vector<std::pair<std::string, std::string>>;
  Result<Variables> private_environment();

  // The loops run: begins to accept.
  void serve();
  // Calls over sockets that open() has made are refused from now on, in a way that lets a client
  // send them to the process that listens at the path next. The private socket serves on.
  void refuse_guests();
  // Refuses all new calls, waits for those in flight until `deadline`, and closes all connections.
  // Returns how many calls were left. Not for a loop's thread.
  std::size_t stop(TimePoint deadline);

 private:
  Status listen(const std::string& path, const std::string& token, bool is_guest,
                ListeningSocket::IfTaken if_taken) BENTO_REQUIRES(mutex_);

  const std::shared_ptr<ServerState> state_;
  const Loops loops_;
  Mutex mutex_;
  std::shared_ptr<plugin::CopyPlace> place_ BENTO_GUARDED_BY(mutex_);  // null: no private socket
  Variables environment_ BENTO_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Acceptor>> acceptors_ BENTO_GUARDED_BY(mutex_);
  bool is_serving_ BENTO_GUARDED_BY(mutex_) = false;
};

}  // namespace bentohost::runner_rpc
