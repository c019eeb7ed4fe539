#include "service/fetch_ticket.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "http/message.h"
#include "http/syntax.h"
#include "observe/sharded.h"
#include "plugin/ticket.h"

namespace bentohost::service {
namespace {

constexpr Duration kTimeout = std::chrono::seconds(30);
constexpr Duration kConnectTimeout = std::chrono::seconds(5);
constexpr std::uint64_t kMaxResponse = 16u << 20;
// Of a body in pieces: what is read ahead of the plugin.
constexpr std::size_t kMaxAhead = 256u << 10;

// Counts one fetch.
class FetchCount {
 public:
  FetchCount(observe::Metrics& metrics, const Clock& clock, std::string_view service)
      : metrics_(metrics), clock_(clock), service_(service), handles_(metrics.fetches(service)) {
    handles_.in_flight->add(1);
  }
  ~FetchCount() { end("cancelled"); }
  FetchCount(const FetchCount&) = delete;
  FetchCount& operator=(const FetchCount&) = delete;

  // [any] The first call counts.
  void end(std::string_view outcome) {
    if (has_ended_.exchange(true)) return;
    handles_.in_flight->add(-1);
    handles_.duration->observe(std::chrono::duration<double>(clock_.now() - begun_).count());
    metrics_.fetch_requests(service_, outcome).add(1);
  }

 private:
  observe::Metrics& metrics_;
  const Clock& clock_;
  const std::string service_;
  const observe::FetchMetrics handles_;
  const TimePoint begun_ = clock_.now();
  std::atomic<bool> has_ended_ = false;
};

// The response comes on a loop of the client's, which may be another one than the plugin's.
class FetchTicket final : public plugin::Ticket, public http::FetchUser {
 public:
  FetchTicket(plugin::Waiter its_waiter, const FetchSource& source, bool in_pieces)
      : Ticket(std::move(its_waiter)),
        count_(*source.metrics, *source.clock, source.service),
        in_pieces_(in_pieces) {}

  void start(http::Client& client, http::FetchRequest request) {
    handle_ =
        client.start(std::move(request), std::static_pointer_cast<FetchTicket>(shared_from_this()));
  }

  // bento_ticket
  Status event(bento_event* out) override;

 private:
  struct Event {
    std::uint32_t type = BENTO_RESPONSE_BODY;
    int status = 0;
    bool more = true;
    http::Headers headers = {};
    std::string body = {};
  };

  // Ticket
  void let_go() override {
    {
      const MutexLock lock(mutex_);
      if (is_complete_) return;
    }
    count_.end("cancelled");
    handle_.cancel();
  }

  // http::FetchUser
  void on_head(http::Response head) override;
  void on_body(std::string_view piece) override;
  void on_end(http::FetchFailure failure) override;
  bool has_room() const override { return !in_pieces_ || ahead_.load() < kMaxAhead; }

  bool take_event();
  void lend(bento_event* out);

  FetchCount count_;
  const bool in_pieces_;
  http::Client::Handle handle_;
  int status_ = 0;  // the client's loop
  Event whole_;     // likewise: what has come of a response that is wanted whole
  Event current_;   // the plugin's, until its next call
  std::vector<bento_pair> pairs_;
  std::atomic<std::size_t> ahead_ = 0;  // bytes in `events_`

