// Acceptor: the listening sockets of a server, on one event loop. It accepts connections and deals
// them out to the loops in turn. It pauses, without spinning, while the process is out of
// descriptors; at the limit of connections it pauses all ports but the admin port. It resumes by
// itself.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/loop/event_loop.h"
#include "base/unique_fd.h"
#include "http/net/listener.h"
#include "http/net/tls_context.h"
#include "http/server/loop_connections.h"
#include "http/server/rejected_connections.h"

namespace bentohost::http {

class Acceptor final : private Timer::Owner {
 public:
  // Construct it before the loop runs, or on the loop. `tls` may be null.
  Acceptor(std::vector<Listener> listeners, std::shared_ptr<TlsContext> tls,
           std::vector<std::shared_ptr<LoopConnections>> loops);
  ~Acceptor();

  // [loop]
  void start();
  void stop();

 private:
  void on_timer() override;
  void accept_from(const Listener& listener);
  void take(const Listener& listener, UniqueFd fd);
  enum class AcceptMode { kNone, kAdmin, kAll };
  void set_mode(AcceptMode mode);
  void pause(AcceptMode but_for);
  // Whether a warning is due again; if so, records it as given.
  bool is_due(TimePoint& warned_at) const;

  std::vector<Listener> listeners_;
  const std::shared_ptr<TlsContext> tls_;  // for secure listeners
  const std::vector<std::shared_ptr<LoopConnections>> loops_;
  EventLoop& loop_;
  Timer resume_;
  std::size_t next_ = 0;
  AcceptMode mode_ = AcceptMode::kNone;
  TimePoint warned_full_at_{}, warned_failed_at_{};  // epoch: never
  RejectedConnections rejected_;
};

}  // namespace bentohost::http
