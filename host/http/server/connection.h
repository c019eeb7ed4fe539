// Connection: one client's requests, in order, each given to the application and answered, until
// either side ends it. It lives on one event loop and holds no thread: between events it is this
// object and what has arrived of a request. Only the members of Exchange may be called from other
// threads.
//
// Its phases: kReading -> kHandling -> kReading ..., and from each to kClosing (the output is still
// to go out) -> kLingering (what the client still sends is dropped) -> kClosed.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop/event_loop.h"
#include "http/message.h"
#include "http/net/transport.h"
#include "http/parse/request_reader.h"
#include "http/response_writer.h"
#include "http/server/server_state.h"
#include "http/server/stream.h"

namespace bentohost::http {

class LoopConnections;

// Where a connection came from.
struct Peer {
  std::string client, server;  // as in Request
  ListenerRole role = ListenerRole::kPublic;
};

class Connection final : public std::enable_shared_from_this<Connection>,
                         private Exchange,
                         private EventLoop::Watcher,
                         private Timer::Owner {
 public:
  Connection(std::shared_ptr<LoopConnections> loop_connections,
             std::unique_ptr<Transport> transport, Peer peer);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // [loop] Begins to listen to the client.
  void open();
  // [loop] The front's mode has changed.
  void on_mode();
  // [loop] At once, whatever it is doing.
  void close();

 private:
  enum class Phase { kReading, kHandling, kClosing, kLingering, kClosed };
  enum class Wait { kNone, kIdle, kHead, kBody, kRate, kHandler, kWrite, kWriteRate, kLinger };
  struct Deadline {
    TimePoint when = kNoDeadline;
    Wait wait = Wait::kNone;
  };

  // Exchange
  const Request& request() const override { return request_; }
  std::string take_body() override { return std::move(request_.body); }
  std::size_t body_bytes() const override { return body_bytes_.load(std::memory_order_relaxed); }
  std::shared_ptr<const void> take_target() override { return std::move(target_); }
  void respond(Response response) override;
  void allow_stream() override;
  Result<ReceivedBody> receive() override;
  Status start(Response response) override;
  Status write(std::string_view bytes, bool more) override;
  void cut() override;
  void after_sent(std::function<void()> f) override { after_sent_.push_back(std::move(f)); }
  void answer_by(TimePoint when, std::shared_ptr<DeadlineResponder> late) override;
  void tighten_deadline(TimePoint when) override;
  std::shared_ptr<const std::atomic<bool>> gone() const override { return gone_; }

  void on_events(std::uint32_t epoll_events) override;
  void on_timer() override;

  void run();
  // Reading (connection.cc)
  void read_once();
  bool wants_bytes() const;
  void advance();
  void on_head();
  void on_body_bytes();
  Result<std::size_t> feed();
  void inflate_elsewhere();
  void on_inflated(std::unique_ptr<RequestReader::Backlog> backlog);
  bool inflates_stream() const;
  void begin_exchange();
  void handle();
  void on_end();
  void end();
  void park();
  // Answering (connection_answer.cc)
  void on_response();
  void on_output();
  void on_last_output();
  Status give(std::string_view bytes);
  void begin_stream();
  void answer(Response response);
  void refuse(const Status& refusal, std::string_view reason);
  ResponseHead head_of(const Response& response, BodyFraming framing);
  void end_request(bool goes_on);
  void answer_late();
  void end_exchange();
  bool flush();
  void run_after_sent(std::vector<std::function<void()>>& whom);
  std::size_t unsent() const { return out_.size() - out_sent_ + out_body_.size() - body_sent_; }
  void linger();
  void lose_client();
  Deadline deadline() const;
  void set_timer();
  void time_out(const char* what, std::string_view reason);
  bool is_on_loop() const;

  class InflateJob;

  const std::shared_ptr<LoopConnections> loop_connections_;
  ServerState& server_;  // the loop's connections'
  EventLoop& loop_;      // the loop's connections'
  std::unique_ptr<Transport> transport_;
  Timer timer_;
  const std::string client_;  // a request's may be another's, behind a proxy
  const std::string_view scheme_;
  Phase phase_ = Phase::kReading;
  bool readable_ = true;    // there may be bytes to read
  bool has_ended_ = false;  // the client has sent all that it will
  bool is_paused_ = false;  // a streamed body's buffer is full
  bool closes_ = false;     // after the output
  bool lingers_ = false;    // ... and what the client sent may be unread
  std::size_t requests_ = 0;

  std::string in_;           // arrived, not taken yet, between two events
  std::string_view unread_;  // the same during one: in in_ or in the loop's buffer
  RequestReader reader_;
  Request request_;
  std::shared_ptr<const void> target_;  // BodyPlan's, until the handler takes it
  std::string piece_;                   // of a streamed body, on its way to the handler
  std::atomic<std::size_t> body_bytes_ = 0;
  bool is_streamed_ = false;
  bool is_inflating_ = false;            // a thread has the reader's backlog, and body_memory_
  std::atomic<bool> is_closed_ = false;  // for that thread
  Reservation body_memory_;              // of request_.body, for as long as its handler may have it

  std::string out_, out_body_;  // to be sent, in this order
  std::size_t out_sent_ = 0, body_sent_ = 0;

  TimePoint since_{};           // when the present wait began: idle, head, body, linger
  TimePoint write_since_{};     // when output began to wait; the epoch: none does
  TimePoint write_progress_{};  // when it last moved
  std::size_t written_ = 0;     // since write_since_

  std::shared_ptr<std::atomic<bool>> gone_ = std::make_shared<std::atomic<bool>>(false);

  std::vector<std::function<void()>> after_sent_;  // of the exchange
  std::vector<std::function<void()>> sent_;        // of those whose last byte is to be sent
  TimePoint late_at_ = kNoDeadline;
  std::shared_ptr<DeadlineResponder> late_;

  // From the handler's call to the end of the exchange; then whoever answers may be the last to
  // know this connection.
  std::shared_ptr<Connection> keep_;
  bool in_handler_ = false;
  bool is_refused_ = false;  // by the front: its answer is the last
  bool has_response_ = false;
  bool is_awaited_ = false;  // should we crash, it is answered: see crash_responses.h
  Response response_;
  std::unique_ptr<Stream> stream_;
  BodyFraming stream_framing_ = BodyFraming::kChunked;
  std::size_t stream_left_ = 0;  // of a streamed response's Content-Length
  bool has_begun_ = false;       // its head is written
  bool drops_body_ = false;      // see is_bodiless(): the head is all of it
};

}  // namespace bentohost::http
