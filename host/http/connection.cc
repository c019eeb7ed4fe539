#include "http/connection.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/log.h"
#include "http/problem.h"
#include "http/syntax.h"

namespace bentohost::http {
namespace {

using Mode = Connections::Mode;

// How long an idle connection sleeps before it looks whether others wait for its thread.
constexpr Duration kPatience = std::chrono::seconds(1);
// A close that leaves bytes unread sends RST, and the peer may lose our last response: so what
// still arrives is read and dropped first, within these bounds.
constexpr Duration kMaxLinger = std::chrono::seconds(2);
constexpr std::size_t kMaxLingerBytes = 1u << 20;
// A larger body's memory is not kept for the connection's next request.
constexpr std::size_t kKeptBody = 1u << 20;

Duration patience(const ServerOptions& options) {
  return std::min(kPatience, options.idle_timeout);
}

// A CR, LF or NUL from a handler would let it write headers, or whole responses, that we do not
// see.
bool is_sendable(const Response& response) {
  return response.status >= 200 && response.status <= 599 &&
         is_field_value(response.content_type) &&
         std::all_of(response.headers.begin(), response.headers.end(), [](const Header& header) {
           return is_token(header.name) && is_field_value(header.value);
         });
}

}  // namespace

Connection::Connection(UniqueFd fd, ConnectionContext& context, ResponseWriter& writer)
    : context_(context),
      writer_(writer),
      socket_(std::move(fd), patience(context.options), context.options.write_timeout),
      reader_(socket_, {context.options.max_body, context.options.read_timeout}) {
  request_.client = socket_.peer_name();
  request_.server = socket_.local_name();
  context_.connections.attach(*this);
}

Connection::~Connection() { context_.connections.detach(*this); }

void Connection::serve() {
  bool goes_on = true;
  while (goes_on && (reader_.has_bytes() || await_request())) {
    const Status status = reader_.read(request_, framing_);
    if (context_.connections.mode() == Mode::kCut || status.code() == BENTO_CANCELLED) return;
    if (!status.ok()) return refuse(status);
    goes_on = answer();
    if (request_.body.capacity() > kKeptBody) std::string().swap(request_.body);
  }
}

bool Connection::await_request() {
  // drain() and stop() end only a wait that is long already. A client in mid-conversation may be
  // sending just now, so it has its slice of patience, and hears Connection: close with its next
  // answer.
  idle_since_ = SteadyClock().now();
  Received received = reader_.await();
  Duration waited = patience(context_.options);
  while (received.kind == Received::Kind::kTimeout && may_wait() &&
         waited < context_.options.idle_timeout) {
    received = reader_.await();
    waited += patience(context_.options);
  }
  idle_since_ = kNoDeadline;
  return received.kind == Received::Kind::kBytes;
}

// Whether a client that was silent for a while may stay so.
bool Connection::may_wait() const {
  const Mode last = has_answered_ ? Mode::kServing : Mode::kDraining;
  return context_.connections.mode() <= last && !context_.connections.others_wait();
}

void Connection::end_idle_wait() {
  const bool is_long = idle_since_.load() <= SteadyClock().now() - kPatience;
  if (is_long && !socket_.has_unread_bytes()) socket_.shutdown_reading();
}

// False when the connection is over.
bool Connection::answer() {
  context_.handler(*this);
  Outgoing outgoing{take_response()};
  const bool is_full = context_.connections.others_wait() && !reader_.has_bytes();
  const bool we_close =
      outgoing.response.close || is_full || context_.connections.mode() >= Mode::kDraining;
  outgoing.omit_body = request_.method == "HEAD";
  outgoing.close = we_close || !framing_.keep_alive;
  outgoing.keep_alive = !outgoing.close && request_.version == "HTTP/1.0";
  const bool goes_on = !outgoing.close;
  if (!writer_.write(socket_, std::move(outgoing))) return false;
  if (we_close || (!goes_on && reader_.has_bytes())) linger();
  has_answered_ = true;
  return goes_on;
}

void Connection::refuse(const Status& refusal) {
  Response response =
      problem(static_cast<int>(refusal.http_status()), refusal.message(), request_.path);
  response.close = true;
  if (context_.rejected) context_.rejected(request_, response);
  Outgoing outgoing{std::move(response)};
  outgoing.omit_body = request_.method == "HEAD";
  outgoing.close = true;
  if (writer_.write(socket_, std::move(outgoing))) linger();
}

void Connection::respond(Response response) {
  // Notified under the lock: once it is released, the connection may be gone.
  const std::lock_guard lock(mutex_);
  response_ = std::move(response);
  has_response_ = true;
  responded_.notify_one();
}

Response Connection::take_response() {
  std::unique_lock lock(mutex_);
  responded_.wait(lock, [this] { return has_response_; });
  has_response_ = false;
  if (is_sendable(response_)) return std::move(response_);
  log_error("a handler's response has an invalid status or header; it became a 500",
            {{"path", request_.path}});
  return problem(500, {}, request_.path);
}

void Connection::linger() {
  socket_.shutdown_writing();
  idle_since_ = TimePoint::min();  // stop() need not wait for this
  if (context_.connections.mode() >= Mode::kStopping) end_idle_wait();
  const TimePoint deadline = SteadyClock().now() + kMaxLinger;
  std::array<char, 4096> dropped;
  std::size_t total = 0;
  while (total < kMaxLingerBytes) {
    const Duration left = deadline - SteadyClock().now();
    if (left <= Duration::zero()) return;
    const Received received = socket_.receive(dropped.data(), dropped.size(), left);
    if (received.kind != Received::Kind::kBytes) return;
    total += received.size;
  }
}

}  // namespace bentohost::http
