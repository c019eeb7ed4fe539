// TrackedExchange: the host's duties around one exchange, outside of all that a plugin has a say
// in: its id, its deadline, its slot among those in flight, its lease on the service, and when it
// ends the metrics, the access log and the background tasks. It is the exchange that everything
// further in answers; what it is told goes on to the front.
//
// The deadline counts from the end of the request's body: until then --body-timeout and --min-rate
// are its limits. At the deadline, work that waits is dropped, runner calls end, and handlers that
// ask are told; who has not answered kLateGrace later is answered for.
#pragma once

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
#include "service/request_deps.h"
#include "service/route_labels.h"

namespace bentohost::service {

class TrackedExchange final : public http::Exchange, public http::DeadlineResponder {
 public:
  TrackedExchange(RequestDeps& deps, http::Exchange& front);
  ~TrackedExchange();
  TrackedExchange(const TrackedExchange&) = delete;
  TrackedExchange& operator=(const TrackedExchange&) = delete;

  // What is left at the deadline to those who keep it themselves: to answer in their own words,
  // through the service's middleware. A pool's tick and a turn of a busy loop fit in.
  static constexpr Duration kLateGrace = std::chrono::milliseconds(250);

  std::string_view request_id() const { return request_id_; }
  TimePoint deadline() const { return TimePoint(Duration(deadline_.load())); }
  // [any] Why nobody waits for this request's work any more; OK: somebody does.
  Status over() const;
  bool is_over() const;
  // Somebody has begun to answer: before the one that should, only late() can have.
  bool has_answer() const { return has_begun_; }
  // A thread has come to its work.
  void note_begun() { has_work_begun_ = true; }

  // While one lives, a handler is at work, and the request keeps its slot, answered or not. It must
  // not outlive the tracked exchange.
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
  // From now on it has a slot, and a lease of the service, which lives as long as this does.
  void lease(std::shared_ptr<const LiveService> service);
  // Brings the deadline forward; one that is later, or none (UINT64_MAX, 0), changes nothing.
  void tighten_deadline(std::uint64_t deadline_ns);
  // [loop] It will be answered 504 if nobody has begun to by kLateGrace after its deadline. `self`
  // is this one.
  void answer_by_deadline(std::shared_ptr<TrackedExchange> self);
  // [loop] What is answered in place of a handler is shown to `f` first, which may change it.
  // Whoever shows answers to hooks says begin_answer() before, so that one of the two does it.
  void show_late_to(std::function<void(http::Response&)> f) { show_late_ = std::move(f); }
  // Whoever answers is the first, and begins now. False: late() was.
  bool begin_answer();
  // ... and has come to nothing.
  void take_back_answer();
  // Before the last piece of the answer: a task for after it. RESOURCE_EXHAUSTED when too many
  // wait; what the task holds is then the caller's still.
  Status defer(const std::shared_ptr<const LiveService>& service, const BackgroundTask& task);

  // http::Exchange
  const http::Request& request() const override { return front_.request(); }
  std::string take_body() override { return front_.take_body(); }
  std::size_t body_bytes() const override { return front_.body_bytes(); }
  void respond(http::Response response) override;
  void allow_stream() override { front_.allow_stream(); }
  Result<http::ReceivedBody> receive() override { return front_.receive(); }
  Status start(http::Response response) override;
  Status write(std::string_view bytes, bool more) override;
  void abort() override;
  void after_sent(std::function<void()> f) override { front_.after_sent(std::move(f)); }
  void answer_by(TimePoint when, std::shared_ptr<http::DeadlineResponder> late) override {
    front_.answer_by(when, std::move(late));
  }
  void tighten_deadline(TimePoint when) override { front_.tighten_deadline(when); }
  std::shared_ptr<const std::atomic<bool>> cancelled() const override { return front_.cancelled(); }

  // http::DeadlineResponder
  std::optional<http::Response> late() override;
  TimePoint on_whole_body(TimePoint now) override;

 private:
  void end_answer(int status, std::size_t response_bytes);
  void note_end(int status, std::size_t response_bytes);
  bool bring_forward(TimePoint when);
  void release_hold();

  RequestDeps& deps_;
  http::Exchange& front_;
  std::string request_id_;
  const std::shared_ptr<const std::atomic<bool>> gone_;
  std::atomic<Duration::rep> deadline_;
  std::atomic<const RouteLabel*> label_ = nullptr;
  std::shared_ptr<const LiveService> lease_;  // null: none
  std::atomic<bool> has_begun_ = false;       // somebody answers: a handler, or late()
  std::atomic<bool> has_work_begun_ = false;
  bool is_begun_ = false;       // by a handler
  bool is_in_vain_ = false;     // late() was first, and this answer goes nowhere
  std::atomic<int> holds_ = 1;  // of its slot: the answer's, and of those at work
  std::function<void(http::Response&)> show_late_;
  int streamed_status_ = 0;
  std::size_t streamed_bytes_ = 0;
  std::shared_ptr<BackgroundRow> tasks_;
};

}  // namespace bentohost::service
