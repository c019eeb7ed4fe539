#include "http/client/fetch.h"

#include <array>
#include <utility>

#include "http/syntax.h"

namespace bentohost::http {
namespace {

// A connection that always has bytes lets others have their turn.
constexpr int kReadsPerTurn = 8;

}  // namespace

Fetch::Fetch(ClientLoop& shared, FetchRequest request, std::shared_ptr<FetchUser> user)
    : shared_(shared),
      request_(std::move(request)),
      head_(request_head(request_)),
      user_(std::move(user)),
      timer_(shared.loop->timers(), static_cast<Timer::Owner&>(*this)) {}

void Fetch::start(std::shared_ptr<Origin> origin) {
  if (user_ == nullptr) return;
  self_ = shared_from_this();
  origin_ = std::move(origin);
  timer_.set(request_.limits.deadline);
  acquire(false);
}

void Fetch::acquire(bool fresh) {
  Origin::Acquired acquired = origin_->acquire(*this, fresh, request_.limits.connect_timeout);
  if (acquired.failure) {
    return shared_.loop->post([self = shared_from_this(), failure = std::move(acquired.failure)] {
      self->fail(failure);
    });
  }
  if (acquired.connection == nullptr) return;
  begin(std::move(acquired.connection));
  send();  // what is read, and told to the user, comes later
  run_later();
}

void Fetch::begin(std::unique_ptr<ClientConnection> connection) {
  connection_ = std::move(connection);
  connection_->set_user(*this);
  sent_ = 0;
  is_write_broken_ = false;
  reader_.begin(request_.method == "HEAD", false);
}

void Fetch::on_acquired(std::unique_ptr<ClientConnection> connection) {
  begin(std::move(connection));
  send();
  run_later();  // within the end of another fetch nobody is told of anything
}

void Fetch::run_later() {
  if (std::exchange(is_run_posted_, true)) return;
  shared_.loop->post([self = shared_from_this()] {
    self->is_run_posted_ = false;
    self->run();
  });
}

void Fetch::resume() {
  if (connection_ != nullptr) run_later();
}

// ---- sending and reading ---------------------------------------------------------------------

void Fetch::run() {
  if (connection_ == nullptr) return;
  const auto self = shared_from_this();
  send();
  read();
  // A key of TLS may have been read that the write has waited for.
  if (connection_ != nullptr) send();
}

void Fetch::send() {
  const std::string_view head = head_, body = request_.body;
  if (is_write_broken_ || sent_ == head.size() + body.size()) return;
  const Sent sent = sent_ < head.size() ? connection_->write(head.substr(sent_), body)
                                        : connection_->write(body.substr(sent_ - head.size()), {});
  sent_ += sent.size;
  is_write_broken_ = sent.broken;  // the server may have answered before it closed
}

void Fetch::read() {
  thread_local std::array<char, kReadSize> buffer;
  for (int reads = 0; connection_ != nullptr; ++reads) {
    const bool is_in_body = reader_.state() == ResponseReader::State::kBody;
    if (is_in_body && !user_->has_room()) return;
    if (reads == kReadsPerTurn) return run_later();
    const Received received = connection_->read(buffer);
    if (received.kind == Received::Kind::kAgain) return;
    if (received.kind != Received::Kind::kBytes) {
      return on_server_end(received.kind == Received::Kind::kBroken);
    }
    has_read_ = true;
    if (!take({buffer.data(), received.size})) return;
  }
}

// False: it has ended.
bool Fetch::take(std::string_view bytes) {
  if (reader_.state() != ResponseReader::State::kHead) return take_body(bytes);
  std::string joined = std::move(unread_);
  unread_.clear();
  if (!joined.empty()) bytes = joined.append(bytes);
  if (!take_head(bytes)) return user_ != nullptr;
  return take_body(bytes);
}

// False: the head is not complete, or is malformed. Leaves in `bytes` what follows it.
bool Fetch::take_head(std::string_view& bytes) {
  Result<std::size_t> taken = reader_.read_head(bytes, response_);
  if (!taken.ok()) {
    fail({std::move(taken).take_status().prefixed(request_.url.origin() + ": "),
          fetch_failure::kMalformed});
    return false;
  }
  bytes.remove_prefix(*taken);
  if (reader_.state() == ResponseReader::State::kHead) {
    unread_ = bytes;
    return false;
  }
  if (!response_.content_type.empty()) {
    response_.headers.push_back({"Content-Type", response_.content_type});
  }
  const auto length = reader_.left();
  if (length && *length > request_.limits.max_body) {
    on_too_large();
    return false;
  }
  user_->on_head(std::move(response_));
  return user_ != nullptr;
}

bool Fetch::take_body(std::string_view bytes) {
  using State = ResponseReader::State;
  while (reader_.state() == State::kBody && !bytes.empty()) {
    Result<ResponseReader::Piece> piece = reader_.read_body(bytes);
    if (!piece.ok()) {
      fail({std::move(piece).take_status().prefixed(request_.url.origin() + ": "),
            fetch_failure::kMalformed});
      return false;
    }
    bytes.remove_prefix(piece->taken);
    body_size_ += piece->data.size();
    if (body_size_ > request_.limits.max_body) {
      on_too_large();
      return false;
    }
    if (!piece->data.empty()) user_->on_body(piece->data);
    if (user_ == nullptr) return false;
  }
  if (reader_.state() != State::kDone) return true;
  complete(!bytes.empty());
  return false;
}

void Fetch::on_server_end(bool is_broken) {
  const bool is_in_head = reader_.state() == ResponseReader::State::kHead;
  // The server may have closed an idle connection while the request was on its way.
  const bool may_repeat = is_in_head && !has_read_ && !has_repeated_ && connection_->has_waited &&
                          (sent_ == 0 || is_idempotent(request_.method));
  if (may_repeat) {
    has_repeated_ = true;
    origin_->release(std::move(connection_), false);
    return acquire(true);
  }
  Status status = is_broken && !is_in_head
                      ? Status::with_http(502, BENTO_UNAVAILABLE,
                                          "the connection broke before the end of its response")
                      : reader_.end();
  if (status.ok()) return complete(false);
  fail({std::move(status).prefixed(request_.url.origin() + ": "), fetch_failure::kBroken});
}

// ---- ends ------------------------------------------------------------------------------------

std::shared_ptr<FetchUser> Fetch::end(bool is_reusable) {
  timer_.clear();
  if (origin_ != nullptr) {
    origin_->stop_waiting(*this);
    if (connection_ != nullptr) origin_->release(std::move(connection_), is_reusable);
  }
  const auto self = std::move(self_);  // kept by who calls
  return std::exchange(user_, nullptr);
}

void Fetch::complete(bool has_extra_bytes) {
  const auto self = shared_from_this();
  const bool was_sent = sent_ == head_.size() + request_.body.size();
  const auto user = end(reader_.keeps_connection() && !has_extra_bytes && was_sent);
  user->on_end({});
}

void Fetch::fail(FetchFailure failure) {
  if (user_ == nullptr) return;
  const auto self = shared_from_this();
  end(false)->on_end(std::move(failure));
}

void Fetch::cancel() {
  if (user_ == nullptr) return;
  const auto self = shared_from_this();
  end(false);
}

void Fetch::on_too_large() {
  fail({Status::with_http(502, BENTO_RESOURCE_EXHAUSTED,
                          request_.url.origin() + ": the body of the response is larger than " +
                              std::to_string(request_.limits.max_body) +
                              " bytes (max_response_bytes)"),
        fetch_failure::kTooLarge});
}

void Fetch::on_timer() {
  timer_.clear();
  fail({Status(BENTO_DEADLINE_EXCEEDED, request_.url.origin() + ": " + request_.limits.late),
        fetch_failure::kTimeout});
}

}  // namespace bentohost::http
