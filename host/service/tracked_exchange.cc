#include "service/tracked_exchange.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <limits>
#include <random>
#include <utility>

#include "base/log.h"
#include "http/problem.h"
#include "http/trace_context.h"
#include "observe/sharded.h"
#include "service/live_service.h"

namespace bentohost::service {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014), seeded by the system for each thread: ids need to be
// unlikely to repeat, not unguessable.
std::uint64_t next_id() {
  thread_local std::uint64_t state = [] {
    std::random_device device;
    return (std::uint64_t{device()} << 32) ^ device();
  }();
  std::uint64_t z = (state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// The eight digits of 32 bits, all at once: the first one is in the highest byte.
std::uint64_t hex8(std::uint64_t value) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u;
  value = (value | value << 16) & 0x0000ffff0000ffffu;
  value = (value | value << 8) & 0x00ff00ff00ff00ffu;
  value = (value | value << 4) & 0x0f0f0f0f0f0f0f0fu;
  const std::uint64_t letters = ((value + 6 * kOnes) >> 4) & kOnes;  // 1 for 10 and above
  return value + '0' * kOnes + letters * ('a' - 10 - '0');
}

std::array<char, 16> hex16(std::uint64_t value) {
  std::array<std::uint64_t, 2> words = {hex8(value >> 32), hex8(value & 0xffffffffu)};
  if constexpr (std::endian::native == std::endian::little) {
    for (std::uint64_t& word : words) word = __builtin_bswap64(word);
  }
  return std::bit_cast<std::array<char, 16>>(words);
}

// A client's id is used when it is short and can break neither a log line nor a header.
bool is_usable_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.';
  });
}

// While a streamed body is arriving, the time of its end is not known.
TimePoint due(const http::Request& request, const RequestDeps& deps) {
  if (request.is_arriving) {
    return request.arrived + deps.body_timeout + deps.timeout;
  }
  return std::max(request.arrived, request.completed) + deps.timeout;
}

}  // namespace

TrackedExchange::TrackedExchange(RequestDeps& deps, http::Exchange& front)
    : ExchangeDecorator(front),
      deps_(deps),
      gone_(front.cancelled()),
      deadline_(due(front.request(), deps).time_since_epoch().count()) {
  const std::string_view given = http::find_header(request().headers, "x-request-id");
  if (is_usable_id(given)) {
    given_id_ = given;
  } else {
    own_id_ = hex16(next_id());
  }
  deps_.metrics.in_flight().add(1);
}

TrackedExchange::~TrackedExchange() {
  if (lease_ != nullptr) lease_->leases.fetch_sub(1, std::memory_order_relaxed);
}

void TrackedExchange::release_hold() {
  if (--holds_ != 0) return;
  if (is_stream_) {
    deps_.open_streams.fetch_sub(1);
    return deps_.metrics.open_streams().add(-1);
  }
  deps_.metrics.in_flight().add(-1);
  if (lease_ != nullptr) deps_.slots.fetch_sub(1);
}

Status TrackedExchange::begin_stream() {
  if (is_stream_) return {};
  if (deps_.open_streams.fetch_add(1) >= deps_.max_streams) {
    deps_.open_streams.fetch_sub(1);
    return Status(BENTO_UNAVAILABLE,
                  "the server is overloaded: " + std::to_string(deps_.max_streams) +
                      " streams are open (--max-streams)");
  }
  is_stream_ = true;
  deps_.metrics.open_streams().add(1);
  deps_.metrics.in_flight().add(-1);
  if (lease_ != nullptr) deps_.slots.fetch_sub(1);
  return {};
}

bool TrackedExchange::is_over() const {
  return gone_->load(std::memory_order_relaxed) || deps_.clock.now() >= deadline();
}

Status TrackedExchange::over() const {
  if (deps_.clock.now() >= deadline()) {
    return Status(BENTO_DEADLINE_EXCEEDED,
                  has_work_begun_ ? "the request's deadline has passed"
                                  : "no thread was free before the request's deadline");
  }
  if (gone_->load()) return Status(BENTO_CANCELLED, "the client is gone");
  return {};
}

void TrackedExchange::lease(std::shared_ptr<const LiveService> service) {
  lease_ = std::move(service);
  lease_->leases.fetch_add(1, std::memory_order_relaxed);
  deps_.slots.fetch_add(1);
  deps_.unanswered.fetch_add(1);
}

