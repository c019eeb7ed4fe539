#include "http/server/connection.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/log.h"
#include "http/problem.h"
#include "http/rejection_reasons.h"
#include "http/server/inflate_job.h"
#include "http/server/loop_connections.h"

namespace bentohost::http {
namespace {

constexpr int kReadsPerTurn = 16;
// What RequestReader::kInflatedAtOnce takes of the time of a turn.
constexpr int kReadsAnInflation = 4;

// A transition that ResponseState refuses is a fault in this file.
void require([[maybe_unused]] bool is_allowed) { assert(is_allowed); }

std::string_view reason_of(std::uint32_t http_status) {
  switch (http_status) {
    case 413:
      return reason::kBodySize;
    case 414:
      return reason::kTargetSize;
    case 431:
      return reason::kHeadSize;
    case 400:
      return reason::kMalformed;
    case 503:
      return reason::kBodyMemory;
    default:
      return reason::kOther;
  }
}

}  // namespace

Connection::Connection(std::shared_ptr<LoopConnections> loop_connections,
                       std::unique_ptr<Transport> transport, Peer peer)
    : loop_connections_(std::move(loop_connections)),
      server_(*loop_connections_->server()),
      loop_(*loop_connections_->loop()),
      io_(std::move(transport)),
      intake_(server_, std::move(peer), io_.is_secure() ? "https" : "http"),
      timer_(loop_.timers(), *this) {}

Connection::~Connection() = default;

void Connection::open() {
  since_ = loop_.now();
  io_.open();
  // Once and for all: with edges there is no need to ask again for each request.
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
  if (response_state_.is_due()) require(response_state_.abandon());
  run_after_sent(sent_);
  loop_connections_->forget(self, intake_.client(), intake_.request().role);
}

void Connection::end() {
  io_.shutdown_writing();
  close();
}

// The client will not hear the answer.
void Connection::cancel() {
  cancelled_->store(true);
  if (stream_) stream_->cancel();
}

void Connection::on_events(std::uint32_t epoll_events) {
  const auto self = shared_from_this();
  io_.on_events(epoll_events);
  const bool is_reset = (epoll_events & (EPOLLHUP | EPOLLERR)) != 0;
  const bool has_ended = (epoll_events & EPOLLRDHUP) != 0;
  if (response_state_.is_due() && is_reset) {
    cancel();
  } else if (response_state_.is_due() && has_ended &&
             server_.limits.half_close == HalfClose::kDrop &&
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
      continue;  // pipelined, and held back by the output
    }
    if (phase_ == Phase::kClosing) {
      linger();
      continue;
    }
    const bool inflates = inflates_stream();
    if (!inflates && (!io_.is_readable() || !wants_bytes())) break;
    reads += inflates ? kReadsAnInflation : 1;
    if (reads > kReadsPerTurn) {  // the other connections' turn
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
  if (phase_ == Phase::kLingering) return true;
  if (is_reading()) return intake_.mode() != RequestIntake::BodyMode::kInflating;
  return response_state_.is_due() && intake_.is_streamed() &&
         intake_.state() == RequestReader::State::kBody;
}

// There is more of a streamed body than its handler has room for just now, or than a turn may take.
bool Connection::inflates_stream() const {
  return response_state_.is_due() && intake_.is_streamed() &&
         intake_.state() == RequestReader::State::kInflating;
}

void Connection::read_once() {
  auto& buffer = loop_connections_->buffer();
  switch (phase_ == Phase::kLingering ? io_.drop(buffer) : io_.read(buffer)) {
    case Received::Kind::kAgain:
      return;
    case Received::Kind::kBroken:
      return close();
    case Received::Kind::kPlain:
      return refuse(
          Status::with_http(400, BENTO_INVALID_ARGUMENT,
                            "this port speaks TLS: ask it by https:// in place of http://"));
    case Received::Kind::kEnd:
      return on_end();
    case Received::Kind::kBytes:
      if (response_state_.is_due()) on_body_bytes();
      return;
  }
}

// Takes requests out of what has arrived, until there is no whole one or one is being handled.
void Connection::advance() {
  while (is_reading() && intake_.mode() != RequestIntake::BodyMode::kInflating && io_.has_room()) {
    const RequestReader::State before = intake_.state();
    Result<std::size_t> taken = intake_.feed(io_.unread());
    if (!taken.ok()) return refuse(std::move(taken).take_status());
    io_.take(*taken);
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
  if (Status status = intake_.begin_body(std::move(plan)); !status.ok()) return refuse(status);
  if (intake_.state() == RequestReader::State::kBody &&
      intake_.reader().framing().expects_continue && io_.unread().empty()) {
    io_.output().append("HTTP/1.1 100 Continue\r\n\r\n");
  }
  if (!is_streamed) return;
  stream_ = std::make_unique<Stream>(server_.body_memory);
  intake_.begin_stream();
  on_body_bytes();  // what is here already comes first: a small body, or none, is one piece
  handle();
}

// Of a streamed body.
void Connection::on_body_bytes() {
  Result<std::size_t> taken = intake_.feed_stream(io_.unread(), *stream_);
  if (!taken.ok()) {
    io_.drop_unread();
    io_.stop_reading();
    return stream_->fail_body(std::move(taken).take_status());
  }
  io_.take(*taken);
  const bool is_last = intake_.state() == RequestReader::State::kDone;
  if (is_last && late_ != nullptr) late_at_ = late_->on_whole_body(loop_.now());
}

// The client has sent all that it will.
void Connection::on_end() {
  if (phase_ == Phase::kLingering) return close();
  Status status = intake_.reader().at_end();
  if (response_state_.is_due()) return stream_->fail_body(std::move(status));
  if (status.ok()) return end();
  refuse(status);
}

void Connection::inflate_elsewhere() {
  const Status status = server_.threads->run(std::make_unique<InflateJob>(
      intake_.take_backlog(), intake_.memory(), cancelled_, loop_,
      [self = shared_from_this()](auto backlog) { self->on_inflated(std::move(backlog)); }));
  if (status.ok()) return;
  intake_.keep_no_backlog();
  refuse(Status::with_http(503, status.code(), status.message()), reason::kHandlerQueue);
}

void Connection::on_inflated(std::unique_ptr<RequestReader::Backlog> backlog) {
  if (phase_ == Phase::kClosed) return;
  since_ = loop_.now();  // the client was kept waiting by us
  intake_.restore(std::move(backlog));
  run();
}

void Connection::begin_exchange(Ending at_least) {
  intake_.begin_exchange(loop_.now());
  keep_ = shared_from_this();
  require(response_state_.begin(at_least));
}

void Connection::handle() {
  begin_exchange(Ending::kKeepAlive);
  ++requests_;
  io_.await_answer(intake_.request().method == "HEAD");
  server_.application.handle(*this);
  on_return();
}

void Connection::on_return() {
  const bool has_answered = response_state_.state() == ResponseState::State::kAnswered;
  require(response_state_.returned());
  if (has_answered) on_response();
}

void Connection::refuse(const Status& refusal) { refuse(refusal, reason_of(refusal.http_status())); }

// The front's own finding, in the application's words; the last answer on this connection.
void Connection::refuse(const Status& refusal, std::string_view reason) {
  intake_.refuse(loop_.now());
  begin_exchange(Ending::kLinger);
  Refusal told{refusal, {}, reason};
  // RFC 9110 15.5.16.
  if (refusal.http_status() == 415) {
    told.headers.push_back({"Accept-Encoding", std::string(kAcceptedCodings)});
  }
  server_.application.refuse(*this, std::move(told));
  on_return();
}

// ---- what a handler calls --------------------------------------------------------------------

void Connection::respond(Response response) {
  response_ = std::move(response);
  if (is_on_loop() && response_state_.is_in_call()) {
    require(response_state_.respond());
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
  if (stream_) return;
  stream_ = std::make_unique<Stream>();
  std::string whole = take_body();
  stream_->give_body(whole, true);
}

Result<ReceivedBody> Connection::receive() {
  if (!stream_) return Status(BENTO_FAILED_PRECONDITION, "the body is not streamed");
  bool was_full = false;
  Result<ReceivedBody> piece = stream_->take_body(was_full);
  if (was_full) {
    loop_.post([self = shared_from_this()] {
      if (!self->intake_.resume()) return;
      self->since_ = self->loop_.now();  // the client was kept waiting by us
      self->run();
    });
  }
  return piece;
}

Status Connection::start(Response response) {
  if (!stream_) return Status(BENTO_FAILED_PRECONDITION, "the response is not streamed");
  if (Status status = check_sendable(response); !status.ok()) return status;
  framer_.start(request(), response);
  const std::string first = std::exchange(response.body, {});
  response_ = std::move(response);
  return give(first);
}

Status Connection::write(std::string_view bytes, bool more) {
  if (!stream_) {
    if (!more) abort();
    return Status(BENTO_CANCELLED, "the response is not streamed");
  }
  Status status = bytes.empty() ? Status() : give(bytes);
  if (more) return status;
  // What is left of it belongs to the loop, and with it the right to call this connection ours.
  loop_.post([self = std::move(keep_)]() mutable {
    self->keep_ = self;
    self->on_last_output();
  });
  return status;
}

void Connection::abort() {
  loop_.post([self = std::move(keep_)]() mutable {
    const auto held = std::exchange(self, nullptr);
    if (held->response_state_.is_due()) held->close();  // else it was answered late
    held->settle();
  });
}

// [worker] A piece of the body, framed.
Status Connection::give(std::string_view piece) {
  std::string framed;
  if (Status status = framer_.frame(piece, framed); !status.ok()) return status;
  bool is_first = false;
  Status status = stream_->give_output(framed, is_first);
  if (is_first) loop_.post([self = shared_from_this()] { self->on_output(); });
  return status;
}

void Connection::answer_by(TimePoint when, std::shared_ptr<DeadlineResponder> late) {
  late_at_ = when;
  late_ = std::move(late);
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
  if (!response_state_.is_due()) return settle();  // too late
  end_exchange();
  answer(std::move(response_));
  if (loop_connections_->at_work != this) run();  // else it goes on by itself
}

void Connection::on_output() {
  if (!response_state_.is_due() || stream_->is_cancelled()) return;
  begin_stream();
  stream_->take_output(io_.output());
  stream_->set_unsent(io_.unsent());
  run();
}

void Connection::on_last_output() {
  const auto self = std::exchange(keep_, nullptr);
  if (!response_state_.is_due()) return settle();
  // It is not whole, and must not look like it.
  if (stream_->is_cancelled()) {
    close();
    return settle();
  }
  end_exchange();
  begin_stream();
  stream_->take_output(io_.output());
  const bool is_whole = framer_.finish(io_.output());
  if (!is_whole) {
    log_error("a handler ended its response before the end of its Content-Length",
              {{"path", request().path}});
  }
  complete(is_whole ? Ending::kKeepAlive : Ending::kClose);
  run();
}

// The head of a streamed response, once.
void Connection::begin_stream() {
  if (response_state_.state() == ResponseState::State::kStreaming) return;
  const Ending ending = ending_of(response_, framer_.framing());
  append_head(response_, head_of(framer_.framing(), ending), io_.output());
  require(response_state_.begin_stream(ending));
}

void Connection::answer(Response response) {
  if (const Status status = check_sendable(response); !status.ok()) {
    log_error("a handler's response became a 500: " + status.message(),
              {{"path", request().path}});
    response = problem(500, {}, request().path);
  }
  const Ending ending = ending_of(response, BodyFraming::kSized);
  append_head(response, head_of(BodyFraming::kSized, ending), io_.output());
  if (!is_bodiless(request().method, response.status)) io_.append_body(std::move(response.body));
  complete(ending);
}

Ending Connection::ending_of(const Response& response, BodyFraming framing) const {
  // Each of these ends a connection that the client wants to keep.
  const bool is_refused = response_state_.ending() == Ending::kLinger;
  const bool is_body_unread = intake_.state() != RequestReader::State::kDone;
  const bool is_full = server_.limits.max_requests != 0 && requests_ >= server_.limits.max_requests;
  if (response.close || is_refused || is_body_unread || is_full ||
      server_.mode() >= Mode::kDraining) {
    return Ending::kLinger;
  }
  const bool is_kept = intake_.reader().framing().keep_alive && framing != BodyFraming::kToClose;
  return is_kept ? Ending::kKeepAlive : Ending::kClose;
}

ResponseHead Connection::head_of(BodyFraming framing, Ending ending) const {
  const bool is_kept = ending == Ending::kKeepAlive;
  return {framing, !is_kept, is_kept && request().version == "HTTP/1.0"};
}

void Connection::complete(Ending ending) {
  require(response_state_.complete(ending));
  stream_.reset();
  since_ = loop_.now();
  intake_.end_exchange();
  if (response_state_.ending() == Ending::kKeepAlive) {
    intake_.begin_request();
  } else {
    phase_ = Phase::kClosing;
  }
}

// The handler is through with it.
void Connection::end_exchange() {
  late_.reset();
  for (auto& f : after_sent_) sent_.push_back(std::move(f));
  after_sent_.clear();
}

// ... in vain.
void Connection::settle() {
  require(response_state_.settle());
  intake_.memory().release();
  run_after_sent(after_sent_);
}

void Connection::run_after_sent(SentCallbacks& whom) {
  for (const auto& f : std::exchange(whom, {})) f();
}

// Sends what there is. False when the rest has to wait, or the connection is over.
bool Connection::flush() {
  switch (io_.flush(loop_.now())) {
    case ConnectionIo::Flush::kBroken:
      close();
      return false;
    case ConnectionIo::Flush::kWaits:
      if (stream_) stream_->set_unsent(io_.unsent());
      return false;
    case ConnectionIo::Flush::kSent:
      if (stream_) stream_->set_unsent(0);
      break;
    case ConnectionIo::Flush::kIdle:
      break;
  }
  if (!sent_.empty()) run_after_sent(sent_);
  return true;
}

void Connection::linger() {
  if (response_state_.ending() != Ending::kLinger && io_.unread().empty()) return end();
  io_.linger();
  phase_ = Phase::kLingering;
  since_ = loop_.now();
}

// ---- deadlines -------------------------------------------------------------------------------

ConnectionSnapshot Connection::snapshot() const {
  return {.phase = phase_,
          .response = response_state_.state(),
          .reader = intake_.state(),
          .body = intake_.mode(),
          .mode = server_.mode(),
          .has_served = requests_ > 0,
          .since = since_,
          .body_bytes = intake_.reader().body_bytes(),
          .answer_by = late_ ? late_at_ : kNoDeadline,
          .write = io_.write_wait()};
}

void Connection::set_timer() { timer_.set(next_deadline(snapshot(), server_.limits).when); }

void Connection::on_mode() {
  if (phase_ != Phase::kClosed) set_timer();
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
      return abort_write(reason::kWriteTimeout);
    case DueAction::kWriteTooSlow:
      return abort_write(reason::kMinRate);
    case DueAction::kHeadTimeout:
      return time_out("the request's head did not arrive in time", reason::kHeaderTimeout);
    case DueAction::kBodyTimeout:
      return time_out("the request's body did not arrive in time", reason::kBodyTimeout);
    case DueAction::kBodyTooSlow:
      return time_out("the request's body arrives too slowly", reason::kMinRate);
  }
}

// The handler has run out of time. It still has the request and the stream, and so they stay as
// they are until it has answered, too.
void Connection::answer_late() {
  const auto late = std::exchange(late_, nullptr);
  const std::optional<Response> response = late->late();
  if (!response) return set_timer();
  cancel();
  append_head(*response, {.close = true}, io_.output());
  if (!is_bodiless(request().method, response->status)) io_.output() += response->body;
  require(response_state_.abandon());
  phase_ = Phase::kClosing;
  run();
}

void Connection::time_out(const char* what, std::string_view reason) {
  Status status = Status::with_http(408, BENTO_DEADLINE_EXCEEDED, what);
  if (!response_state_.is_due()) return refuse(status, reason);
  // Its handler waits for the body, and is told.
  server_.application.aborted(reason);
  io_.stop_reading();
  intake_.pause();
  stream_->fail_body(std::move(status));
  set_timer();  // its own time goes on
}

void Connection::abort_write(std::string_view reason) {
  server_.application.aborted(reason);
  close();
}

}  // namespace bentohost::http
