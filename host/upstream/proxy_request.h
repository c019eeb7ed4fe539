// ProxyRequest: one request on its way through the proxy: it gets a connection, sends the request,
// and passes the response on. [loop] It lives until its response is complete.
//
//   waits for a connection -> sends and reads -> ends
//                 ^                 |  (once, if the request may be repeated)
//                 +-----------------+
//
// A response that comes in one read, or whose short body follows at once, goes out whole; any other
// one is streamed as it comes. Sending and reading go on side by side: an app may answer early.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"
#include "http/parse/response_reader.h"
#include "http/spare_response.h"
#include "upstream/downstream.h"
#include "upstream/pool.h"
#include "upstream/upload.h"
#include "upstream/upstream.h"

namespace bentohost::upstream {

using http::ResponseReader;

class ProxyRequest final : public http::StreamEvents,
                           public std::enable_shared_from_this<ProxyRequest>,
                           private Connection::User,
                           private Pool::Waiter,
                           private Timer::Owner {
 public:
  ProxyRequest(std::shared_ptr<Downstream> downstream, std::shared_ptr<Upstream> upstream);
  void begin();

 private:
  static constexpr int kSwitchingProtocols = 101;

  // http::StreamEvents
  void on_body() override { run(); }
  void on_room() override { run(); }
  void on_cancelled() override;
  // Pool::Waiter
  void on_acquired(Pool::Acquired acquired) override;
  // Connection::User
  void on_connection(Connection&) override { run(); }
  void on_expired(Connection&) override {}
  bool is_tunnel() const override { return reader_.state() == ResponseReader::State::kTunnel; }
  // Timer::Owner
  void on_timer() override;

  void collect();
  // Sends and reads what can be sent and read now.
  void run();
  void read();
  void take(std::string_view bytes);
  bool take_head(std::string_view& bytes);
  void take_body(std::string_view bytes);
  void on_server_end(bool is_reset);
  void on_silence();

  bool holds_back();
  bool start();
  // `last`: the end of the body, of a response that has been started.
  void complete(bool has_extra_bytes, std::string_view last = {});
  void begin_tunnel(std::string_view bytes);
  void relay(std::string_view bytes);

  bool may_repeat() const;
  void release(bool is_reusable);
  void let_go();
  void fail(Status why, Outcome outcome, http::Headers headers = {});
  void leave(const Status& why);
  std::shared_ptr<Downstream> end(Outcome outcome);
  void set_timer();
  TimePoint next_limit() const;
  const UpstreamLimits& limits() const { return servers_->options.limits; }

  std::shared_ptr<Downstream> downstream_;  // null: it has ended
  const std::shared_ptr<Upstream> upstream_;
  ServerSet* const servers_;
  EventLoop* loop_ = nullptr;
  Pool* pool_ = nullptr;  // of upstream_, which keeps it
  std::optional<Timer> timer_;
  TimePoint begun_{};

  std::unique_ptr<Connection> connection_;
  bool has_repeated_ = false;
  Status lost_;  // how the first attempt ended: the answer, if no server is left for the second

  std::optional<std::string_view> whole_;  // the body, if all of it is here
  std::string early_;                      // what has been collected of it
  bool is_collecting_ = false;
  Upload upload_;
  bool is_head_ = false;

  ResponseReader reader_;
  http::Response response_ = http::take_spare_response();
  std::string head_;          // the part of a head that has arrived
  bool has_read_ = false;     // bytes of the response
  bool has_started_ = false;  // downstream
  bool waits_for_room_ = false;
  bool is_run_posted_ = false;
  TimePoint last_read_{};               // or last sent to, before
  TimePoint held_until_ = kNoDeadline;  // a response that holds_back()
  bool has_client_ended_ = false;       // of a tunnel
};

}  // namespace bentohost::upstream
