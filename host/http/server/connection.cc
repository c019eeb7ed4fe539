#include "http/server/connection.h"

#include <algorithm>
#include <utility>

#include "http/server/inflate_job.h"
#include "http/server/loop_connections.h"
#include "http/server/refusals.h"

namespace bentohost::http {
namespace {

constexpr int kReadsPerTurn = 16;
// Inflating RequestReader::kInflatedAtOnce bytes costs as much of a turn as this many reads.
constexpr int kReadsAnInflation = 4;
constexpr int kSwitchingProtocols = 101;

}  // namespace

Connection::Connection(std::shared_ptr<LoopConnections> loop_connections,
                       std::unique_ptr<Transport> transport, Peer peer)
    : loop_connections_(std::move(loop_connections)),
      server_(*loop_connections_->server()),
      loop_(*loop_connections_->loop()),
      io_(std::move(transport)),
      intake_(server_, std::move(peer), io_.is_secure() ? "https" : "http"),
      timer_(loop_.timers(), *this) {}

void Connection::open() {
  since_ = loop_.now();
  io_.open();
  // Registered once: edge-triggered events need no new registration for each request.
  constexpr std::uint32_t kEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  if (!loop_.add(io_.fd(), kEvents, *this).ok()) return close();
  set_timer();
}

void Connection::close() {
  if (phase_ == Phase::kClosed) return;
  const auto self = shared_from_this();
  phase_ = Phase::kClosed;
  timer_.clear();
  loop_.remove(io_.fd(), *this);
  io_.close();
  cancel();
  late_.reset();
  intake_.drop_target();
  response_.abandon();
  response_.run_after_sent();
  loop_connections_->forget(self, intake_.client(), intake_.request().role);
}

// The client will not get the response.
void Connection::cancel() {
  if (!cancelled_->exchange(true)) tell(HandlerEvents::kCancelled);
  response_.cancel();
}

void Connection::on_events(std::uint32_t epoll_events) {
  const auto self = shared_from_this();
  io_.on_events(epoll_events);
  is_broken_ = is_broken_ || (epoll_events & (EPOLLHUP | EPOLLERR)) != 0;
  if (response_.is_due() && is_broken_) {
    cancel();
  } else if (response_.is_due() && (epoll_events & EPOLLRDHUP) != 0 &&
             server_.limits.half_close == HalfClose::kDrop && !intake_.is_tunnel() &&
             intake_.state() == RequestReader::State::kDone) {
    return close();
  }
  run();
}

void Connection::run() {
  Connection* const outer = std::exchange(loop_connections_->at_work, this);
  for (int reads = 0; phase_ != Phase::kClosed;) {
    if (is_reading()) advance();
    if (!flush()) break;
    if (is_reading() && !io_.unread().empty() && intake_.state() == RequestReader::State::kIdle) {
      continue;  // pipelined requests that unsent output had held back
    }
    if (phase_ == Phase::kClosing) {
      linger();
      continue;
    }
    const bool inflates = response_.is_due() && intake_.has_stream_backlog();
    if (!inflates && (!io_.is_readable() || !wants_bytes())) break;
    reads += inflates ? kReadsAnInflation : 1;
    if (reads > kReadsPerTurn) {  // let other connections run
      loop_.post([self = shared_from_this()] { self->run(); });
      break;
    }
    if (inflates) {
      on_body_bytes();
    } else {
      read_once();
    }
  }
  if (phase_ != Phase::kClosed) {
    io_.park();
    set_timer();
  }
  loop_connections_->at_work = outer;
}

// ---- requests --------------------------------------------------------------------------------

bool Connection::wants_bytes() const {
  if (response_.is_due()) return intake_.wants_stream_bytes();
  return phase_ == Phase::kLingering || (is_reading() && !intake_.is_inflating());
}

void Connection::read_once() {
  auto& buffer = loop_connections_->buffer();
  switch (phase_ == Phase::kLingering ? io_.drop(buffer) : io_.read(buffer)) {
    case Received::Kind::kAgain:
      return;
    case Received::Kind::kBroken:
      return close();
    case Received::Kind::kPlain:
      return refuse(plain_http_refusal());
    case Received::Kind::kEnd:
      return on_end();
    case Received::Kind::kBytes:
      if (response_.is_due()) on_body_bytes();
      return;
  }
}

// Takes requests from the unread bytes, until none is whole or one is being handled.
void Connection::advance() {
  while (is_reading() && !intake_.is_inflating() && io_.has_room()) {
    const RequestReader::State before = intake_.state();
    if (before == RequestReader::State::kIdle && io_.unread().empty()) return;
    if (before != RequestReader::State::kDone) {  // not after a head without a body
      Result<std::size_t> taken = intake_.feed(io_.unread());
      if (!taken.ok()) return refuse(refusal_of(std::move(taken).take_status()));
      io_.take(*taken);
    }
    const RequestReader::State state = intake_.state();
    if (before == RequestReader::State::kIdle && state != before) since_ = loop_.now();
    if (state == RequestReader::State::kHeadDone) {
      on_head();
    } else if (state == RequestReader::State::kDone) {
      handle();
    } else if (state == RequestReader::State::kInflating) {
      if (server_.threads != nullptr) return inflate_elsewhere();
    } else {
      return;
    }
  }
}

void Connection::on_head() {
  since_ = loop_.now();
  intake_.begin_head(since_);
  BodyPlan plan = server_.application.plan(intake_.request());
  const bool is_streamed = plan.streamed;
  if (Status status = intake_.begin_body(std::move(plan)); !status.ok()) {
    return refuse(refusal_of(std::move(status)));
  }
  if (intake_.state() == RequestReader::State::kBody &&
      intake_.reader().framing().expects_continue && io_.unread().empty()) {
    io_.output().append("HTTP/1.1 100 Continue\r\n\r\n");
  }
  if (!is_streamed) return;
  response_.open_stream(server_.body_memory);
  intake_.begin_stream();
  on_body_bytes();  // first the bytes that are here already: a small body, or none, is one piece
  handle();
}

// Bytes of a streamed body can be taken.
void Connection::on_body_bytes() {
  tell(HandlerEvents::kBodyCame);
  if (intake_.is_tunnel()) {
    intake_.feed_tunnel(io_.unread(), *response_.stream());
    return io_.drop_unread();
  }
  Result<std::size_t> taken = intake_.feed_stream(io_.unread(), *response_.stream());
  if (!taken.ok()) {
    io_.drop_unread();
    io_.stop_reading();
    return response_.stream()->fail_body(std::move(taken).take_status());
  }
  io_.take(*taken);
  const bool is_last = intake_.state() == RequestReader::State::kDone;
  if (is_last && late_ != nullptr) late_at_ = late_->on_whole_body(loop_.now());
}

// The client has ended its side.
void Connection::on_end() {
  if (phase_ == Phase::kLingering) return close();
  Status status = intake_.reader().at_end();
  if (intake_.is_tunnel()) {
    std::string nothing;
    response_.stream()->give_body(nothing, true);
    intake_.pause();
    return tell(HandlerEvents::kBodyCame);
  }
  if (response_.is_due()) {
    tell(HandlerEvents::kBodyCame);
    return response_.stream()->fail_body(std::move(status));
  }
  if (status.ok()) return end();
  refuse(refusal_of(std::move(status)));
}

void Connection::inflate_elsewhere() {
  const Status status = server_.threads->run(std::make_unique<InflateJob>(
      intake_.take_backlog(), intake_.memory(), cancelled_, loop_,
      [self = shared_from_this()](auto backlog) { self->on_inflated(std::move(backlog)); }));
  if (status.ok()) return;
  intake_.keep_no_backlog();
  refuse(no_thread_refusal(status));
}

void Connection::on_inflated(std::unique_ptr<RequestReader::Backlog> backlog) {
  if (phase_ == Phase::kClosed) return;
  since_ = loop_.now();  // we kept the client waiting
  intake_.restore(std::move(backlog));
  run();
}

void Connection::begin_exchange(Ending at_least) {
  intake_.begin_exchange(loop_.now());
  keep_ = shared_from_this();
  response_.begin(at_least);
}

void Connection::handle() {
  begin_exchange(Ending::kKeepAlive);
  ++requests_;
  io_.await_answer(intake_.request().method == "HEAD");
  server_.application.handle(*this);
  if (response_.returned()) on_response();
  // The client left before its request was read: nothing more will be heard of that.
  if (is_broken_ && response_.is_due()) cancel();
}

// The application words the server's own refusal; it is the last response on this connection.
void Connection::refuse(Refusal refusal) {
  intake_.refuse(loop_.now());
  begin_exchange(Ending::kLinger);
  server_.application.refuse(*this, std::move(refusal));
  if (response_.returned()) on_response();
}

// ---- what a handler calls --------------------------------------------------------------------

void Connection::respond(Response&& response) {
  end_events();
  response_.keep(std::move(response));
  if (is_on_loop() && response_.state().is_in_call()) {
    response_.respond();
  } else if (is_on_loop() && loop_connections_->at_work == nullptr) {
    on_response();
  } else {
    loop_.post([self = std::move(keep_)]() mutable {
      self->keep_ = self;
      self->on_response();
    });
  }
}

void Connection::allow_stream() {
  if (response_.stream() != nullptr) return;
  std::string whole = take_body();
  response_.open_stream(nullptr).give_body(whole, true);
}

Result<ReceivedBody> Connection::receive() {
  Stream* const stream = response_.stream();
  if (stream == nullptr && events_.has_handler()) return ReceivedBody{take_body(), false};
  if (stream == nullptr) return Status(BENTO_FAILED_PRECONDITION, "the body is not streamed");
  bool was_full = false;
  Result<ReceivedBody> piece = stream->take_body(was_full);
  if (was_full) {
    loop_.post([self = shared_from_this()] {
      if (!self->intake_.resume()) return;
      self->since_ = self->loop_.now();  // we kept the client waiting
      self->run();
    });
  }
  return piece;
}

Status Connection::start(Response response) {
  if (events_.has_handler()) {
    allow_stream();
    response_.stream()->never_wait();
  }
  if (response_.stream() == nullptr) {
    return Status(BENTO_FAILED_PRECONDITION, "the response is not streamed");
  }
  bool is_first = false;
  const bool is_tunnel = response.status == kSwitchingProtocols;
  if (is_tunnel && !events_.has_handler()) {
    return Status(BENTO_FAILED_PRECONDITION, "only code on the loop can open a tunnel");
  }
  Status status = response_.start(request(), std::move(response), is_first);
  if (is_first) post_output();
  if (is_tunnel && status.ok()) {
    response_.stream()->begin_tunnel();
    intake_.begin_tunnel();
    loop_.post([self = shared_from_this()] {  // bytes may be here already
      if (!self->response_.is_due()) return;
      self->on_body_bytes();
      self->run();
    });
  }
  return status;
}

Status Connection::write(std::string_view bytes, bool more) {
  if (response_.stream() == nullptr) {
    if (!more) abort();
    return Status(BENTO_CANCELLED, "the response is not streamed");
  }
  bool is_first = false;
  Status status = bytes.empty() ? Status() : response_.give(bytes, is_first);
  if (is_first) post_output();
  if (more) return status;
  end_events();
  // From now on the loop owns the rest of the response, and the reference to this connection.
  loop_.post([self = std::move(keep_)]() mutable {
    self->keep_ = self;
    self->on_last_output();
  });
  return status;
}

void Connection::abort() {
  end_events();
  loop_.post([self = std::move(keep_)]() mutable {
    const auto held = std::exchange(self, nullptr);
    if (held->response_.is_due()) held->close();  // otherwise it was answered late
    held->settle();
  });
}

EventLoop* Connection::answer_on_loop(std::shared_ptr<StreamEvents> events) {
  if (response_.stream() != nullptr) response_.stream()->never_wait();
  events_.begin(std::move(events));
  if (cancelled_->load()) tell(HandlerEvents::kCancelled);
  return &loop_;
}

bool Connection::has_room() const {
  return response_.stream() == nullptr || response_.stream()->has_room();
}

// [worker] Has the loop take the available part of the response.
void Connection::post_output() {
  loop_.post([self = shared_from_this()] { self->on_output(); });
}

void Connection::tighten_deadline(TimePoint when) {
  const auto bring_forward = [when, request = requests_](Connection& self) {
    if (self.late_ == nullptr || self.requests_ != request) return;
    self.late_at_ = std::min(self.late_at_, when);
    self.set_timer();
  };
  if (is_on_loop()) return bring_forward(*this);
  loop_.post([self = shared_from_this(), bring_forward] { bring_forward(*self); });
}

// ---- responses -------------------------------------------------------------------------------

void Connection::on_response() {
  const auto self = std::exchange(keep_, nullptr);
  events_.end();                             // the response may have come from a thread
  if (!response_.is_due()) return settle();  // too late
  response_.answer(request(), terms(), io_);
  on_complete();
  if (loop_connections_->at_work != this) run();  // otherwise run() is going on already
}

void Connection::on_output() {
  if (!response_.is_due() || response_.is_cancelled()) return;
  response_.append_stream(request(), terms(), io_);
  run();
}

void Connection::on_last_output() {
  const auto self = std::exchange(keep_, nullptr);
  if (!response_.is_due()) return settle();
  // The response is incomplete, and must not look complete.
  if (response_.is_cancelled()) {
    close();
    return settle();
  }
  response_.finish_stream(request(), terms(), io_);
  on_complete();
  run();
}

ResponseOutput::Terms Connection::terms() const {
  const bool is_body_unread = intake_.state() != RequestReader::State::kDone;
  const bool is_full = server_.limits.max_requests != 0 && requests_ >= server_.limits.max_requests;
  return {.must_end = is_body_unread || is_full || server_.mode() >= Mode::kDraining,
          .keep_alive = intake_.reader().framing().keep_alive};
}

void Connection::on_complete() {
  late_.reset();
  since_ = loop_.now();
  intake_.end_exchange();
  if (response_.ending() == Ending::kKeepAlive) {
    intake_.begin_request();
  } else {
    phase_ = Phase::kClosing;
  }
}

// The handler is done with a request that was abandoned.
void Connection::settle() {
  intake_.memory().release();
  response_.settle();
}

// Sends the output. False when the rest has to wait, or the connection is over.
bool Connection::flush() {
  const ConnectionIo::Flush flushed = io_.flush(loop_.now());
  if (flushed == ConnectionIo::Flush::kBroken) {
    close();
    return false;
  }
  if (flushed != ConnectionIo::Flush::kIdle && response_.set_unsent(io_.unsent()))
    tell(HandlerEvents::kRoomCame);
  if (flushed == ConnectionIo::Flush::kWaits) return false;
  response_.run_after_sent();
  return true;
}

void Connection::linger() {
  if (response_.ending() != Ending::kLinger && io_.unread().empty()) return end();
  io_.linger();
  phase_ = Phase::kLingering;
  since_ = loop_.now();
}

// ---- deadlines -------------------------------------------------------------------------------

ConnectionSnapshot Connection::snapshot() const {
  return {.phase = phase_,
          .response = response_.state().state(),
          .reader = intake_.state(),
          .body = intake_.mode(),
          .mode = server_.mode(),
          .has_served = requests_ > 0,
          .since = since_,
          .body_bytes = intake_.reader().body_bytes(),
          .answer_by = late_ ? late_at_ : kNoDeadline,
          .write = io_.write_wait()};
}

void Connection::on_timer() {
  const auto self = shared_from_this();
  const Deadline due = next_deadline(snapshot(), server_.limits);
  if (loop_.now() < due.when) return set_timer();
  switch (due.action) {
    case DueAction::kNone:
    case DueAction::kEnd:
      return end();
    case DueAction::kStopLingering:
      return close();
    case DueAction::kAnswerLate:
      return answer_late();
    case DueAction::kWriteTimeout:
    case DueAction::kWriteTooSlow:
      server_.application.aborted(reason_of(due.action));
      return close();
    case DueAction::kHeadTimeout:
    case DueAction::kBodyTimeout:
    case DueAction::kBodyTooSlow:
      return time_out(refusal_of(due.action));
  }
}

// The handler has run out of time. It still has the request and the stream, so they stay as they
// are until it has responded, too.
void Connection::answer_late() {
  const auto late = std::exchange(late_, nullptr);
  const std::optional<Response> response = late->late();
  if (!response) return set_timer();
  cancel();
  response_.answer_late(request(), *response, io_);
  phase_ = Phase::kClosing;
  run();
}

void Connection::time_out(Refusal refusal) {
  if (!response_.is_due()) return refuse(std::move(refusal));
  // The handler waits for the body: the body fails with the error.
  server_.application.aborted(refusal.reason);
  io_.stop_reading();
  intake_.pause();
  response_.stream()->fail_body(std::move(refusal.status));
  tell(HandlerEvents::kBodyCame);
  set_timer();  // the handler's deadline still runs
}

}  // namespace bentohost::http
