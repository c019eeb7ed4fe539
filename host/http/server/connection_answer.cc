// Connection, the half that answers, and its deadlines.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "http/problem.h"
#include "http/rejection_reasons.h"
#include "http/server/connection.h"
#include "http/server/crash_responses.h"
#include "http/server/loop_connections.h"

namespace bentohost::http {
namespace {

// A client in mid-conversation may be sending just now: so long it may, when we are about to go.
constexpr Duration kPatience = std::chrono::seconds(1);
// A close that leaves bytes unread sends RST, and the peer may lose our last response: so what
// still arrives is read and dropped first, for so long.
constexpr Duration kMaxLinger = std::chrono::seconds(2);
// Up to here a body is copied behind its head; beyond, both go out from where they are.
constexpr std::size_t kMaxCopied = 16u << 10;
constexpr std::size_t kKeptOutput = 4u << 10;
constexpr std::size_t kKeptBody = 64u << 10;

// When `bytes`, moved since `since`, are fewer than the least rate allows.
TimePoint too_slow_at(TimePoint since, std::size_t bytes, std::size_t min_rate) {
  if (min_rate == 0) return kNoDeadline;
  return since + kRateGrace + std::chrono::milliseconds(bytes * 1000 / min_rate);
}

}  // namespace

bool Connection::is_on_loop() const { return EventLoop::current() == &loop_; }

// ---- what a handler calls --------------------------------------------------------------------

void Connection::respond(Response response) {
  response_ = std::move(response);
  if (is_on_loop() && in_handler_) {
    has_response_ = true;
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
  std::string whole = std::move(request_.body);
  stream_->give_body(whole, true);
}

Result<ReceivedBody> Connection::receive() {
  if (!stream_) return Status(BENTO_FAILED_PRECONDITION, "the body is not streamed");
  bool was_full = false;
  Result<ReceivedBody> piece = stream_->take_body(was_full);
  if (was_full) {
    loop_.post([self = shared_from_this()] {
      if (!std::exchange(self->is_paused_, false)) return;
      self->since_ = self->loop_.now();  // the client was kept waiting by us
      self->run();
    });
  }
  return piece;
}

Status Connection::start(Response response) {
  if (!stream_) return Status(BENTO_FAILED_PRECONDITION, "the response is not streamed");
  if (Status status = check_sendable(response); !status.ok()) return status;
  std::size_t length = 0;
  stream_framing_ = find_content_length(response.headers, length) ? BodyFraming::kGiven
                    : request_.version == "HTTP/1.0"              ? BodyFraming::kToClose
                                                                  : BodyFraming::kChunked;
  stream_left_ = length;
  if (is_bodiless({}, response.status)) stream_framing_ = BodyFraming::kSized;
  drops_body_ = is_bodiless(request_.method, response.status);
  const std::string first = std::exchange(response.body, {});
  response_ = std::move(response);
  return give(first);
}

Status Connection::write(std::string_view bytes, bool more) {
  if (!stream_) {
    if (!more) cut();
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

void Connection::cut() {
  loop_.post([self = std::move(keep_)]() mutable {
    auto held = std::exchange(self, nullptr);
    if (held->phase_ == Phase::kHandling) held->close();  // else it was answered late
    held->run_after_sent(held->after_sent_);
  });
}

// [worker] A piece of the body, framed.
Status Connection::give(std::string_view bytes) {
  if (stream_framing_ == BodyFraming::kGiven) {
    if (bytes.size() > stream_left_) {
      return Status(BENTO_FAILED_PRECONDITION, "more bytes than its Content-Length says");
    }
    stream_left_ -= bytes.size();
  }
  std::string framed;
  if (!drops_body_) {
    if (stream_framing_ == BodyFraming::kChunked) {
      append_chunk(bytes, framed);
    } else {
      framed = bytes;
    }
  }
  bool is_first = false;
  Status status = stream_->give_output(framed, is_first);
  if (is_first) loop_.post([self = shared_from_this()] { self->on_output(); });
  return status;
}

// ---- on the loop -----------------------------------------------------------------------------

void Connection::on_response() {
  const auto self = std::exchange(keep_, nullptr);
  if (phase_ != Phase::kHandling) {  // too late
    body_memory_.release();
    return run_after_sent(after_sent_);
  }
  end_exchange();
  answer(std::move(response_));
  if (loop_connections_->at_work != this) run();  // else it goes on by itself
}

void Connection::on_output() {
  if (phase_ != Phase::kHandling || stream_->is_cancelled()) return;
  begin_stream();
  stream_->take_output(out_);
  stream_->set_unsent(unsent());
  run();
}

void Connection::on_last_output() {
  const auto self = std::exchange(keep_, nullptr);
  if (phase_ != Phase::kHandling) return run_after_sent(after_sent_);
  // It is not whole, and must not look like it.
  if (stream_->is_cancelled()) {
    close();
    return run_after_sent(after_sent_);
  }
  end_exchange();
  begin_stream();
  stream_->take_output(out_);
  const bool is_cut = stream_framing_ == BodyFraming::kGiven && stream_left_ > 0;
  if (is_cut && !drops_body_) {
    log_error("a handler ended its response before the end of its Content-Length",
              {{"path", request_.path}});
    closes_ = true;
  }
  if (stream_framing_ == BodyFraming::kChunked && !drops_body_) out_ += kLastChunk;
  end_request(!closes_);
  run();
}

// The head of a streamed response, once.
void Connection::begin_stream() {
  if (std::exchange(has_begun_, true)) return;
  const ResponseHead head = head_of(response_, stream_framing_);
  closes_ = head.close;
  append_head(response_, head, out_);
}

void Connection::answer(Response response) {
  if (const Status status = check_sendable(response); !status.ok()) {
    log_error("a handler's response became a 500: " + status.message(), {{"path", request_.path}});
    response = problem(500, {}, request_.path);
  }
  const ResponseHead head = head_of(response, BodyFraming::kSized);
  append_head(response, head, out_);
  const bool omits_body = is_bodiless(request_.method, response.status);
  if (!omits_body && response.body.size() <= kMaxCopied) {
    out_ += response.body;
  } else if (!omits_body) {
    out_body_ = std::move(response.body);
  }
  end_request(!head.close);
}

// The front's own finding, in the application's words; the last answer on this connection.
void Connection::refuse(const Status& refusal, std::string_view reason) {
  std::string().swap(request_.body);
  body_memory_.release();
  if (reader_.state() == RequestReader::State::kIdle ||
      reader_.state() == RequestReader::State::kHead) {  // what is told of it is the previous one's
    target_.reset();
    request_.arrived = loop_.now();
    request_.client = client_;
    request_.scheme = scheme_;
  }
  is_refused_ = true;
  begin_exchange();
  Refusal told{refusal, {}, reason};
  // RFC 9110 15.5.16.
  if (refusal.http_status() == 415) {
    told.headers.push_back({"Accept-Encoding", std::string(kAcceptedCodings)});
  }
  in_handler_ = true;
  server_.application.refuse(*this, std::move(told));
  in_handler_ = false;
  if (std::exchange(has_response_, false)) on_response();
}

ResponseHead Connection::head_of(const Response& response, BodyFraming framing) {
  ResponseHead head;
  head.framing = framing;
  // Each of these ends a connection that the client wants to keep.
  const bool is_body_unread = reader_.state() != RequestReader::State::kDone;
  const bool is_full = server_.limits.max_requests != 0 && requests_ >= server_.limits.max_requests;
  lingers_ = response.close || is_refused_ || is_body_unread || is_full ||
             server_.mode() >= Mode::kDraining;
  head.close = lingers_ || !reader_.framing().keep_alive || framing == BodyFraming::kToClose;
  head.keep_alive = !head.close && request_.version == "HTTP/1.0";
  return head;
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

// The handler has run out of time. It still has the request and the stream, and so they stay as
// they are until it has answered, too.
void Connection::answer_late() {
  const auto late = std::exchange(late_, nullptr);
  const std::optional<Response> response = late->late();
  if (!response) return set_timer();
  lose_client();
  append_head(*response, {.close = true}, out_);
  if (!is_bodiless(request_.method, response->status)) out_ += response->body;
  lingers_ = true;
  phase_ = Phase::kClosing;
  run();
}

// The handler is through with it.
void Connection::end_exchange() {
  late_.reset();
  for (auto& f : after_sent_) sent_.push_back(std::move(f));
  after_sent_.clear();
}

void Connection::run_after_sent(std::vector<std::function<void()>>& whom) {
  for (const auto& f : std::exchange(whom, {})) f();
}

void Connection::end_request(bool goes_on) {
  stream_.reset();
  is_streamed_ = has_begun_ = false;
  since_ = loop_.now();
  if (request_.body.capacity() > kKeptBody) std::string().swap(request_.body);
  body_memory_.release();
  if (goes_on) {
    phase_ = Phase::kReading;
    reader_.begin_request();
  } else {
    phase_ = Phase::kClosing;
    lingers_ = lingers_ || !unread_.empty();
  }
}

// Sends what there is. False when the rest has to wait, or the connection is over.
bool Connection::flush() {
  if (is_awaited_ && unsent() > 0) {
    is_awaited_ = false;
    if (!claim_answer(transport_->fd())) {  // we are dying, and it was told so
      close();
      return false;
    }
  }
  while (unsent() > 0) {
    const Sent sent = transport_->write(std::string_view(out_).substr(out_sent_),
                                        std::string_view(out_body_).substr(body_sent_));
    if (sent.broken) {
      close();
      return false;
    }
    const std::size_t of_head = std::min(sent.size, out_.size() - out_sent_);
    out_sent_ += of_head;
    body_sent_ += sent.size - of_head;
    if (unsent() == 0) break;
    if (write_since_ == TimePoint{}) {
      write_since_ = write_progress_ = loop_.now();
      written_ = 0;
    } else if (sent.size > 0) {
      write_progress_ = loop_.now();
      written_ += sent.size;
    }
    if (stream_) stream_->set_unsent(unsent());
    return false;
  }
  if (!out_.empty()) {
    out_.clear();
    if (out_.capacity() > kKeptOutput) std::string().swap(out_);
    if (!out_body_.empty()) std::string().swap(out_body_);
    out_sent_ = body_sent_ = 0;
    write_since_ = {};
    if (stream_) stream_->set_unsent(0);
  }
  if (!sent_.empty()) run_after_sent(sent_);
  return true;
}

void Connection::linger() {
  if (!lingers_) return end();
  transport_->shutdown_writing();
  phase_ = Phase::kLingering;
  since_ = loop_.now();
  written_ = 0;
  unread_ = {};
}

// ---- deadlines -------------------------------------------------------------------------------

Connection::Deadline Connection::deadline() const {
  const Limits& limits = server_.limits;
  if (write_since_ != TimePoint{}) {
    const TimePoint stalled = write_progress_ + limits.write_timeout;
    const TimePoint slow = too_slow_at(write_since_, written_, limits.min_rate);
    return slow < stalled ? Deadline{slow, Wait::kWriteRate} : Deadline{stalled, Wait::kWrite};
  }
  if (phase_ == Phase::kLingering) return {since_ + kMaxLinger, Wait::kLinger};
  if (is_inflating_) return {};  // the wait is for us
  const bool can_be_late = phase_ == Phase::kHandling && late_ && !has_begun_;
  const Deadline of_handler = can_be_late ? Deadline{late_at_, Wait::kHandler} : Deadline{};
  const RequestReader::State state = reader_.state();
  const bool reads_stream = phase_ == Phase::kHandling && is_streamed_ && !is_paused_;
  if (state == RequestReader::State::kBody && (phase_ == Phase::kReading || reads_stream)) {
    const TimePoint late = since_ + limits.body_timeout;
    const TimePoint slow = too_slow_at(since_, reader_.body_bytes(), limits.min_rate);
    const Deadline of_body =
        slow < late ? Deadline{slow, Wait::kRate} : Deadline{late, Wait::kBody};
    return of_handler.when < of_body.when ? of_handler : of_body;
  }
  if (phase_ != Phase::kReading) return of_handler;
  if (state == RequestReader::State::kHead) return {since_ + limits.header_timeout, Wait::kHead};
  const Mode last = requests_ > 0 ? Mode::kServing : Mode::kDraining;
  if (server_.mode() > last) return {since_ + kPatience, Wait::kIdle};
  return {since_ + (requests_ > 0 ? limits.idle_timeout : limits.header_timeout), Wait::kIdle};
}

void Connection::set_timer() { timer_.set(deadline().when); }

void Connection::on_mode() {
  if (phase_ != Phase::kClosed) set_timer();
}

void Connection::on_timer() {
  const auto self = shared_from_this();
  const Deadline due = deadline();
  if (loop_.now() < due.when) return set_timer();
  switch (due.wait) {
    case Wait::kNone:
    case Wait::kIdle:
      return end();
    case Wait::kLinger:
      return close();
    case Wait::kHandler:
      return answer_late();
    case Wait::kWrite:
      server_.application.cut(reason::kWriteTimeout);
      return close();
    case Wait::kWriteRate:
      server_.application.cut(reason::kMinRate);
      return close();
    case Wait::kHead:
      return time_out("the request's head did not arrive in time", reason::kHeaderTimeout);
    case Wait::kBody:
      return time_out("the request's body did not arrive in time", reason::kBodyTimeout);
    case Wait::kRate:
      return time_out("the request's body arrives too slowly", reason::kMinRate);
  }
}

void Connection::time_out(const char* what, std::string_view reason) {
  Status status = Status::with_http(408, BENTO_DEADLINE_EXCEEDED, what);
  if (phase_ == Phase::kHandling) {  // its handler waits for the body, and is told
    server_.application.cut(reason);
    readable_ = false;
    is_paused_ = true;
    stream_->fail_body(std::move(status));
    return set_timer();  // its own time goes on
  }
  refuse(status, reason);
}

}  // namespace bentohost::http
