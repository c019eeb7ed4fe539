#include "runner_rpc/connection.h"

#include <rapidjson/document.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "json/json.h"
#include "plugin/io_check.h"
#include "runner_rpc/directory.h"
#include "service/live_service.h"

namespace bentohost::runner_rpc {
namespace {

constexpr int kReadsPerTurn = 16;
constexpr std::size_t kMaxHello = 4096;
constexpr std::size_t kMaxIdleOutput = 256u << 10;  // memory that an idle connection may keep

// In a time that depends on the lengths alone.
bool is_same(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i] ^ (b.empty() ? '\0' : b[i % b.size()]));
  }
  return difference == 0;
}

std::string text_of(const rapidjson::Value& object, const char* key) {
  const auto found = object.FindMember(key);
  if (found == object.MemberEnd() || !found->value.IsString()) return {};
  return {found->value.GetString(), found->value.GetStringLength()};
}

// The media type of bytes that come without one.
std::string_view declared_type(const plugin::IoSpec& out) {
  if (out.descriptor == "text") return "text/plain";
  return plugin::is_media_pattern(out.mime) ? std::string_view() : std::string_view(out.mime);
}

}  // namespace

// A call in flight: also the lease on the generation that it uses.
struct Connection::PendingCall {
  PendingCall(std::shared_ptr<Connection> from, std::uint64_t its_id, std::size_t its_bytes,
              std::string_view its_request_id)
      : connection(std::move(from)), id(its_id), bytes(its_bytes), request_id(its_request_id) {
    connection->server_->calls.fetch_add(1);
  }
  ~PendingCall() {
    if (routes != nullptr) routes->service().leases.fetch_sub(1, std::memory_order_relaxed);
    connection->server_->calls.fetch_sub(1);
  }
  PendingCall(const PendingCall&) = delete;
  PendingCall& operator=(const PendingCall&) = delete;

  void hold(service::ServiceRoutesPtr held) {
    routes = std::move(held);
    routes->service().leases.fetch_add(1, std::memory_order_relaxed);
  }

  const std::shared_ptr<Connection> connection;
  const std::uint64_t id;
  const std::size_t bytes;
  const std::string request_id;
  service::ServiceRoutesPtr routes;
  runner::Target target;
  std::atomic<bool> cancelled = false;
};

Connection::Connection(std::shared_ptr<ServerState> server, std::shared_ptr<EventLoop> loop,
                       UniqueFd fd, std::string token, bool is_guest)
    : server_(std::move(server)),
      loop_(std::move(loop)),
      fd_(std::move(fd)),
      token_(std::move(token)),
      is_guest_(is_guest),
      timer_(loop_->timers(), *this) {}

Connection::~Connection() = default;

void Connection::open() {
  timer_.set(loop_->clock().now() + server_->options.hello_timeout);
  const Status status =
      loop_->watch(fd_.get(), EPOLLIN,
                   [self = shared_from_this()](std::uint32_t events) { self->on_events(events); });
  if (!status.ok()) give_up(status);
}

void Connection::refuse_too_many() {
  give_up(
      Status(BENTO_RESOURCE_EXHAUSTED, "too many clients are connected to the host's runners: " +
                                           std::to_string(server_->options.max_connections)));
}

void Connection::close() {
  std::vector<PendingPtr> cancelled;
  {
    const MutexLock lock(mutex_);
    if (std::exchange(is_closed_, true)) return;
    for (const auto& [id, call] : calls_) {
      call->cancelled = true;
      cancelled.push_back(call);
    }
  }
  timer_.clear();
  const auto self = shared_from_this();  // unwatch() lets go of the watcher's
  loop_->unwatch(fd_.get());
  ::shutdown(fd_.get(), SHUT_RDWR);  // the descriptor itself is closed when no call needs it
  server_->remove(self, is_guest_);
}

void Connection::on_events(std::uint32_t events) {
  bool is_paused = false;
  {
    const MutexLock lock(mutex_);
    if (is_closed_) return;
    if ((events & EPOLLOUT) != 0) flush_locked();
    is_paused = is_paused_;
  }
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return;
  if (!is_paused) return read();
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) close();
}

