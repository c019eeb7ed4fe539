// TrackedExchange: the host's duties around one exchange, outside of everything that a plugin can
// change: its id, its deadline, its slot among the requests in flight, its lease on the service,
// and at its end the metrics, the access log and the background tasks. Everything further in
// answers this exchange, and it passes the response on to the connection.
//
// The deadline counts from the end of the request's body: until then --body-timeout and --min-rate
// are its limits. At the deadline, waiting work is dropped, runner calls end, and cancelled() turns
// true; a handler that has not answered kLateGrace later is answered for.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "http/message.h"
#include "service/background.h"
#include "service/exchange_decorator.h"
#include "service/request_deps.h"
#include "service/route_labels.h"

namespace bentohost::service {

class TrackedExchange final : public ExchangeDecorator, public http::DeadlineResponder {
 public:
  TrackedExchange(RequestDeps& deps, http::Exchange& front);
  ~TrackedExchange();

  // The time after the deadline for pools and handlers that keep it themselves to answer in their
  // own words, through the service's middleware. A pool's tick and a turn of a busy loop fit in.
  static constexpr Duration kLateGrace = std::chrono::milliseconds(250);

  std::string_view request_id() const {
    return given_id_.empty() ? std::string_view(own_id_.data(), own_id_.size()) : given_id_;
  }
  TimePoint deadline() const { return TimePoint(Duration(deadline_.load())); }
  // As cancelled(), without another owner.
  const std::shared_ptr<const std::atomic<bool>>& gone() const { return gone_; }
  // [any] Why nobody waits for this request's work any more; OK: the client still waits.
  Status over() const;
  bool is_over() const;
  // A response has begun. Before the handler has answered, only late() can have begun it.
  bool has_answer() const { return has_begun_; }
  // [its handler's thread] The handler has ended its response before it was whole because the
  // request was cancelled: that is no failure, and each layer may log it as none.
  void note_cancelled() { was_cancelled_ = true; }
  bool was_cancelled() const { return was_cancelled_; }
  // The request's work has begun, on a thread or as an asynchronous call.
  void note_begun() { has_work_begun_ = true; }

  // While an AtWork lives, a handler is at work, and the request keeps its slot, answered or not.
  // It must not outlive the tracked exchange.
  class AtWork {
   public:
    explicit AtWork(TrackedExchange& tracked) : tracked_(tracked) { ++tracked_.holds_; }
    ~AtWork() { tracked_.release_hold(); }
    AtWork(const AtWork&) = delete;
    AtWork& operator=(const AtWork&) = delete;

   private:
    TrackedExchange& tracked_;
  };

  // The label lives as long as the dispatcher.
  void set_label(const RouteLabel* label) { label_ = label; }
  // From now on the request has a slot, and a lease on the service for as long as this lives.
  void lease(std::shared_ptr<const LiveService> service);
  // Brings the deadline forward. A later deadline, or none (UINT64_MAX, 0), changes nothing.
  void tighten_deadline(std::uint64_t deadline_ns);
  // [loop] The request will be answered 504 if no response has begun kLateGrace after its deadline.
  // `self` is this one.
  void answer_by_deadline(std::shared_ptr<TrackedExchange> self);
  // [loop] `f` may change the response that late() sends in place of a handler's. Code that calls
  // hooks with a response calls begin_answer() before, so that only one of the two does it.
  void show_late_to(std::function<void(http::Response&)> f) { show_late_ = std::move(f); }
  // A handler is about to stream the response: the request leaves its slot, and is one of the open
  // streams from now on. UNAVAILABLE (503): there are too many.
  Status begin_stream();
  // Claims the request for the handler's response. False: late() has answered it.
  bool begin_answer();
  // Undoes begin_answer(): the response could not be started.
  void take_back_answer();
  // Before the last piece of the response: adds a task to run after it. RESOURCE_EXHAUSTED when too
  // many wait; the caller then still owns what the task holds.
  Status defer(const std::shared_ptr<const LiveService>& service, const BackgroundTask& task);

  // http::Exchange
  void respond(http::Response&& response) override;
  Status start(http::Response response) override;
  Status write(std::string_view bytes, bool more) override;
  void abort() override;
  using ExchangeDecorator::tighten_deadline;

  // http::DeadlineResponder
  std::optional<http::Response> late() override;
  TimePoint on_whole_body(TimePoint now) override;

 private:
  void end_answer(int status, std::size_t response_bytes);
  void note_end(int status, std::size_t response_bytes);
  bool bring_forward(TimePoint when);
  void release_hold();

  RequestDeps& deps_;
  std::string given_id_;           // the client's, if it is usable
  std::array<char, 16> own_id_{};  // otherwise
  const std::shared_ptr<const std::atomic<bool>> gone_;
  std::atomic<Duration::rep> deadline_;
  std::atomic<const RouteLabel*> label_ = nullptr;
  std::shared_ptr<const LiveService> lease_;  // null: none
  std::atomic<bool> has_begun_ = false;       // a response has begun: a handler's, or late()'s
  std::atomic<bool> has_work_begun_ = false;
  bool is_begun_ = false;       // by a handler
  bool was_cancelled_ = false;  // see note_cancelled()
  bool is_in_vain_ = false;     // late() was first: this response goes nowhere
  std::atomic<int> holds_ = 1;  // on its slot: one until it is answered, one for each AtWork
  bool is_stream_ = false;      // its slot is that of a stream
  std::function<void(http::Response&)> show_late_;
  int streamed_status_ = 0;
  std::size_t streamed_bytes_ = 0;
  std::shared_ptr<BackgroundRow> tasks_;
};

}  // namespace bentohost::service
