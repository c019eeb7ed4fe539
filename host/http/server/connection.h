// Connection: serves one client's requests in order: it gives each to the application and sends the
// response, until either side ends the connection. It connects the parts that do the work:
// ConnectionIo has the bytes, RequestIntake the arriving request, ResponseOutput the response and
// its progress, next_deadline() the times.
//
// It lives on one event loop and holds no thread: between events it is this object and the bytes of
// a request that have arrived. Only the members of Exchange may be called from other threads.
// LoopConnections owns it until close(); an exchange owns it until its handler is done with it.
//
// Its phases: kOpen -> kClosing (output is still unsent) -> kLingering (bytes that the client still
// sends are dropped) -> kClosed, and from each phase straight to kClosed. While kOpen, it reads a
// request as long as no response is due.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/loop/event_loop.h"
#include "http/message.h"
#include "http/net/transport.h"
#include "http/server/connection_deadlines.h"
#include "http/server/connection_io.h"
#include "http/server/handler_events.h"
#include "http/server/request_intake.h"
#include "http/server/response_output.h"
#include "http/server/server_state.h"

namespace bentohost::http {

class LoopConnections;

class Connection final : public std::enable_shared_from_this<Connection>,
                         private Exchange,
                         private EventLoop::Watcher,
                         private Timer::Owner {
 public:
  Connection(std::shared_ptr<LoopConnections> loop_connections,
             std::unique_ptr<Transport> transport, Peer peer);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // [loop] Begins to listen to the client.
  void open();
  // [loop] The server's mode has changed.
  void on_mode() {
    if (phase_ != Phase::kClosed) set_timer();
  }
  // [loop] Closes it at once, whatever it is doing.
  void close();

 private:
  using Phase = ConnectionPhase;

  // Exchange
  const Request& request() const override { return intake_.request(); }
  std::string take_body() override { return std::move(intake_.request().body); }
  std::size_t body_bytes() const override { return intake_.body_bytes(); }
  bool is_body_streamed() const override { return response_.stream() != nullptr; }
  std::shared_ptr<const void> take_target() override { return intake_.take_target(); }
  void set_request_id(std::string_view id) override { response_.set_request_id(id); }
  void respond(Response&& response) override;
  void allow_stream() override;
  Result<ReceivedBody> receive() override;
  Status start(Response response) override;
  Status write(std::string_view bytes, bool more) override;
  void abort() override;
  EventLoop* answer_on_loop(std::shared_ptr<StreamEvents> events) override;
  bool has_room() const override;
  void after_sent(std::function<void()> f) override { response_.after_sent(std::move(f)); }
  void answer_by(TimePoint when, std::shared_ptr<DeadlineResponder> late) override {
    late_at_ = when;
    late_ = std::move(late);
  }
  void tighten_deadline(TimePoint when) override;
  std::shared_ptr<const std::atomic<bool>> cancelled() const override { return cancelled_; }

  void on_events(std::uint32_t epoll_events) override;
  void on_timer() override;

  // One turn: reads, takes requests, and sends, until there is nothing to do.
  void run();
  bool is_on_loop() const { return EventLoop::current() == &loop_; }
  bool is_reading() const { return phase_ == Phase::kOpen && !response_.is_due(); }
  // Requests
  bool wants_bytes() const;
  void read_once();
  void advance();
  void on_head();
  void on_body_bytes();
  void on_end();
  void inflate_elsewhere();
  void on_inflated(std::unique_ptr<RequestReader::Backlog> backlog);
  void begin_exchange(Ending at_least);
  void handle();
  void refuse(Refusal refusal);
  void tell(HandlerEvents::Event event) {
    if (events_.has_handler()) events_.tell(event, shared_from_this());
  }
  void end_events() {
    if (is_on_loop()) events_.end();  // a handler on a thread has none
  }
  // Responses
  void post_output();
  void on_response();
  void on_output();
  void on_last_output();
  ResponseOutput::Terms terms() const;
  void on_complete();
  void settle();
  bool flush();
  // Endings and deadlines
  void cancel();
  void linger();
  void end() {
    io_.shutdown_writing();
    close();
  }
  ConnectionSnapshot snapshot() const;
  void set_timer() { timer_.set(next_deadline(snapshot(), server_.limits).when); }
  void answer_late();
  void time_out(Refusal refusal);

  const std::shared_ptr<LoopConnections> loop_connections_;
  ServerState& server_;  // owned by loop_connections_
  EventLoop& loop_;      // owned by loop_connections_
  ConnectionIo io_;
  RequestIntake intake_;
  Timer timer_;
  Phase phase_ = Phase::kOpen;
  bool is_broken_ = false;  // the client has reset it; requests may be left to read
  std::size_t requests_ = 0;
  TimePoint since_{};  // when the present wait began: idle, head, body, linger
  std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);

  // For the current exchange, and for unsent output of earlier ones.
  ResponseOutput response_;
  HandlerEvents events_{loop_};
  TimePoint late_at_ = kNoDeadline;
  std::shared_ptr<DeadlineResponder> late_;
  // Set from the handler's call to the end of the exchange. It is the handler's reference, which
  // may be the last one to this connection.
  std::shared_ptr<Connection> keep_;
};

}  // namespace bentohost::http
