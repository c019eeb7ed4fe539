// AsyncCall: an asynchronous function of the plugin, from its call to its end. Part of
// <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <algorithm>
#include <bento/error.hpp>
#include <bento/testing/loop.hpp>
#include <bento/testing/state.hpp>
#include <chrono>
#include <cstdint>

#if BENTO_ABI_TARGET_MINOR >= 1
namespace bento::testing::internal {

class AsyncCall {
 public:
  AsyncCall(RequestState& state, bento_sink* sink) : state_(state) {
    table_.done.size = sizeof table_.done;
    table_.done.sink = sink;
    table_.done.finish = &finish;
    table_.self = this;
    state_.is_on_loop = true;
    deadline_ = loop().at(loop().now() + time_left(), [&state] {
      if (!state.is_streaming) {
        state.cancel(BENTO_DEADLINE_EXCEEDED, "the request's deadline has passed");
      }
    });
  }
  AsyncCall(const AsyncCall&) = delete;
  AsyncCall& operator=(const AsyncCall&) = delete;
  ~AsyncCall() {
    loop().cancel(deadline_);
    state_.is_on_loop = false;
  }

  // Calls it, and `check` with the error that it has returned, or has finished with. Waits until
  // it has finished, unless it has returned one.
  template <typename Call, typename Check>
  void run(Call&& call, bento_error& error, Check&& check) {
    const bento_code code = call(&table_.done);
    if (code == BENTO_OK) {
      while (!has_finished_) state_.environment.wait(state_);
      check(code_, error_);
    } else {
      if (has_finished_) misuse_finish();
      check(code, error);
    }
  }

 private:
  struct Table {
    bento_done done{};  // first: has the table's address
    AsyncCall* self = nullptr;
  };

  Loop& loop() const { return state_.environment.loop; }
  // By the real clock, as the request's scope has it.
  Loop::Time time_left() const {
    const auto deadline = static_cast<std::int64_t>(state_.scope->deadline_ns);
    if (deadline == 0) return std::chrono::hours(24 * 365);
    return std::max(Loop::Time(deadline) - state_.began, Loop::Time());
  }
  [[noreturn]] static void misuse_finish() {
    detail::misuse(BENTO_FAILED_PRECONDITION, "an asynchronous function finished, and failed too");
  }
  static void finish(bento_done* done, bento_code code, const bento_error* error) {
    AsyncCall& self = *reinterpret_cast<Table*>(done)->self;
    self.has_finished_ = true;
    self.code_ = code;
    if (code != BENTO_OK && error != nullptr) self.error_ = *error;
  }

  RequestState& state_;
  Table table_;
  Loop::Timer deadline_;
  bool has_finished_ = false;
  bento_code code_ = BENTO_OK;
  bento_error error_ = detail::make_error();
};

}  // namespace bento::testing::internal
#endif
