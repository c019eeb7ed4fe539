#include "upstream/proxy_request.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/log.h"
#include "upstream/cookie_path.h"
#include "upstream/server_set.h"

namespace bentohost::upstream {
namespace {

constexpr std::size_t kReadSize = 64u << 10;
constexpr std::size_t kMostCollected = 256u << 10;
// A connection that always has bytes lets others have their turn.
constexpr int kReadsPerTurn = 8;
// A response is held back for so long, if its body is short and follows its head: many servers
// write them apart, and what is whole costs less to pass on.
constexpr std::size_t kMaxHeld = 64u << 10;
constexpr Duration kMaxHold = std::chrono::milliseconds(5);
// How long a tunnel lasts whose client has ended its side, for the app's goodbye.
constexpr Duration kTunnelEnd = std::chrono::seconds(1);

std::span<char> read_buffer() {
  thread_local std::array<char, kReadSize> buffer;
  return buffer;
}

bool is_idempotent(std::string_view method) {
  for (const std::string_view one : {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"}) {
    if (method == one) return true;
  }
  return false;
}

Status bad_gateway(std::string message) {
  return Status::with_http(502, BENTO_UNAVAILABLE, std::move(message));
}

Status too_slow(const std::string& name, const std::string& what, Duration limit) {
  return Status(BENTO_DEADLINE_EXCEEDED,
                "the app at " + name + " " + what + " within " + seconds_text(limit));
}

http::Headers retry_after(Duration when) {
  const auto whole = static_cast<std::int64_t>(std::ceil(seconds(when)));
  return {{"Retry-After", std::to_string(std::max<std::int64_t>(whole, 1))}};
}

}  // namespace

ProxyRequest::ProxyRequest(std::shared_ptr<Downstream> downstream,
                           std::shared_ptr<Upstream> upstream)
    : downstream_(std::move(downstream)),
      upstream_(std::move(upstream)),
      servers_(upstream_->servers().get()) {}

void ProxyRequest::begin() {
  servers_->in_flight.fetch_add(1);
  loop_ = downstream_->answer_on_loop(shared_from_this());
  if (loop_ == nullptr) {
    return fail(Status(BENTO_INTERNAL, "a request that belongs to a thread cannot be proxied"),
                Outcome::kFailed);
  }
  begun_ = loop_->now();
  timer_.emplace(loop_->timers(), static_cast<Timer::Owner&>(*this));
  is_head_ = downstream_->request().method == "HEAD";
  pool_ = &servers_->pool_of(*loop_);
  whole_ = downstream_->whole_body();
  is_collecting_ = servers_->options.works_on && !whole_;
  if (is_collecting_) return collect();
  on_acquired(pool_->acquire(*this, false));
}

// A slow client must not hold a thread of the app: the request gets a connection when its body is
// there, or kMostCollected of it.
void ProxyRequest::collect() {
  const auto held = shared_from_this();
  while (early_.size() < kMostCollected) {
    Result<http::ReceivedBody> received = downstream_->receive();
    if (!received.ok()) return leave(received.status());
    early_.append(received->bytes);
    if (!received->more) {
      whole_ = early_;
      break;
    }
    if (received->bytes.empty()) return;
  }
  is_collecting_ = false;
  on_acquired(pool_->acquire(*this, false));
}

// ---- a connection ----------------------------------------------------------------------------

void ProxyRequest::on_acquired(Pool::Acquired acquired) {
  using Kind = Pool::Acquired::Kind;
  const std::string& name = servers_->options.name;
  switch (acquired.kind) {
    case Kind::kWaits:
      return timer_->set(downstream_->deadline());
    case Kind::kNoServer: {
      ServerSet::Absence absence = servers_->absence();
      http::Headers headers = retry_after(absence.retry_after);
      if (!lost_.ok()) return fail(std::move(lost_), Outcome::kFailed, std::move(headers));
      return fail(std::move(absence.status), Outcome::kUnavailable, std::move(headers));
    }
    case Kind::kQueueFull:
      return fail(Status(BENTO_UNAVAILABLE, "too many requests wait for the app at " + name),
                  Outcome::kQueueFull, retry_after(Duration::zero()));
    case Kind::kTimedOut:
      return fail(too_slow(name, "accepted no connection", limits().connect_timeout),
                  Outcome::kTimedOut);
    case Kind::kUnreachable:
      return fail(
          bad_gateway("the app at " + name + " cannot be reached: " + acquired.why.message()),
          Outcome::kFailed);
    case Kind::kConnection:
      break;
  }
  connection_ = std::move(acquired.connection);
  connection_->set_user(*this);
  last_read_ = loop_->now();
  reader_.begin(is_head_, wants_websocket(downstream_->request()));
  upload_.begin(*downstream_, servers_->options, {whole_, whole_ ? std::string_view() : early_},
                *connection_, last_read_);
  run();
}

void ProxyRequest::release(bool is_reusable) {
  if (connection_ == nullptr) return pool_ != nullptr ? pool_->stop_waiting(*this) : void();
  pool_->release(std::move(connection_), is_reusable);
}

// The request ends without its response.
void ProxyRequest::let_go() {
  const bool works_on = connection_ != nullptr && servers_->options.works_on && !has_read_ &&
                        upload_.is_complete() && !upload_.is_broken();
  if (!works_on) return release(false);
  pool_->abandon(std::move(connection_));
}

bool ProxyRequest::may_repeat() const {
  if (has_repeated_ || has_read_) return false;
  return !upload_.has_written() ||
         (is_idempotent(downstream_->request().method) && upload_.is_repeatable());
}

// ---- sending and reading ---------------------------------------------------------------------

void ProxyRequest::run() {
  if (is_collecting_) return collect();
  if (connection_ == nullptr) return;
  const auto held = shared_from_this();
  const bool was_complete = upload_.is_complete();
  Status status = upload_.pump(*downstream_, *connection_, loop_->now());
  if (!status.ok()) return leave(status);
  if (upload_.is_broken()) connection_->expect_bytes();
  if (!was_complete && upload_.is_complete()) {
    last_read_ = loop_->now();
    has_client_ended_ = reader_.state() == ResponseReader::State::kTunnel;
  }
  read();
  if (connection_ != nullptr) set_timer();
}

void ProxyRequest::read() {
  waits_for_room_ = false;
  for (int reads = 0; connection_ != nullptr && connection_->is_readable(); ++reads) {
    if (has_started_ && !downstream_->has_room()) {
      waits_for_room_ = true;
      return;
    }
    if (reads == kReadsPerTurn) {
      if (std::exchange(is_run_posted_, true)) return;
      return loop_->post([self = shared_from_this()] {
        self->is_run_posted_ = false;
        self->run();
      });
    }
    const std::span<char> buffer = read_buffer();
    const http::Received received = connection_->read(buffer);
    if (received.kind == http::Received::Kind::kAgain) return;
    if (received.kind != http::Received::Kind::kBytes) {
      return on_server_end(received.kind == http::Received::Kind::kBroken);
    }
    has_read_ = true;
    last_read_ = loop_->now();
    take({buffer.data(), received.size});
  }
}

void ProxyRequest::take(std::string_view bytes) {
  using State = ResponseReader::State;
  if (reader_.state() == State::kTunnel) return relay(bytes);
  if (reader_.state() != State::kHead) return take_body(bytes);
  std::string joined = std::move(head_);
  if (!joined.empty()) bytes = joined.append(bytes);
  if (!take_head(bytes)) return;
  if (reader_.state() == State::kTunnel) return begin_tunnel(bytes);
  take_body(bytes);
}

// False if the head is not complete, or is malformed. Leaves in `bytes` what follows it.
bool ProxyRequest::take_head(std::string_view& bytes) {
  Result<std::size_t> taken = reader_.read_head(bytes, response_);
  if (!taken.ok()) {
    fail(std::move(taken).take_status(), Outcome::kFailed);
    return false;
  }
  bytes.remove_prefix(*taken);
  if (reader_.state() == ResponseReader::State::kHead) {
    head_ = bytes;
    return false;
  }
  if (servers_->metrics.on_head) servers_->metrics.on_head(loop_->now() - begun_);
  if (servers_->options.prefixes_cookies) {
    prefix_cookie_paths(servers_->options.root_path, response_.headers);
  }
  return true;
}

void ProxyRequest::take_body(std::string_view bytes) {
  using State = ResponseReader::State;
  ResponseReader::Piece piece;
  if (reader_.state() == State::kBody) {
    Result<ResponseReader::Piece> read = reader_.read_body(bytes);
    if (!read.ok()) return fail(std::move(read).take_status(), Outcome::kFailed);
    piece = *read;
  }
  const bool is_done = reader_.state() == State::kDone;
  if (!has_started_) {
    response_.body.append(piece.data);
    if (is_done) return complete(piece.taken < bytes.size());
    if (!holds_back()) start();
    return;
  }
  if (is_done) return complete(piece.taken < bytes.size(), piece.data);
  if (piece.data.empty()) return;
  if (Status status = downstream_->write(piece.data, true); !status.ok()) leave(status);
}

// `is_reset`: by a death, or a reset; such an end does not complete a response.
void ProxyRequest::on_server_end(bool is_reset) {
  using State = ResponseReader::State;
  const State before = reader_.state();
  is_reset = before == State::kBody && (is_reset || connection_->server().is_dead);
  Status status =
      is_reset ? bad_gateway("the app died before the end of its response") : reader_.end();
  if (!status.ok()) {
    if (before == State::kHead && may_repeat()) {
      has_repeated_ = true;
      lost_ = std::move(status);
      if (servers_->metrics.on_retry) servers_->metrics.on_retry();
      const std::shared_ptr<Server> dying = connection_->server_pointer();
      release(false);
      return on_acquired(pool_->acquire(*this, true, dying.get()));
    }
    return fail(std::move(status), Outcome::kFailed);
  }
  complete(false);
}

// ---- the response ----------------------------------------------------------------------------

// Whether the rest of the body may be expected in a moment, so that the response can go out whole.
bool ProxyRequest::holds_back() {
  const auto length = reader_.content_length();
  if (!reader_.left() || *length > kMaxHeld) return false;
  if (held_until_ == kNoDeadline) held_until_ = loop_->now() + kMaxHold;
  return loop_->now() < held_until_;
}

bool ProxyRequest::start() {
  held_until_ = kNoDeadline;
  if (const auto length = reader_.content_length()) {
    response_.headers.push_back({"Content-Length", std::to_string(*length)});
  }
  Status status = downstream_->start(std::move(response_));
  response_ = {};
  has_started_ = status.ok() || status.code() == BENTO_CANCELLED;
  if (status.ok()) return true;
  if (has_started_) {
    leave(status);
  } else {
    fail(bad_gateway("the response of the app at " + servers_->options.name +
                     " cannot be passed on: " + status.message()),
         Outcome::kFailed);
  }
  return false;
}

void ProxyRequest::complete(bool has_extra_bytes, std::string_view last) {
  // The length of a response to HEAD is that of the GET.
  if (!has_started_ && is_head_ && !start()) return;
  const bool is_reusable = reader_.keeps_connection() && !has_extra_bytes && upload_.is_complete();
  connection_->server().served.fetch_add(1);
  const std::shared_ptr<Downstream> downstream = end(Outcome::kAnswered);
  if (has_started_) {
    (void)downstream->write(last, false);
    return release(is_reusable);
  }
  // The next request is on its way before this one's client gets its response.
  http::Response response = std::move(response_);
  release(is_reusable);
  downstream->answer(std::move(response));
}

void ProxyRequest::begin_tunnel(std::string_view bytes) {
  if (!start()) return;
  upload_.begin_tunnel();
  if (!bytes.empty()) relay(bytes);
}

void ProxyRequest::relay(std::string_view bytes) {
  if (Status status = downstream_->write(bytes, true); !status.ok()) leave(status);
}

// ---- ends ------------------------------------------------------------------------------------

std::shared_ptr<Downstream> ProxyRequest::end(Outcome outcome) {
  if (timer_) timer_->clear();
  servers_->in_flight.fetch_sub(1);
  if (servers_->metrics.on_end) servers_->metrics.on_end(outcome);
  return std::exchange(downstream_, nullptr);
}

// The app, or the way to it, is at fault.
void ProxyRequest::fail(Status why, Outcome outcome, http::Headers headers) {
  const auto held = shared_from_this();
  let_go();
  const bool cuts_off = has_started_ && outcome == Outcome::kFailed;
  const std::shared_ptr<Downstream> downstream = end(cuts_off ? Outcome::kCutOff : outcome);
  if (has_started_) return downstream->abort(why);
  downstream->fail(why, std::move(headers));
}

// The client is gone, or its request failed.
void ProxyRequest::leave(const Status& why) {
  const auto held = shared_from_this();
  let_go();
  const std::shared_ptr<Downstream> downstream = end(Outcome::kClientGone);
  if (has_started_) return downstream->abort(why);
  downstream->fail(why, {});
}

void ProxyRequest::on_cancelled() {
  if (downstream_ != nullptr) leave(Status(BENTO_CANCELLED, "the client is gone"));
}

// ---- limits ----------------------------------------------------------------------------------

void ProxyRequest::set_timer() { timer_->set(next_limit()); }

TimePoint ProxyRequest::next_limit() const {
  using State = ResponseReader::State;
  if (reader_.state() == State::kTunnel) {
    const TimePoint active = std::max(last_read_, upload_.progress());
    return has_client_ended_ ? last_read_ + kTunnelEnd : active + limits().tunnel_timeout;
  }
  const bool has_head = reader_.state() != State::kHead;
  TimePoint when = has_head ? held_until_ : downstream_->deadline();
  if (upload_.is_blocked() && !has_head) {
    when = std::min(when, upload_.progress() + limits().send_timeout);
  } else if (!waits_for_room_ && (has_head || upload_.is_complete() || upload_.is_broken())) {
    when = std::min(when, last_read_ + limits().read_timeout);
  }
  return when;
}

void ProxyRequest::on_timer() {
  const auto held = shared_from_this();
  if (connection_ == nullptr) {
    return fail(Status(BENTO_UNAVAILABLE, "no connection to the app at " + servers_->options.name +
                                              " became free before the request's deadline"),
                Outcome::kQueueFull, retry_after(Duration::zero()));
  }
  if (loop_->now() < next_limit()) return set_timer();
  if (held_until_ <= loop_->now()) {
    if (start()) run();
    return;
  }
  on_silence();
}

void ProxyRequest::on_silence() {
  const std::string& name = servers_->options.name;
  const TimePoint now = loop_->now();
  if (reader_.state() == ResponseReader::State::kTunnel) {
    if (has_client_ended_) return complete(false);
    return fail(too_slow(name, "and its client exchanged nothing", limits().tunnel_timeout),
                Outcome::kTimedOut);
  }
  const bool has_head = reader_.state() != ResponseReader::State::kHead;
  if (!has_head && now >= downstream_->deadline()) {
    return fail(Status(BENTO_DEADLINE_EXCEEDED,
                       "the app at " + name + " did not answer before the request's deadline"),
                Outcome::kTimedOut);
  }
  if (!has_head && upload_.is_blocked()) {
    return fail(too_slow(name, "took nothing of the request", limits().send_timeout),
                Outcome::kTimedOut);
  }
  fail(too_slow(name, has_head ? "sent nothing more of its response" : "did not answer",
                limits().read_timeout),
       Outcome::kTimedOut);
}

}  // namespace bentohost::upstream
