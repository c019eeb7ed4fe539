#include "http/server/request_intake.h"

#include <new>

namespace bentohost::http {
namespace {

constexpr std::size_t kKeptBody = 64u << 10;

}  // namespace

RequestIntake::RequestIntake(const ServerState& server, Peer peer, std::string_view scheme)
    : server_(server),
      client_(std::move(peer.client)),
      scheme_(scheme),
      reader_(server.limits.head),
      memory_(server.body_memory) {
  request_.client = client_;
  request_.server = std::move(peer.server);
  request_.role = peer.role;
  request_.scheme = scheme_;
}

// Reserves memory for whole bodies only: a stream counts its own bytes, and the handler of a
// streamed body may be using the request on its thread.
Result<std::size_t> RequestIntake::feed(std::string_view bytes) {
  try {
    Result<std::size_t> taken = reader_.feed(bytes, request_);
    if (!taken.ok() || mode_ >= BodyMode::kStreamed) return taken;
    if (!memory_.grow_to(request_.body.size())) return no_body_memory();
    return taken;
  } catch (const std::bad_alloc&) {
    return Status::with_http(503, BENTO_RESOURCE_EXHAUSTED,
                             "there is not enough memory for the request's body");
  }
}

Result<std::size_t> RequestIntake::feed_stream(std::string_view bytes, Stream& stream) {
  Result<std::size_t> taken = feed(bytes);
  count_body();
  if (!taken.ok()) {
    pause();
    return taken;
  }
  const bool is_last = state() == RequestReader::State::kDone;
  if ((is_last || !piece_.empty()) && !stream.give_body(piece_, is_last)) pause();
  return taken;
}

void RequestIntake::feed_tunnel(std::string_view bytes, Stream& stream) {
  if (bytes.empty()) return;
  piece_ = bytes;
  body_bytes_.fetch_add(bytes.size(), std::memory_order_relaxed);
  if (!stream.give_body(piece_, false)) pause();
}

void RequestIntake::refuse(TimePoint now) {
  std::string().swap(request_.body);
  memory_.release();
  if (state() != RequestReader::State::kIdle && state() != RequestReader::State::kHead) return;
  target_.reset();
  request_.arrived = now;
  request_.client = client_;
  request_.scheme = scheme_;
}

void RequestIntake::end_exchange() {
  mode_ = BodyMode::kWhole;
  if (request_.body.capacity() > kKeptBody) std::string().swap(request_.body);
  memory_.release();
}

bool RequestIntake::resume() {
  if (mode_ != BodyMode::kPaused) return false;
  mode_ = is_tunnel_ ? BodyMode::kTunnel : BodyMode::kStreamed;
  return true;
}

std::unique_ptr<RequestReader::Backlog> RequestIntake::take_backlog() {
  mode_ = BodyMode::kInflating;
  return reader_.take_backlog();
}

void RequestIntake::restore(std::unique_ptr<RequestReader::Backlog> backlog) {
  mode_ = BodyMode::kWhole;
  reader_.restore(std::move(backlog));
}

}  // namespace bentohost::http