void Connection::on_timer() {
  give_up(Status(BENTO_DEADLINE_EXCEEDED,
                 "no hello came within " + seconds_text(server_->options.hello_timeout)));
}

// ---- reading -----------------------------------------------------------------------------------

void Connection::read() {
  for (int i = 0; i < kReadsPerTurn; ++i) {
    const std::span<char> room = reader_.writable();
    const ssize_t n = ::recv(fd_.get(), room.data(), room.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n <= 0) return close();
    reader_.commit(static_cast<std::size_t>(n));
    take_frames();
    const MutexLock lock(mutex_);
    if (is_closed_ || is_paused_) return;
    if (static_cast<std::size_t>(n) < room.size()) break;
  }
  reader_.recycle();
}

void Connection::take_frames() {
  const auto is_too_long = [this](std::size_t size) {
    return size > (has_said_hello_ ? server_->options.max_frame : kMaxHello);
  };
  while (!pause_if_full()) {
    auto frame = reader_.next();
    if (!frame.ok()) return give_up(frame.status());
    const std::size_t size =
        frame->has_value() ? wire::kHeaderSize + (**frame).body.size() : reader_.pending();
    if (is_too_long(size)) {
      return give_up(Status::with_http(
          413, BENTO_INVALID_ARGUMENT,
          has_said_hello_ ? "a frame is longer than " + std::to_string(server_->options.max_frame) +
                                " bytes (--max-body)"
                          : "the hello is too long"));
    }
    if (!frame->has_value()) return;
    on_frame(**frame);
  }
}

// Also when it is closed.
bool Connection::pause_if_full() {
  const ServerOptions& options = server_->options;
  const MutexLock lock(mutex_);
  if (is_closed_ || is_paused_) return true;
  is_paused_ = calls_.size() >= options.max_calls || input_bytes_ >= options.max_input_bytes ||
               unsent_locked() >= options.max_output_bytes;
  if (is_paused_) set_events_locked();
  return is_paused_;
}

void Connection::resume_if_roomy_locked() {
  const ServerOptions& options = server_->options;
  // Not at each call that ends: that would be an event for each frame.
  const auto is_roomy = [](std::size_t used, std::size_t most) { return used <= most - most / 4; };
  if (!is_paused_ || is_resuming_ || is_closed_ || !is_roomy(calls_.size(), options.max_calls) ||
      !is_roomy(input_bytes_, options.max_input_bytes) ||
      !is_roomy(unsent_locked(), options.max_output_bytes)) {
    return;
  }
  is_resuming_ = true;
  loop_->post([self = shared_from_this()] { self->resume(); });
}

void Connection::resume() {
  {
    const MutexLock lock(mutex_);
    is_resuming_ = false;
    if (is_closed_) return;
    is_paused_ = false;
    set_events_locked();
  }
  take_frames();  // those that have been read already; an event tells of others
}

void Connection::on_frame(const wire::FrameReader::Frame& frame) {
  if (!has_said_hello_) return on_hello(frame);
  switch (frame.header.type) {
    case wire::FrameType::kNamedCall:
      return on_call(frame);
    case wire::FrameType::kCancel:
      return on_cancel(frame.header.id);
    case wire::FrameType::kList:
      return on_list(frame.header.id);
    default:
      return give_up(
          Status(BENTO_INVALID_ARGUMENT,
                 "a client sends calls, cancels and lists after its hello, no frames of type " +
                     std::to_string(static_cast<int>(frame.header.type))));
  }
}

