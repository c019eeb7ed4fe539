#include "service/background.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/process/plugin_call_note.h"
#include "observe/sharded.h"
#include "plugin/tickets.h"
#include "service/async_task.h"
#include "service/fetch_ticket.h"
#include "service/live_service.h"

namespace bentohost::service {

class Background::RowJob final : public ThreadPool::Job {
 public:
  RowJob(Background& background, std::shared_ptr<BackgroundRow> row)
      : background_(background), row_(std::move(row)) {}
  void run() override {
    row_->run_on_thread();
    background_.go_on(std::move(row_));
  }
  void drop() override {
    row_.reset();  // the tasks release what they hold before the row counts as done
    background_.end_row();
  }

 private:
  Background& background_;
  std::shared_ptr<BackgroundRow> row_;
};

Background::Background(const Options& options, const Clock& clock, observe::Metrics& metrics)
    : options_(options),
      clock_(clock),
      all_metrics_(metrics),
      metrics_(metrics.background()),
      threads_(options.threads, options.threads) {}

Background::~Background() { stop(TimePoint::min(), Duration::zero()); }

Status Background::admit(const BackgroundTask& task) {
  if (task.run_async != nullptr) {
    if (Status status = start_loop(); !status.ok()) return status;
  }
  if (waiting_.fetch_add(1) >= options_.max_tasks) {
    waiting_.fetch_sub(1);
    return Status(BENTO_RESOURCE_EXHAUSTED,
                  "too many background tasks: " + std::to_string(options_.max_tasks) +
                      " wait already (--max-background)");
  }
  metrics_.queued->Increment();
  return {};
}

Status Background::start_loop() {
  const MutexLock lock(mutex_);
  if (loop_ != nullptr) return {};
  try {
    loop_ = std::make_unique<EventLoop>(clock_);
    loop_->start();
    return {};
  } catch (const std::system_error& error) {
    loop_.reset();
    return Status(BENTO_RESOURCE_EXHAUSTED,
                  std::string("the loop of background tasks cannot be started: ") + error.what());
  }
}

EventLoop* Background::loop_in_use() {
  const MutexLock lock(mutex_);
  return loop_.get();
}

void Background::stop_loop() {
  if (EventLoop* const loop = loop_in_use()) loop->stop();
}

void Background::begin(std::shared_ptr<BackgroundRow> row) {
  {
    const MutexLock lock(mutex_);
    if (stopping_->load()) return;  // too late: the row is dropped
    ++rows_;
  }
  go_on(std::move(row));
}

// [any] The row is begun, and its next task is where it has to run.
void Background::go_on(std::shared_ptr<BackgroundRow> row) {
  if (row->is_at_end()) {
    row->drop_rest();  // before the row counts as done
    return end_row();
  }
  if (row->tasks_.front().run_async != nullptr) {
    EventLoop* const loop = loop_in_use();
    return loop->post([row = std::move(row), loop] { row->run_on_loop(row, *loop); });
  }
  const Status status = threads_.run(std::make_unique<RowJob>(*this, std::move(row)));
  if (status.ok()) return;
  log_error("background tasks are dropped: " + status.message());
  end_row();
}

void Background::end_row() {
  const MutexLock lock(mutex_);
  --rows_;
  row_ended_.notify_all();
}

bool Background::stop(TimePoint deadline, Duration grace) {
  {
    const MutexLock lock(mutex_);
    while (rows_ != 0 && row_ended_.wait_until(mutex_, deadline) == std::cv_status::no_timeout) {
    }
    stopping_->store(true);
  }
  const TimePoint end = clock_.now() + grace;
  stop_async_tasks(end);
  bool all_returned = threads_.stop(end) == 0;
  {
    // All that they waited for has ended, the work on threads included.
    const MutexLock lock(mutex_);
    while (rows_ != 0 && row_ended_.wait_until(mutex_, end) == std::cv_status::no_timeout) {
    }
    all_returned = all_returned && rows_ == 0;
  }
  if (all_returned) stop_loop();
  if (const std::size_t dropped = dropped_.exchange(0); dropped != 0) {
    log_warning("background tasks were dropped at the end of --timeout-graceful-shutdown",
                {{"tasks", dropped}});
  }
  return all_returned;
}

void Background::stop_async_tasks(TimePoint deadline) {
  EventLoop* const loop = loop_in_use();
  if (loop == nullptr) return;
  loop->post([this] {
    std::vector<std::shared_ptr<AsyncTask>> all;  // each may end, and its row leaves the set
    for (const BackgroundRow* row : async_rows_) all.push_back(row->async_);
    for (const auto& task : all) task->cancel(Status(BENTO_CANCELLED, "the host is stopping"));
  });
  // Afterwards no row goes on, and so none wants a thread.
  (void)loop->let_turn(std::max(deadline - clock_.now(), Duration::zero()));
}

BackgroundRow::BackgroundRow(Background& background, std::shared_ptr<const LiveService> service,
                             std::string_view request_id, std::string_view method,
                             std::string_view path)
    : background_(background),
      service_(std::move(service)),
      request_id_(request_id),
      method_(method),
      path_(path) {
  scope_.size = sizeof scope_;
  scope_.kind = 1;
  scope_.method = to_bento(method_);
  scope_.path = to_bento(path_);
  scope_.root_path = to_bento(service_->prefix());
  scope_.request_id = to_bento(request_id_);
  service_->leases.fetch_add(1, std::memory_order_relaxed);
}

BackgroundRow::~BackgroundRow() {
  drop_rest();
  service_->leases.fetch_sub(1, std::memory_order_relaxed);
}

void BackgroundRow::drop_rest() {
  for (const BackgroundTask& task : std::exchange(tasks_, {})) {
    background_.waiting_.fetch_sub(1);
    if (background_.stopping_->load()) background_.dropped_.fetch_add(1);
    background_.metrics_.queued->Decrement();
    background_.metrics_.dropped->Increment();
    task.drop(task.arg);
  }
}

Status BackgroundRow::add(const BackgroundTask& task) {
  if (Status status = background_.admit(task); !status.ok()) return status;
  tasks_.push_back(task);
  return {};
}

void BackgroundRow::begin(std::shared_ptr<BackgroundRow> self) {
  background_.begin(std::move(self));
}

void BackgroundRow::run_on_thread() {
  while (!is_at_end() && tasks_.front().run_async == nullptr) {
    const BackgroundTask task = take_next();
    background_.waiting_.fetch_sub(1);
    const TimePoint begun = background_.clock_.now();
    end(task, begun,
        call_plugin(note(), [&](bento_error* error) { return task.run(task.arg, this, error); }));
  }
}

void BackgroundRow::run_on_loop(const std::shared_ptr<BackgroundRow>& self, EventLoop& loop) {
  if (is_at_end()) return background_.go_on(self);
  const BackgroundTask task = take_next();
  const TimePoint begun = background_.clock_.now();
  background_.async_rows_.insert(this);
  const auto call =
      std::make_shared<AsyncTask>(loop, note(), [self, task, begun](const Status& status) {
        Background& background = self->background_;
        background.async_rows_.erase(self.get());
        self->async_.reset();
        background.waiting_.fetch_sub(1);
        self->end(task, begun, status);
        background.go_on(self);
      });
  async_ = call;
  call->begin([this, task](bento_done* done, bento_error* error) {
    return task.run_async(task.arg, this, done, error);
  });
}

BackgroundTask BackgroundRow::take_next() {
  const BackgroundTask task = tasks_.front();
  tasks_.pop_front();
  background_.metrics_.queued->Decrement();
  background_.metrics_.running->Increment();
  return task;
}

PluginCallNote BackgroundRow::note() const {
  return {service_->spec().name,
          service_->instance().config().file.path,
          "a background task",
          method_,
          path_,
          request_id_};
}

void BackgroundRow::end(const BackgroundTask& task, TimePoint begun, const Status& status) {
  background_.metrics_.duration->observe(
      std::chrono::duration<double>(background_.clock_.now() - begun).count());
  (status.ok() ? background_.metrics_.done : background_.metrics_.failed)->Increment();
  if (!status.ok()) {
    has_failed_ = true;
    log_error("a background task failed: " + status.message(), {{"service", service_->spec().name},
                                                                {"path", path_},
                                                                {"not_run", tasks_.size()},
                                                                {"request_id", request_id_}});
  }
  background_.metrics_.running->Decrement();
  task.drop(task.arg);
}

Result<plugin::TicketPtr> BackgroundRow::submit(std::string_view runner, std::string_view method,
                                                std::span<const bento_value* const> inputs) {
  auto target = service_->runners().find(runner, method);
  if (!target.ok()) return std::move(target).take_status();
  auto waits = waiter();
  if (!waits.ok()) return std::move(waits).take_status();
  return runner::Client::submit(*target, inputs,
                                {background_.clock_.now() + background_.options_.timeout,
                                 background_.stopping_, request_id_, traceparent_},
                                std::move((*waits).scope));
}

Result<plugin::Waiter> BackgroundRow::waiter() {
  if (async_ == nullptr) return plugin::Waiter{nullptr, kNoDeadline, background_.stopping_};
  auto scope = async_->scope();
  if (!scope->over().ok()) return scope->over();
  return plugin::Waiter{std::move(scope), kNoDeadline, {}};
}

Result<plugin::TicketPtr> BackgroundRow::offload(void (*work)(void*), void* arg) {
  if (async_ == nullptr) {
    return Status(BENTO_FAILED_PRECONDITION,
                  "offload: only an asynchronous function needs it; this one may wait itself");
  }
  auto waits = waiter();
  if (!waits.ok()) return std::move(waits).take_status();
  // The work may outlive the task's ctx, but not the row, which holds the plugin.
  return plugin::offload(*std::move(waits), background_.threads_,
                         [self = shared_from_this(), work, arg] {
                           const CallScope scope(self->note());
                           work(arg);
                         });
}

Result<plugin::TicketPtr> BackgroundRow::fetch(const bento_fetch& request) {
  auto its_waiter = waiter();
  if (!its_waiter.ok()) return std::move(its_waiter).take_status();
  FetchSource source{http_client_, &background_.all_metrics_, &background_.clock_};
  source.service = service_->spec().name;
  source.request_id = request_id_;
  source.traceparent = traceparent_;
  return start_fetch(source, *std::move(its_waiter), request);
}

}  // namespace bentohost::service
