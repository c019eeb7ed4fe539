// Work: the bento_work of this host. Part of <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/error.hpp>
#include <bento/testing/fiber.hpp>
#include <bento/testing/loop.hpp>
#include <bento/testing/runners.hpp>
#include <bento/testing/scope.hpp>
#include <bento/testing/state.hpp>
#include <bento/testing/ticket.hpp>
#include <bento/testing/value.hpp>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#if BENTO_ABI_TARGET_MINOR >= 1
namespace bento::testing::internal {

class Work : public std::enable_shared_from_this<Work> {
 public:
  // `on_change`: called on the loop, when a thread of the plugin's has finished it.
  Work(Environment& environment, const bento_scope& caller, const Method& method, Values inputs,
       std::weak_ptr<Ticket> ticket, std::function<void()> on_change)
      : environment_(environment),
        method_(method),
        inputs_(std::move(inputs)),
        ticket_(std::move(ticket)),
        on_change_(std::move(on_change)),
        scope_(caller),
        state_(environment, scope_.abi()) {
    state_.may_call = state_.may_defer = false;
    state_.add_caller(*state_.scope);
    for (const auto& input : inputs_) pointers_.push_back(&input->abi());
    bento_work& work = table_.work;
    work.size = sizeof work;
    work.ctx = state_.abi();
    work.in = pointers_.data();
    work.n = pointers_.size();
    work.sink = sink_.abi();
    work.emit = [](bento_work* abi, bento_error* error) { return self(abi).emit(error); };
    work.finish = [](bento_work* abi, bento_code code, const bento_error* error) {
      self(abi).end_of_call(code, error);
    };
    table_.self = this;
  }
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  bento_work* abi() { return &table_.work; }

  // [any]
  bool is_over() const {
    const std::lock_guard lock(mutex_);
    return is_over_;
  }
  bool is_cancelled() const { return state_.is_gone; }
  bool has_room() const {
    const std::lock_guard lock(mutex_);
    return untaken_ < environment_.window;
  }
  // The plugin has finished it, or has returned an error that ends it.
  void end_of_call(bento_code code, const bento_error* error) {
    std::optional<Error> failure;
    if (code != BENTO_OK) {
      failure.emplace(code, error != nullptr ? error->message : "the call was failed",
                      error != nullptr ? error->http_status : 0);
    }
    auto last = std::make_shared<Values>(sink_.take());
    if (!failure && !last->empty()) {
      bento_error fault = detail::make_error();
      const bento_code checked =
          detail::guard(&fault, [&] { Runners::check_result(*last, method_); });
      if (checked != BENTO_OK) failure.emplace(checked, fault.message, fault.http_status);
    }
    if (failure) last->clear();
    pass_on([this, last, failure] { end(std::move(*last), failure); }, true);
  }

  // ---- by the engine ----
  void on_taken() {
    const std::lock_guard lock(mutex_);
    --untaken_;
    changed_.notify_all();
  }
  void cancel() {
    const std::lock_guard lock(mutex_);
    state_.is_gone = true;
    changed_.notify_all();
  }
  // That thread, a fiber's, waits in emit() for room; others, but in a step, block.
  void may_wait_on(std::thread::id fiber) { fiber_ = fiber; }
  // Its begin has returned, and has no step: a thread of the plugin's is to finish it.
  void await_outside() {
    const std::lock_guard lock(mutex_);
    if (is_over_) return;
    is_outside_ = true;
    ++environment_.loop.awaited_outside;
  }
  int steps_for_nobody = 0;
  bool is_told = false;  // that it is cancelled

 private:
  struct Table {
    bento_work work{};  // first: has the table's address
    Work* self = nullptr;
  };
  static Work& self(bento_work* abi) { return *reinterpret_cast<Table*>(abi)->self; }

  bento_code emit(bento_error* error) {
    return detail::guard(error, [&] {
      auto result = std::make_shared<Values>(sink_.take());
      if ((method_.abi->flags & BENTO_STREAMS) == 0) {
        detail::misuse(BENTO_FAILED_PRECONDITION,
                       method_.name + " has one result, which finish() sends");
      }
      Runners::check_result(*result, method_);
      wait_for_room();
      if (state_.is_gone) throw Error(BENTO_CANCELLED, "nobody waits for it any more");
      {
        const std::lock_guard lock(mutex_);
        ++untaken_;
      }
      pass_on(
          [this, result] {
            if (const auto ticket = ticket_.lock()) ticket->push(std::move(*result));
          },
          false);
    });
  }
  void wait_for_room() {
    if (environment_.is_host_thread()) {
      while (fiber_ == std::this_thread::get_id() && !has_room() && !is_cancelled()) Fiber::wait();
      return;
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return untaken_ < environment_.window || state_.is_gone; });
  }
  void end(Values last, const std::optional<Error>& failure) {
    bool was_outside = false;
    {
      const std::lock_guard lock(mutex_);
      is_over_ = true;
      was_outside = std::exchange(is_outside_, false);
    }
    if (was_outside) --environment_.loop.awaited_outside;
    if (const auto ticket = ticket_.lock()) ticket->end(std::move(last), failure);
  }
  // Does it now, or, on a thread of the plugin's, through the loop.
  void pass_on(std::function<void()> f, bool is_end) {
    if (environment_.is_host_thread()) return f();
    environment_.loop.post_from_any([self = shared_from_this(), f = std::move(f), is_end] {
      f();
      if (is_end) self->on_change_();
    });
  }

  Environment& environment_;
  const Method& method_;
  const Values inputs_;
  std::vector<const bento_value*> pointers_;
  const std::weak_ptr<Ticket> ticket_;
  const std::function<void()> on_change_;
  Scope scope_;
  RequestState state_;
  Sink sink_;
  Table table_;
  std::thread::id fiber_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;  // room, or cancelled
  std::size_t untaken_ = 0;          // results
  bool is_over_ = false, is_outside_ = false;
};

}  // namespace bento::testing::internal
#endif