void Connection::on_hello(const wire::FrameReader::Frame& frame) {
  if (frame.header.type != wire::FrameType::kHello) {
    return give_up(Status(BENTO_UNAUTHENTICATED, "the first frame must be a hello"));
  }
  auto hello = parse_json({frame.body.data(), frame.body.size()});
  if (!hello.ok() || !hello->IsObject()) {
    return give_up(Status(BENTO_INVALID_ARGUMENT, "the hello is no JSON object"));
  }
  const rapidjson::Value& said = *hello;
  const auto protocol = said.FindMember("protocol");
  if (protocol == said.MemberEnd() || !protocol->value.IsInt() ||
      protocol->value.GetInt() != kProtocolVersion) {
    return give_up(Status(BENTO_FAILED_PRECONDITION,
                          "this host speaks version " + std::to_string(kProtocolVersion) +
                              " of the protocol; use the bento_runner package that comes with "
                              "bentohost " +
                              server_->options.host_version));
  }
  if (!token_.empty() && !is_same(text_of(said, "token"), token_)) {
    return give_up(Status(BENTO_UNAUTHENTICATED,
                          "the token is wrong; it is in BENTO_RUNNER_TOKEN of the host's apps"));
  }
  has_said_hello_ = true;
  timer_.clear();
  const std::string answer = "{\"protocol\":" + std::to_string(kProtocolVersion) + ",\"host\":\"" +
                             server_->options.host_version +
                             "\",\"max_frame\":" + std::to_string(server_->options.max_frame) +
                             ",\"timeout\":" + std::to_string(seconds(server_->options.timeout)) +
                             "}";
  const MutexLock lock(mutex_);
  wire::FrameWriter writer(out_, wire::FrameType::kHello, frame.header.id, 0);
  writer.text(answer);
  (void)writer.finish();
  schedule_flush_locked();
}

void Connection::on_call(const wire::FrameReader::Frame& frame) {
  wire::CallTarget target;
  if (Status status = wire::decode_named_call(frame.body, target, decoded_); !status.ok()) {
    return give_up(status);
  }
  const std::uint64_t id = frame.header.id;
  if (server_->refuses_all.load() || (is_guest_ && server_->refuses_guests.load())) {
    const MutexLock lock(mutex_);
    write_error(id, Status(BENTO_UNAVAILABLE, "the host is stopping"), kNotBegun);
    return;
  }
  const auto pending =
      std::make_shared<PendingCall>(shared_from_this(), id, frame.body.size(), target.request_id);
  bool is_new = false;
  {
    const MutexLock lock(mutex_);
    is_new = calls_.emplace(id, pending).second;
    if (is_new) input_bytes_ += pending->bytes;
  }
  if (!is_new) {
    return give_up(Status(BENTO_INVALID_ARGUMENT,
                          "a call with the id " + std::to_string(id) + " is in flight already"));
  }
  submit(target, pending);
}

void Connection::submit(const wire::CallTarget& target, const PendingPtr& pending) {
  auto resolved = resolve(*server_->options.routes(), target);
  if (!resolved.ok()) return complete(pending, {resolved.status(), {}});
  pending->hold(std::move(resolved->routes));
  pending->target = resolved->target;
  std::vector<wire::Value> inputs;
  inputs.reserve(decoded_.values.size());
  for (const bento_value& view : decoded_.values) {
    auto value = wire::Value::copy(view);
    if (!value.ok()) return complete(pending, {value.status(), {}});
    inputs.push_back(*std::move(value));
  }
  Duration left = server_->options.timeout;
  if (target.deadline_ms != 0) {
    left = std::min<Duration>(left, std::chrono::milliseconds(target.deadline_ms));
  }
  const auto calls = runner::Client::submit(
      pending->target, std::move(inputs),
      {loop_->now() + left, {pending, &pending->cancelled}, pending->request_id},
      [pending](const runner::CallResult& result) {
        pending->connection->complete(pending, result);
      });
  if (!calls.ok()) complete(pending, {calls.status(), {}});
}

void Connection::on_cancel(std::uint64_t id) {
  const MutexLock lock(mutex_);
  const auto found = calls_.find(id);
  if (found != calls_.end()) found->second->cancelled = true;
}

void Connection::on_list(std::uint64_t id) {
  const std::string text = listing(*server_->options.routes());
  bento_value value{};
  value.size = sizeof value;
  value.kind = BENTO_JSON;
  value.bytes = {text.data(), text.size()};
  const MutexLock lock(mutex_);
  write_result(id, {&value, 1}, {});
}

void Connection::give_up(const Status& why) {
  log_warning("a client of the runners is cut off: " + why.message());
  {
    const MutexLock lock(mutex_);
    if (is_closed_) return;
    write_error(0, why);
    flush_locked();
  }
  close();
}

// ---- results -----------------------------------------------------------------------------------