  Mutex mutex_;
  std::deque<Event> events_ BENTO_GUARDED_BY(mutex_);
  bool is_complete_ BENTO_GUARDED_BY(mutex_) = false;
  Status failure_ BENTO_GUARDED_BY(mutex_);
};

// ---- on the client's loop --------------------------------------------------------------------

void FetchTicket::on_head(http::Response head) {
  status_ = head.status;
  Event event{BENTO_RESPONSE_START, head.status, in_pieces_, std::move(head.headers)};
  if (!in_pieces_) return (void)(whole_ = std::move(event));
  bool wakes = false;
  {
    const MutexLock lock(mutex_);
    events_.push_back(std::move(event));
    wakes = mark_ended({});
  }
  if (wakes) deliver();
}

void FetchTicket::on_body(std::string_view piece) {
  if (!in_pieces_) return (void)whole_.body.append(piece);
  bool wakes = false;
  {
    const MutexLock lock(mutex_);
    ahead_ += piece.size();
    if (!events_.empty() && events_.back().type == BENTO_RESPONSE_BODY) {
      events_.back().body.append(piece);
      return;
    }
    events_.push_back({});
    events_.back().body = piece;
    wakes = mark_ended({});
  }
  if (wakes) deliver();
}

void FetchTicket::on_end(http::FetchFailure failure) {
  count_.end(failure ? failure.kind
                     : std::string(1, static_cast<char>('0' + status_ / 100)) + "xx");
  const auto self = shared_from_this();
  bool wakes = false;
  {
    const MutexLock lock(mutex_);
    is_complete_ = true;
    failure_ = std::move(failure.status);
    if (!failure_.ok()) {
      if (!in_pieces_) whole_ = {};
    } else if (!in_pieces_) {
      events_.push_back(std::move(whole_));
    } else if (!events_.empty() && events_.back().type == BENTO_RESPONSE_BODY) {
      events_.back().more = false;
    } else {
      events_.push_back({});
      events_.back().more = false;
    }
    wakes = mark_ended({});
  }
  if (wakes) deliver();
}

// ---- where the plugin uses it ----------------------------------------------------------------

Status FetchTicket::event(bento_event* out) {
  while (true) {
    Status status = await_end();
    if (!status.ok()) return status;
    {
      const MutexLock lock(mutex_);
      if (!events_.empty()) {
        current_ = std::move(events_.front());
        events_.pop_front();
        if (events_.empty() && !is_complete_) reopen();
        break;
      }
      if (!failure_.ok()) return failure_;
      if (is_complete_) return Status(BENTO_FAILED_PRECONDITION, "the response has ended");
      reopen();
    }
  }
  lend(out);
  if (!in_pieces_) return {};
  const std::size_t was_ahead = ahead_.fetch_sub(current_.body.size());
  if (was_ahead >= kMaxAhead && was_ahead - current_.body.size() < kMaxAhead) handle_.resume();
  return {};
}

void FetchTicket::lend(bento_event* out) {
  pairs_.clear();
  for (const http::Header& header : current_.headers) {
    pairs_.push_back({to_bento(header.name), to_bento(header.value)});
  }
  out->type = current_.type;
  out->status = static_cast<std::uint32_t>(current_.status);
  out->more = current_.more ? 1 : 0;
  out->headers = {pairs_.data(), pairs_.size()};
  out->body = {current_.body.data(), current_.body.size()};
}

// ---- the request -----------------------------------------------------------------------------

bool has_field(const http::Headers& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(), [name](const http::Header& header) {
    return http::equals_ignoring_case(header.name, name);
  });
}

Duration duration_or(std::uint64_t ns, Duration otherwise) {
  constexpr auto kLongest = static_cast<std::uint64_t>(Duration::max().count());
  return ns == 0 ? otherwise : Duration(static_cast<Duration::rep>(std::min(ns, kLongest)));
}

http::FetchLimits limits_of(const FetchSource& source, const bento_fetch& asked, bool in_pieces) {
  http::FetchLimits limits;
  const TimePoint now = source.clock->now();
  const Duration timeout = duration_or(asked.timeout_ns, kTimeout);
  limits.deadline = timeout < kNoDeadline - now ? now + timeout : kNoDeadline;
  limits.late = "no whole response within " + seconds_text(timeout);
  if (source.deadline <= limits.deadline && source.deadline != kNoDeadline) {
    limits.deadline = source.deadline;
    limits.late = "no whole response before the request's own deadline";
  }
  limits.connect_timeout = duration_or(asked.connect_timeout_ns, kConnectTimeout);
  limits.max_body = asked.max_response_bytes != 0 ? asked.max_response_bytes
                    : in_pieces                   ? http::FetchLimits::kNoLimit
                                                  : kMaxResponse;
  return limits;
}

Result<http::FetchRequest> request_of(const FetchSource& source, const bento_fetch& asked) {
  auto url = http::Url::parse(to_view(asked.url));
  if (!url.ok()) return std::move(url).take_status();
  http::FetchRequest request;
  request.url = *std::move(url);
  if (asked.method.len != 0) request.method = to_view(asked.method);
  for (std::size_t i = 0; i < asked.headers.len; ++i) {
    const bento_pair& header = asked.headers.ptr[i];
    request.headers.push_back(
        {std::string(to_view(header.name)), std::string(to_view(header.value))});
  }
  if (Status status = http::check(request); !status.ok()) {
    return std::move(status).prefixed("fetch " + request.url.origin() + ": ");
  }
  const auto add = [&request](const char* name, std::string_view value) {
    if (value.empty() || has_field(request.headers, name)) return;
    request.headers.push_back({name, std::string(value)});
  };
  add("X-Request-Id", source.request_id);
  add("traceparent", source.traceparent);
  if (asked.body.len != 0)
    request.body.assign(static_cast<const char*>(asked.body.ptr), asked.body.len);
  return request;
}

}  // namespace

Result<plugin::TicketPtr> start_fetch(const FetchSource& source, plugin::Waiter waiter,
                                      const bento_fetch& asked) {
  if (source.client == nullptr) {
    return Status(BENTO_UNAVAILABLE, "fetch: there is no HTTP client here");
  }
  if ((asked.flags & ~std::uint32_t{BENTO_FETCH_IN_PIECES}) != 0) {
    return Status(BENTO_INVALID_ARGUMENT, "fetch: a flag that this host does not know");
  }
  const bool in_pieces = (asked.flags & BENTO_FETCH_IN_PIECES) != 0;
  auto request = request_of(source, asked);
  if (!request.ok()) return std::move(request).take_status();
  request->limits = limits_of(source, asked, in_pieces);
  const auto ticket = std::make_shared<FetchTicket>(std::move(waiter), source, in_pieces);
  plugin::TicketPtr handed_out = ticket->hand_out();
  ticket->start(*source.client, *std::move(request));
  return handed_out;
}

}  // namespace bentohost::service
