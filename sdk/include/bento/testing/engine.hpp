// Engine: the worker of a runner method whose calls come and go one by one, run by hand: a turn of
// the loop is a turn of the engine. Part of <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <algorithm>
#include <bento/error.hpp>
#include <bento/testing/fiber.hpp>
#include <bento/testing/loop.hpp>
#include <bento/testing/runners.hpp>
#include <bento/testing/state.hpp>
#include <bento/testing/ticket.hpp>
#include <bento/testing/value.hpp>
#include <bento/testing/work.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#if BENTO_ABI_TARGET_MINOR >= 1
namespace bento::testing::internal {

// What it calls of the plugin runs in a fiber, as emit() waits there for room. Its functions are
// for the thread that runs the Host; work that the plugin does on threads of its own comes in
// through the loop.
class Engine {
 public:
  Engine(Environment& environment, Method method)
      : environment_(environment), method_(std::move(method)) {}
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // `caller`: whose call it is.
  std::shared_ptr<Ticket> submit(RequestState& caller, const bento_value* const* in,
                                 std::size_t n) {
    auto ticket = std::make_shared<Ticket>(caller, false);
    auto work = std::make_shared<Work>(environment_, *caller.scope, method_,
                                       Runners::take_inputs(method_, in, n), ticket,
                                       [this] { schedule(); });
    ticket->on_take = [this, work] {
      work->on_taken();
      schedule();
    };
    ticket->on_release = [this, work] {
      work->cancel();
      schedule();
    };
    waiting_.push_back(std::move(work));
    schedule();
    return ticket;
  }

  // At the end of the Host, when nobody waits for a call any more. False: the plugin goes on with
  // one of them. What it has kept it finishes, or drops, when its runner is destroyed.
  bool stop() {
    while (!has_ended() && is_scheduled_) (void)environment_.loop.turn_soon();
    if (in_begin_ != nullptr || (has_step() && !has_ended())) return false;
    is_stopping_ = true;
    if (fiber_) fiber_->run();
    return true;
  }

 private:
  static constexpr int kPatience = 1000;  // steps that a work is given after it is cancelled

  bool has_ended() const { return waiting_.empty() && works_.empty(); }
  bool has_step() const { return method_.abi->engine->step != nullptr; }
  std::size_t limit() const { return std::max<std::size_t>(method_.abi->max_concurrent, 1); }

  // A turn, in the next one of the loop or, of a method with a latency, after that.
  void schedule() {
    if (std::exchange(is_scheduled_, true)) return;
    const auto latency = environment_.latencies.find(method_.name);
    const auto turn = [this] {
      is_scheduled_ = false;
      run();
    };
    Loop& loop = environment_.loop;
    if (latency == environment_.latencies.end()) return loop.post(turn);
    loop.at(loop.now() + latency->second, turn);
  }
  void run() {
    sweep();
    if (!fiber_) {
      fiber_.emplace([this] {
        for (; !is_stopping_; Fiber::wait()) turn();
      });
    }
    fiber_->run();
    sweep();
    if (has_more_to_do()) schedule();
  }
  bool has_more_to_do() const {
    if (in_begin_ != nullptr) return may_go_on(*in_begin_);
    return (!waiting_.empty() && works_.size() < limit()) || !stepped().empty();
  }
  static bool may_go_on(const Work& work) { return work.has_room() || work.is_cancelled(); }
  // Those of the next step.
  std::vector<std::shared_ptr<Work>> stepped() const {
    std::vector<std::shared_ptr<Work>> works;
    if (!has_step()) return works;
    for (const auto& work : works_) {
      if (!work->is_over() && may_go_on(*work) && work->steps_for_nobody < kPatience) {
        works.push_back(work);
      }
    }
    return works;
  }
  void sweep() {
    std::erase_if(works_, [](const auto& work) { return work->is_over(); });
    // One that was cancelled before its turn.
    std::erase_if(waiting_, [](const auto& work) { return work->is_cancelled(); });
  }

  // ---- in the fiber ----
  void turn() {
    for (const auto& work : std::vector(works_)) tell_cancelled(*work);
    while (!waiting_.empty() && works_.size() < limit()) {
      const std::shared_ptr<Work> work = std::move(waiting_.front());
      waiting_.erase(waiting_.begin());
      works_.push_back(work);
      begin(work);
      sweep();
    }
    const auto works = stepped();
    if (!works.empty()) step(works);
  }
  void begin(const std::shared_ptr<Work>& work) {
    in_begin_ = work;
    bento_error error = detail::make_error();
    work->may_wait_on(std::this_thread::get_id());
    const bento_code code =
        method_.abi->engine->begin(method_.self, method_.abi, work->abi(), &error);
    work->may_wait_on({});
    in_begin_ = nullptr;
    if (code != BENTO_OK) return work->end_of_call(code, &error);
    if (!has_step()) work->await_outside();
  }
  void step(const std::vector<std::shared_ptr<Work>>& works) {
    std::vector<bento_work*> pointers;
    for (const auto& work : works) {
      pointers.push_back(work->abi());
      if (work->is_cancelled()) ++work->steps_for_nobody;
    }
    bento_error error = detail::make_error();
    const bento_code code = method_.abi->engine->step(method_.self, method_.abi, pointers.data(),
                                                      pointers.size(), &error);
    if (code == BENTO_OK) return;
    for (const auto& work : works) {
      if (!work->is_over()) work->end_of_call(code, &error);
    }
  }
  void tell_cancelled(Work& work) {
    if (!work.is_cancelled() || work.is_over() || std::exchange(work.is_told, true)) return;
    if (method_.abi->engine->cancel == nullptr) return;
    method_.abi->engine->cancel(method_.self, method_.abi, work.abi());
  }

  Environment& environment_;
  const Method method_;
  std::vector<std::shared_ptr<Work>> waiting_, works_;
  std::shared_ptr<Work> in_begin_;
  bool is_scheduled_ = false, is_stopping_ = false;
  std::optional<Fiber> fiber_;  // made with the first call
};

}  // namespace bento::testing::internal
#endif
