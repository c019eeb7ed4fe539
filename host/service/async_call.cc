#include "service/async_call.h"

#include <chrono>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "service/work.h"

namespace bentohost::service {
namespace {

// How long it takes a thread's loop to notice that its request is over.
constexpr Duration kPoll = std::chrono::milliseconds(25);

Status stopping() { return Status(BENTO_CANCELLED, "the server is shutting down"); }

}  // namespace

AsyncCall::AsyncCall(RequestPtr request, RequestDeps& deps, const std::string& who,
                     LoopStalls& stalls)
    : request_(std::move(request)), deps_(deps), who_(who), stalls_(stalls) {}

void AsyncCall::begin() {
  if (request_->is_on_thread()) return run_on_thread();
  EventLoop* const loop = request_->answer_on_loop(shared_from_this());
  if (loop == nullptr) {  // the trial of a reload has none
    return run_for(request_, deps_, [self = shared_from_this()] { self->run_on_thread(); });
  }
  open(*loop);
  start();
}

void AsyncCall::open(EventLoop& loop) {
  loop_ = &loop;
  scope_.open(loop);
  timer_.emplace(loop.timers(), static_cast<Timer::Owner&>(*this));
}

// The thread turns a loop of its own, so that the plugin finds all as on a connection's loop.
void AsyncCall::run_on_thread() {
  std::optional<EventLoop> loop;
  try {
    loop.emplace(deps_.clock);
  } catch (const std::system_error& error) {
    return request_->fail(Status(BENTO_RESOURCE_EXHAUSTED, error.what()));
  }
  is_on_thread_ = true;
  request_->set_on_thread();
  open(*loop);
  loop->post([self = shared_from_this()] { self->start(); });
  const auto self = shared_from_this();
  const ThreadPool::Blocking blocking;
  while (!is_complete_) {
    loop->step(kPoll);
    if (!is_complete_) end_if_over();
  }
}

void AsyncCall::start() {
  keep_ = shared_from_this();
  ++deps_.async_calls;
  try {
    if (prepare()) ready();
  } catch (const std::bad_alloc&) {
    fail(out_of_memory());
  }
}

void AsyncCall::ready() {
  if (EventLoop::current() != loop_) {
    return loop_->post([self = shared_from_this()] { self->ready(); });
  }
  if (is_complete_) return;
  const Status why = request_->tracked().over();
  if (!why.ok()) return fail(why);
  request_->tracked().note_begun();
  request_->set_async({shared_from_this(), &scope_});
  note_ = request_->note(who_);
  enter([this] {
    const Status status =
        call_plugin([this](bento_error* error) { return call(done_.get(), error); });
    if (!status.ok() && done_.end()) finished_ = status;
  });
}

void AsyncCall::fail(const Status& why) {
  if (EventLoop::current() != loop_) {
    return loop_->post([self = shared_from_this(), why] { self->fail(why); });
  }
  if (!done_.end()) return;
  finished_ = why;
  complete();
}

// The plugin may finish meanwhile: the request is answered when it has returned, since the note has
// the request's texts.
template <typename F>
void AsyncCall::enter(F&& f) {
  const auto self = shared_from_this();
  is_inside_ = true;
  {
    const CallScope scope(note_);
    const LoopStalls::Call watched(is_on_thread_ ? nullptr : &stalls_, deps_);
    f();
  }
  is_inside_ = false;
  if (finished_) complete();
}

void AsyncCall::wake(const plugin::Wake& wake) {
  if (is_complete_) return;
  enter([&wake] { wake.function(wake.arg); });
}

void AsyncCall::on_finish(Status status) {
  if (EventLoop::current() == loop_ && is_inside_) {
    finished_ = std::move(status);
    return;
  }
  // From within a call of another request, or from a wrong thread.
  loop_->post([self = shared_from_this(), status = std::move(status)] {
    self->finished_ = status;
    self->complete();
  });
}

// It is found out while the call is remembered.
void AsyncCall::on_second_finish() const {
  log_error((name_.empty() ? who_ : name_) + " was finished twice: a bug of the plugin");
  if (deps_.debug) std::abort();
}

void AsyncCall::complete() {
  if (std::exchange(is_complete_, true)) return;
  const auto self = std::move(keep_);
  timer_->clear();
  scope_.close();
  request_->set_async(nullptr);
  guard(request_, [this] { answer(*finished_); });
  if (deps_.debug) {
    name_ = who_;
    deps_.finished.keep(self);
  }
  request_.reset();
  --deps_.async_calls;
}

// ---- ends of the request ---------------------------------------------------------------------

bool AsyncCall::is_streaming() const { return request_->is_streaming(); }

void AsyncCall::on_wait() {
  if (is_streaming()) {
    if (!deps_.draining.load()) return;
    return loop_->post([self = shared_from_this()] { self->end_if_over(); });
  }
  const TimePoint deadline = request_->tracked().deadline();
  if (timer_->when() != deadline) timer_->set(deadline);
}

void AsyncCall::on_timer() { end_if_over(); }

void AsyncCall::end_if_over() {
  if (is_complete_) return;
  if (request_->is_cancelled()) return on_cancelled();
  if (is_streaming()) {
    if (deps_.draining.load()) cancel(stopping());
    return;
  }
  if (deps_.clock.now() >= request_->tracked().deadline()) {
    return cancel(Status(BENTO_DEADLINE_EXCEEDED, "the request's deadline has passed"));
  }
  on_wait();
}

void AsyncCall::on_cancelled() {
  if (is_complete_) return;
  const Status why = request_->tracked().over();
  const bool is_late = !is_streaming() && why.code() == BENTO_DEADLINE_EXCEEDED;
  cancel(is_late ? why : Status(BENTO_CANCELLED, "the client is gone"));
}

void AsyncCall::stop_stream() {
  loop_->post([self = shared_from_this()] { self->end_if_over(); });
}

void AsyncCall::cancel(const Status& why) {
  if (!scope_.over().ok()) return;
  const auto self = shared_from_this();
  scope_.cancel(why);
  if (!is_complete_) on_over();
}

}  // namespace bentohost::service
