#include "service/async_task.h"

#include <utility>

#include "base/log.h"

namespace bentohost::service {

AsyncTask::AsyncTask(EventLoop& loop, const PluginCallNote& note,
                     std::function<void(const Status&)> then)
    : loop_(loop), note_(note), then_(std::move(then)) {
  scope_.open(loop);
}

void AsyncTask::begin(const Function& function) {
  keep_ = shared_from_this();
  enter([&] {
    const Status status =
        call_plugin([&](bento_error* error) { return function(done_.get(), error); });
    if (!status.ok() && done_.end()) finished_ = status;
  });
}

void AsyncTask::wake(const plugin::Wake& wake) {
  if (is_complete_) return;
  enter([&wake] { wake.function(wake.arg); });
}

template <typename F>
void AsyncTask::enter(F&& f) {
  const auto self = shared_from_this();
  is_inside_ = true;
  {
    const CallScope scope(note_);
    f();
  }
  is_inside_ = false;
  if (finished_) complete();
}

void AsyncTask::on_finish(Status status) {
  if (EventLoop::current() == &loop_ && is_inside_) {
    finished_ = std::move(status);
    return;
  }
  // From within the call of another task, or from a wrong thread.
  loop_.post([self = shared_from_this(), status = std::move(status)] {
    self->finished_ = status;
    self->complete();
  });
}

void AsyncTask::on_second_finish() const {
  log_error("a background task was finished twice: a bug of the plugin");
}

void AsyncTask::complete() {
  if (std::exchange(is_complete_, true)) return;
  const auto self = std::move(keep_);
  scope_.close();
  then_(*finished_);
}

}  // namespace bentohost::service
