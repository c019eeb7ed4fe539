// Connection, the half that takes requests in. The other is connection_answer.cc.
#include "http/server/connection.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/log.h"
#include "http/problem.h"
#include "http/rejection_reasons.h"
#include "http/server/crash_responses.h"
#include "http/server/loop_connections.h"

namespace bentohost::http {
namespace {

// Memory that a connection keeps between requests, at most.
constexpr std::size_t kKeptBytes = 4u << 10;
// Pipelined requests are answered until so much waits to be sent.
constexpr std::size_t kMaxPipelined = 64u << 10;
constexpr std::size_t kMaxLingerBytes = 1u << 20;
constexpr int kReadsPerTurn = 16;
// What RequestReader::kInflatedAtOnce takes of the time of a turn.
constexpr int kReadsAnInflation = 4;

void shrink(std::string& text, std::size_t kept) {
  text.clear();
  if (text.capacity() > kept) std::string().swap(text);
}

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
      transport_(std::move(transport)),
      timer_(loop_.timers(), *this),
      client_(std::move(peer.client)),
      scheme_(transport_->is_secure() ? "https" : "http"),
      reader_(server_.limits.head),
      body_memory_(server_.body_memory) {
  request_.client = client_;
  request_.server = std::move(peer.server);
  request_.role = peer.role;
  request_.scheme = scheme_;
}

Connection::~Connection() = default;

void Connection::open() {
  since_ = loop_.now();
  connection_opened(transport_->fd());
  // Once and for all: with edges there is no need to ask again for each request.
  constexpr std::uint32_t kEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  if (!loop_.add(transport_->fd(), kEvents, *this).ok()) return close();
  set_timer();
}

void Connection::close() {
  if (phase_ == Phase::kClosed) return;
  const auto self = shared_from_this();
  phase_ = Phase::kClosed;
  is_closed_ = true;
  timer_.clear();
  loop_.remove(transport_->fd(), *this);
  connection_closed(transport_->fd());
  transport_.reset();
  unread_ = {};
  gone_->store(true);
  if (stream_) stream_->cancel();
  late_.reset();
  target_.reset();
  run_after_sent(sent_);
  loop_connections_->forget(self, client_, request_.role);
}

void Connection::end() {
  transport_->shutdown_writing();
  close();
}

void Connection::on_events(std::uint32_t epoll_events) {
  const auto self = shared_from_this();
  // TLS may have to write before it can read: then room to write is news for the reader, too.
  if (epoll_events != EPOLLOUT || transport_->is_secure()) readable_ = true;
  const bool is_reset = (epoll_events & (EPOLLHUP | EPOLLERR)) != 0;
  if (is_reset || (epoll_events & EPOLLRDHUP) != 0) {
    has_ended_ = true;
    if (phase_ == Phase::kHandling && is_reset) {
      lose_client();
    } else if (phase_ == Phase::kHandling && server_.limits.half_close == HalfClose::kDrop &&
               reader_.state() == RequestReader::State::kDone) {
      return close();
    }
  }
  run();
}

void Connection::run() {
  Connection* const outer = std::exchange(loop_connections_->at_work, this);
  for (int reads = 0; phase_ != Phase::kClosed;) {
    if (phase_ == Phase::kReading) advance();
    if (!flush()) break;
    if (phase_ == Phase::kReading && !unread_.empty() &&
        reader_.state() == RequestReader::State::kIdle) {
      continue;  // pipelined, and held back by the output
    }
    if (phase_ == Phase::kClosing) {
      linger();
      continue;
    }
    const bool inflates = inflates_stream();
    if (!inflates && (!readable_ || !wants_bytes())) break;
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
    park();
    set_timer();
  }
  loop_connections_->at_work = outer;
}

bool Connection::wants_bytes() const {
  switch (phase_) {
    case Phase::kReading:
      return !is_inflating_;
    case Phase::kLingering:
      return true;
    case Phase::kHandling:
      return is_streamed_ && !is_paused_ && reader_.state() == RequestReader::State::kBody;
    case Phase::kClosing:
    case Phase::kClosed:
      break;
  }
  return false;
}

void Connection::read_once() {
  park();  // what is unread may lie where the next bytes come to lie
  auto& buffer = loop_connections_->buffer();
  const Received received = transport_->read(buffer.data(), buffer.size());
  switch (received.kind) {
    case Received::Kind::kAgain:
      readable_ = false;
      return;
    case Received::Kind::kBroken:
      return close();
    case Received::Kind::kPlain:
      transport_ = transport_->without_tls();
      return refuse(
          Status::with_http(400, BENTO_INVALID_ARGUMENT,
                            "this port speaks TLS: ask it by https:// in place of http://"),
          reason::kMalformed);
    case Received::Kind::kEnd:
      readable_ = false;
      has_ended_ = true;
      return on_end();
    case Received::Kind::kBytes:
      break;
  }
  // After a short read only the end can be there without a further event.
  readable_ = received.more || has_ended_;
  if (phase_ == Phase::kLingering) {
    written_ += received.size;
    if (written_ > kMaxLingerBytes) close();
    return;
  }
  if (unread_.empty()) {
    unread_ = {buffer.data(), received.size};
  } else {
    in_.append(buffer.data(), received.size);
    unread_ = in_;
  }
  if (phase_ == Phase::kHandling) on_body_bytes();
}

// Makes in_ hold what is unread, and nothing else.
void Connection::park() {
  if (unread_.empty()) {
    shrink(in_, kKeptBytes);
  } else if (in_.empty()) {
    in_.assign(unread_);
  } else {
    in_.erase(0, static_cast<std::size_t>(unread_.data() - in_.data()));
  }
  unread_ = in_;
}

// Takes requests out of what has arrived, until there is no whole one or one is being handled.
void Connection::advance() {
  while (phase_ == Phase::kReading && !is_inflating_ && unsent() < kMaxPipelined &&
         out_body_.empty()) {
    const RequestReader::State before = reader_.state();
    Result<std::size_t> taken = feed();
    if (!taken.ok()) {
      const Status status = std::move(taken).take_status();
      return refuse(status, reason_of(status.http_status()));
    }
    unread_.remove_prefix(*taken);
    const RequestReader::State state = reader_.state();
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

// The reader takes what it can of the bytes. One body without memory for it is that request's
// failure alone. The stream counts a body that it hands on; its handler, on a thread, may have the
// request meanwhile.
Result<std::size_t> Connection::feed() {
  try {
    Result<std::size_t> taken = reader_.feed(unread_, request_);
    if (!taken.ok() || stream_ != nullptr) return taken;
    if (!body_memory_.grow_to(request_.body.size())) return no_body_memory();
    return taken;
  } catch (const std::bad_alloc&) {
    return Status::with_http(503, BENTO_RESOURCE_EXHAUSTED,
                             "there is not enough memory for the request's body");
  }
}

// Inflates what is left of a whole body, on a thread.
class Connection::InflateJob final : public ThreadPool::Job {
 public:
  InflateJob(std::shared_ptr<Connection> connection,
             std::unique_ptr<RequestReader::Backlog> backlog)
      : Job(backlog->coded.size() + backlog->body.size()),
        connection_(std::move(connection)),
        backlog_(std::move(backlog)) {}

  bool is_wanted() const override { return !connection_->is_closed_.load(); }
  void run() override {
    try {
      backlog_->inflate([this](std::size_t bytes) {
        return connection_->body_memory_.grow_to(bytes) ? Status() : no_body_memory();
      });
    } catch (const std::bad_alloc&) {
      backlog_->body = {};
      backlog_->status = Status::with_http(503, BENTO_RESOURCE_EXHAUSTED,
                                           "there is not enough memory for the request's body");
    }
    give_back();
  }
  void drop() override {
    backlog_->status = Status(BENTO_UNAVAILABLE, "the server is shutting down");
    give_back();
  }

 private:
  void give_back() {
    // std::function copies what it holds.
    auto held = std::make_shared<std::unique_ptr<RequestReader::Backlog>>(std::move(backlog_));
    EventLoop& loop = connection_->loop_;
    loop.post(
        [connection = std::move(connection_), held] { connection->on_inflated(std::move(*held)); });
  }

  std::shared_ptr<Connection> connection_;
  std::unique_ptr<RequestReader::Backlog> backlog_;
};

void Connection::inflate_elsewhere() {
  is_inflating_ = true;
  const Status status = server_.threads->run(
      std::make_unique<InflateJob>(shared_from_this(), reader_.take_backlog()));
  if (status.ok()) return;
  is_inflating_ = false;
  refuse(Status::with_http(503, status.code(), status.message()), reason::kHandlerQueue);
}

void Connection::on_inflated(std::unique_ptr<RequestReader::Backlog> backlog) {
  if (phase_ == Phase::kClosed) return;
  is_inflating_ = false;
  since_ = loop_.now();  // the client was kept waiting by us
  reader_.restore(std::move(backlog));
  run();
}

// There is more of a streamed body than its handler has room for just now, or than a turn may take.
bool Connection::inflates_stream() const {
  return phase_ == Phase::kHandling && is_streamed_ && !is_paused_ &&
         reader_.state() == RequestReader::State::kInflating;
}

void Connection::on_head() {
  request_.arrived = since_ = loop_.now();
  request_.body.clear();
  body_bytes_ = 0;
  request_.client = client_;
  request_.scheme = scheme_;
  apply_forwarded(server_.proxies, request_);
  BodyPlan plan = server_.application.plan(request_);
  target_ = std::move(plan.target);
  const std::size_t max_body = plan.max_body != 0 ? plan.max_body : server_.limits.max_body;
  is_streamed_ = plan.streamed;
  const Status status =
      reader_.begin_body(max_body, request_, is_streamed_ ? piece_ : request_.body);
  if (!status.ok()) return refuse(status, reason_of(status.http_status()));
  const bool has_body = reader_.state() == RequestReader::State::kBody;
  if (has_body && reader_.framing().expects_continue && unread_.empty()) {
    out_.append("HTTP/1.1 100 Continue\r\n\r\n");
  }
  if (!is_streamed_) return;
  stream_ = std::make_unique<Stream>(server_.body_memory);
  is_paused_ = false;
  if (has_body) {
    // What is here already comes first: a small body is one piece.
    on_body_bytes();
  } else {
    stream_->give_body(piece_, true);
  }
  handle();
}

// Of a streamed body.
void Connection::on_body_bytes() {
  Result<std::size_t> taken = feed();
  if (!taken.ok()) {
    body_bytes_.store(reader_.body_bytes(), std::memory_order_relaxed);
    unread_ = {};
    readable_ = false;
    is_paused_ = true;
    return stream_->fail_body(std::move(taken).take_status());
  }
  unread_.remove_prefix(*taken);
  body_bytes_.store(reader_.body_bytes(), std::memory_order_relaxed);
  const bool is_last = reader_.state() == RequestReader::State::kDone;
  if (is_last || !piece_.empty()) is_paused_ = !stream_->give_body(piece_, is_last);
  if (is_last && late_ != nullptr) late_at_ = late_->on_whole_body(loop_.now());
}

void Connection::begin_exchange() {
  body_bytes_.store(reader_.body_bytes(), std::memory_order_relaxed);
  request_.is_arriving = reader_.state() != RequestReader::State::kDone;
  request_.completed = request_.is_arriving ? TimePoint() : loop_.now();
  phase_ = Phase::kHandling;
  keep_ = shared_from_this();
}

void Connection::handle() {
  begin_exchange();
  ++requests_;
  if (unsent() == 0 && !transport_->is_secure()) {
    await_answer(transport_->fd(), request_.method == "HEAD");
    is_awaited_ = true;
  }
  in_handler_ = true;
  server_.application.handle(*this);
  in_handler_ = false;
  if (std::exchange(has_response_, false)) on_response();
}

// The client has sent all that it will.
void Connection::on_end() {
  switch (phase_) {
    case Phase::kReading: {
      const Status status = reader_.at_end();
      if (status.ok()) return end();
      return refuse(status, reason::kMalformed);
    }
    case Phase::kHandling:
      stream_->fail_body(reader_.at_end());
      return;
    case Phase::kLingering:
      return close();
    case Phase::kClosing:
    case Phase::kClosed:
      break;
  }
}

// The client will not hear the answer.
void Connection::lose_client() {
  gone_->store(true);
  if (stream_) stream_->cancel();
}

}  // namespace bentohost::http
