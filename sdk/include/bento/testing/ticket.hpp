// Ticket: the bento_ticket of this host, and the `when` of tickets and channels. Part of
// <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/error.hpp>
#include <bento/fetch.hpp>
#include <bento/testing/loop.hpp>
#include <bento/testing/state.hpp>
#include <bento/testing/value.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace bento::testing::internal {

#if BENTO_ABI_TARGET_MINOR >= 1
// Of a fetch's ticket.
struct FetchEvent {
  std::uint32_t type = BENTO_RESPONSE_START;
  bool more = false;
  FetchResponse response = {};
};
#endif

// One thing under way: a runner call, a timer, a promise or work on a thread.
class Ticket : public std::enable_shared_from_this<Ticket> {
 public:
  // `stays`: it ends in its own time, cancelled or not.
  Ticket(RequestState& state, bool stays)
      : state_(state), wake_(state.environment.loop, state), stays_(stays) {}
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;
  ~Ticket() { state_.environment.loop.cancel(timer_); }

  // The plugin's ticket is a reference to it.
  static bento_ticket* give(std::shared_ptr<Ticket> ticket) {
    return reinterpret_cast<bento_ticket*>(new std::shared_ptr<Ticket>(std::move(ticket)));
  }
  static Ticket& of(bento_ticket* ticket) {
    return **reinterpret_cast<std::shared_ptr<Ticket>*>(ticket);
  }
  static void release(bento_ticket* ticket) {
    Ticket& self = of(ticket);
    self.wake_.forget();
    if (self.on_release) std::exchange(self.on_release, nullptr)();
    delete reinterpret_cast<std::shared_ptr<Ticket>*>(ticket);
  }

  // A result; others may follow.
  void push(Values values) {
    results_.push_back(std::move(values));
    wake_.tell();
  }
  // The end, with a last result if there is one.
  void end(Values values, std::optional<Error> error) {
    if (!values.empty()) results_.push_back(std::move(values));
    error_ = std::move(error);
    has_ended_ = true;
    wake_.tell();
  }
  void end() { end({}, std::nullopt); }
  // Ends it when the clock has moved on by this.
  void end_after(Loop::Time time, Values values = {}, std::optional<Error> error = {}) {
    Loop& loop = state_.environment.loop;
    const auto kept = std::make_shared<Values>(std::move(values));
    timer_ = loop.at(loop.now() + time, [weak = weak_from_this(), kept, error] {
      if (const auto self = weak.lock()) self->end(std::move(*kept), error);
    });
  }

  bool when(void (*wake)(void*), void* arg) {
    if (is_ready()) return false;
    wake_.ask(wake, arg);
    return true;
  }
  // The first result again and again, or the next one.
  std::span<const bento_value* const> wait() {
    if (state_.is_on_loop) {
      detail::misuse(BENTO_FAILED_PRECONDITION,
                     "wait() would hold up an event loop and all its connections: ask when(), and "
                     "then next()");
    }
    if (!std::exchange(is_first_, true)) (void)take();
    return pointers_;
  }
#if BENTO_ABI_TARGET_MINOR >= 1
  void set_events(std::vector<FetchEvent> events) { events_ = std::move(events); }
  void event(bento_event* out) {
    if (state_.is_on_loop && !is_ready()) throw Error(kPending, "nothing is there yet");
    while (!is_ready()) state_.environment.wait(state_);
    check_cancelled();
    if (error_) throw *error_;
    if (next_event_ == events_.size()) {
      detail::misuse(BENTO_FAILED_PRECONDITION, "the response has ended");
    }
    const FetchEvent& event = events_[next_event_++];
    pairs_ = event.response.headers.abi();
    out->type = event.type;
    out->status = static_cast<std::uint32_t>(event.response.status);
    out->more = event.more ? 1 : 0;
    out->headers = {pairs_.data(), pairs_.size()};
    out->body = {event.response.body.data(), event.response.body.size()};
  }
#endif
  std::span<const bento_value* const> next() {
    if (state_.is_on_loop && !is_ready()) throw Error(kPending, "nothing is there yet");
    return std::exchange(is_first_, false) ? pointers_ : take();
  }

  std::function<void()> on_take, on_release;  // of a call of an engine

 private:
  bool is_ready() const {
    return !results_.empty() || has_ended_ || (state_.cancel_code != BENTO_OK && !stays_);
  }
  void check_cancelled() const {
    if (state_.is_on_loop || !has_something()) state_.check_cancelled();
  }
  bool has_something() const { return !results_.empty() || has_ended_; }
  std::span<const bento_value* const> take() {
    while (!is_ready()) state_.environment.wait(state_);
    check_cancelled();
    pointers_.clear();
    if (results_.empty()) {
      if (error_) throw *error_;
      return {};
    }
    current_ = std::move(results_.front());
    results_.pop_front();
    for (const auto& value : current_) pointers_.push_back(&value->abi());
    if (on_take) on_take();
    return pointers_;
  }

  RequestState& state_;
  Wake wake_;
  const bool stays_;
  Loop::Timer timer_;
  std::deque<Values> results_;  // that have not been taken
  Values current_;
  std::vector<const bento_value*> pointers_;  // to it
  std::optional<Error> error_;
#if BENTO_ABI_TARGET_MINOR >= 1
  std::vector<FetchEvent> events_;
  std::size_t next_event_ = 0;
  std::vector<bento_pair> pairs_;  // of the event that was lent
#endif
  bool has_ended_ = false;
  bool is_first_ = false;  // wait() has taken the first result, and next() has not
};

}  // namespace bento::testing::internal