void Connection::complete(const PendingPtr& pending, const runner::CallResult& result) {
  const bool is_wanted = !pending->cancelled.load();
  if (is_wanted && result.status.http_status() == 500 && !result.status.ok()) {
    const plugin::RunnerSpec& runner = pending->target.pool->spec();
    log_error("a runner call failed: " + result.status.message(),
              {{"service", pending->routes->service().spec().name},
               {"runner", runner.name},
               {"method", pending->target.spec().name},
               {"request_id", pending->request_id}});
  }
  const MutexLock lock(mutex_);
  if (calls_.erase(pending->id) != 0) input_bytes_ -= pending->bytes;
  if (is_wanted && !is_closed_) {
    if (unsent_locked() > server_->options.max_output_bytes + server_->options.max_frame) {
      write_error(pending->id, Status(BENTO_RESOURCE_EXHAUSTED, "the client reads no results"));
    } else if (result.status.ok()) {
      write_result(pending->id, result.values, pending->target.spec().outs);
    } else {
      write_error(pending->id, result.status);
    }
  }
  resume_if_roomy_locked();
}

void Connection::write_result(std::uint64_t id, std::span<const bento_value> values,
                              std::span<const plugin::IoSpec> declared) {
  wire::FrameWriter writer(out_, wire::FrameType::kResult, id, 0);
  writer.value_count(static_cast<std::uint32_t>(values.size()));
  Status bad;
  for (std::size_t i = 0; i < values.size(); ++i) {
    bento_value value = values[i];
    bad = wire::check_value(value);
    if (!bad.ok()) break;
    if (value.kind == BENTO_BYTES && value.mime.len == 0 && !declared.empty())
      value.mime = to_bento(declared_type(declared[std::min(i, declared.size() - 1)]));
    writer.value(value);
  }
  if (writer.finish()) return schedule_flush_locked();
  write_error(id, bad.ok() ? Status(BENTO_INTERNAL, "the result is too large for a frame")
                           : Status(BENTO_INTERNAL, "the result is malformed: " + bad.message()));
}

void Connection::write_error(std::uint64_t id, const Status& error, std::uint32_t begun) {
  wire::FrameWriter writer(out_, wire::FrameType::kError, id, begun);
  writer.error(error);
  (void)writer.finish();
  schedule_flush_locked();
}

// At the end of the turn of whichever loop this is, so that the results of one turn are one write.
void Connection::schedule_flush_locked() {
  if (is_flush_scheduled_ || wants_to_write_) return;
  is_flush_scheduled_ = true;
  if (EventLoop* const current = EventLoop::current(); current != nullptr) {
    held_for_flush_ = shared_from_this();
    return current->at_turn_end(*this);
  }
  loop_->post([self = shared_from_this()] { self->on_turn_end(); });
}

void Connection::on_turn_end() {
  std::shared_ptr<Connection> held;  // let go of when the mutex is free again
  const MutexLock lock(mutex_);
  held.swap(held_for_flush_);
  is_flush_scheduled_ = false;
  flush_locked();
}

void Connection::flush_locked() {
  while (!is_closed_ && unsent_locked() != 0) {
    const ssize_t n =
        ::send(fd_.get(), out_.data() + sent_, unsent_locked(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) {
      sent_ += static_cast<std::size_t>(n);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) break;
    // The reader learns of it as well, but not while it is paused.
    loop_->post([self = shared_from_this()] { self->close(); });
    out_.clear();
    sent_ = 0;
  }
  if (unsent_locked() == 0) {
    out_.clear();
    sent_ = 0;
    if (out_.capacity() > kMaxIdleOutput) AlignedBuffer().swap(out_);
  } else if (const std::size_t done = sent_ / kDataAlignment * kDataAlignment;
             done >= out_.size() / 2) {
    out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(done));
    sent_ -= done;
  }
  if (const bool has_more = unsent_locked() != 0; has_more != wants_to_write_) {
    wants_to_write_ = has_more;
    set_events_locked();
  }
  resume_if_roomy_locked();
}

void Connection::set_events_locked() {
  if (is_closed_) return;
  const std::uint32_t in = is_paused_ ? 0u : static_cast<std::uint32_t>(EPOLLIN);
  const std::uint32_t out = wants_to_write_ ? static_cast<std::uint32_t>(EPOLLOUT) : 0u;
  loop_->set_events(fd_.get(), in | out);
}

}  // namespace bentohost::runner_rpc
