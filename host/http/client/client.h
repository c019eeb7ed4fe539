// Client: sends requests to other servers, on the host's loops: HTTP/1.1, plain and by TLS, with
// connections that are kept for the next request, and bounds on all that it keeps. Each request
// stays on one loop. It follows no redirects, knows no cookies and no proxies, and leaves content
// codings alone. start(): any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/loop/event_loop.h"
#include "http/client/fetch.h"
#include "http/client/fetch_request.h"
#include "http/client/origin.h"
#include "http/client/resolver.h"

namespace bentohost::http {

class Client {
 public:
  using Loops = std::vector<std::shared_ptr<EventLoop>>;
  explicit Client(const Loops& loops, ClientOptions options = {},
                  Resolver::LookUp look_up = &http::look_up);
  ~Client();  // after the loops have stopped, or before they have run
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // One request under way. The user is called on `loop`, which is the caller's if that is one of
  // the client's. All functions: any thread.
  class Handle {
   public:
    Handle() = default;
    EventLoop& loop() const { return *loop_; }
    // At once if called on the loop.
    void resume() const;
    void cancel() const;

   private:
    friend class Client;
    Handle(std::shared_ptr<EventLoop> loop, std::shared_ptr<Fetch> fetch)
        : loop_(std::move(loop)), fetch_(std::move(fetch)) {}
    void run(void (Fetch::*function)()) const;

    std::shared_ptr<EventLoop> loop_;
    std::shared_ptr<Fetch> fetch_;
  };
  // `request` has passed check().
  Handle start(FetchRequest request, std::shared_ptr<FetchUser> user);

  // Call when no new requests come, while the loops run: closes idle connections.
  void close();

 private:
  struct PerLoop;
  PerLoop& some_loop();

  Resolver resolver_;
  std::vector<std::shared_ptr<PerLoop>> loops_;
  std::atomic<std::size_t> next_ = 0;
};

}  // namespace bentohost::http