void TrackedExchange::tighten_deadline(std::uint64_t deadline_ns) {
  if (deadline_ns == 0 || deadline_ns > std::uint64_t{std::numeric_limits<Duration::rep>::max()}) {
    return;
  }
  const TimePoint when{Duration(static_cast<Duration::rep>(deadline_ns))};
  if (bring_forward(when)) outer().tighten_deadline(when + kLateGrace);
}

bool TrackedExchange::bring_forward(TimePoint when) {
  const Duration::rep ticks = when.time_since_epoch().count();
  Duration::rep present = deadline_;
  while (ticks < present) {
    if (deadline_.compare_exchange_weak(present, ticks)) return true;
  }
  return false;
}

TimePoint TrackedExchange::on_whole_body(TimePoint now) {
  (void)bring_forward(now + deps_.timeout);
  return deadline() + kLateGrace;
}

void TrackedExchange::answer_by_deadline(std::shared_ptr<TrackedExchange> self) {
  outer().answer_by(deadline() + kLateGrace, std::move(self));
}

Status TrackedExchange::defer(const std::shared_ptr<const LiveService>& service,
                              const BackgroundTask& task) {
  if (deps_.background == nullptr) {
    return Status(BENTO_UNIMPLEMENTED, "there are no background tasks here");
  }
  if (tasks_ == nullptr) {
    tasks_ = std::make_shared<BackgroundRow>(*deps_.background, service, std::string(request_id()),
                                             request().method, request().path);
    tasks_->set_http_client(deps_.http_client, http::traceparent(request().headers));
    outer().after_sent([row = tasks_] { row->begin(row); });
  }
  return tasks_->add(task);
}

bool TrackedExchange::begin_answer() {
  if (is_begun_) return true;
  is_begun_ = !has_begun_.exchange(true);
  is_in_vain_ = !is_begun_;
  return is_begun_;
}

void TrackedExchange::take_back_answer() {
  is_begun_ = false;
  has_begun_ = false;
}

// The response from further in: by then the handler has returned, or is at work.
void TrackedExchange::end_answer(int status, std::size_t response_bytes) {
  if (!is_in_vain_) note_end(status, response_bytes);
  release_hold();
}

void TrackedExchange::respond(http::Response&& response) {
  if (begin_answer()) outer().set_request_id(request_id());
  end_answer(response.status, response.body.size());
  outer().respond(std::move(response));
}

Status TrackedExchange::start(http::Response response) {
  if (!begin_answer()) return Status(BENTO_CANCELLED, "the request was already answered 504");
  outer().set_request_id(request_id());
  streamed_status_ = response.status;
  streamed_bytes_ = response.body.size();
  Status status = outer().start(std::move(response));
  // A request whose response could not be started can still be answered otherwise.
  if (!status.ok() && status.code() != BENTO_CANCELLED) take_back_answer();
  return status;
}

Status TrackedExchange::write(std::string_view bytes, bool more) {
  streamed_bytes_ += bytes.size();
  if (!more) end_answer(streamed_status_, streamed_bytes_);
  return outer().write(bytes, more);
}

void TrackedExchange::abort() {
  end_answer(streamed_status_, streamed_bytes_);
  outer().abort();
}

std::optional<http::Response> TrackedExchange::late() {
  if (has_begun_.exchange(true)) return std::nullopt;
  const Status status = over();
  log_warning(
      has_work_begun_ ? "a handler has not answered by the request's deadline" : status.message(),
      {{"path", request().path}, {"request_id", request_id()}});
  http::Response response = http::problem(504, status.message(), request().path, request_id());
  if (show_late_) show_late_(response);
  response.headers.push_back({"X-Request-Id", std::string(request_id())});
  note_end(response.status, response.body.size());
  return response;
}

// Call before the outer exchange ends: then its request may be gone.
void TrackedExchange::note_end(int status, std::size_t response_bytes) {
  const http::Request& from = request();
  const Duration took = deps_.clock.now() - from.arrived;
  const RouteLabel& label = *label_.load();
  const std::size_t request_bytes = outer().body_bytes();
  if (http::is_bodiless(from.method, status)) response_bytes = 0;
  label.metrics->observe(from.method, status, took, request_bytes, response_bytes);
  if (deps_.access_log != nullptr) {
    deps_.access_log->write({from.client, from.method, from.path, label.route, request_id(), status,
                             request_bytes, response_bytes, took});
  }
  if (lease_ != nullptr) deps_.unanswered.fetch_sub(1);
}

}  // namespace bentohost::service
