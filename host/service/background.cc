#include "service/background.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/process/plugin_call_note.h"
#include "observe/sharded.h"
#include "service/fetch_ticket.h"
#include "service/live_service.h"

namespace bentohost::service {

class Background::RowJob final : public ThreadPool::Job {
 public:
  RowJob(Background& background, std::shared_ptr<BackgroundRow> row)
      : background_(background), row_(std::move(row)) {}
  void run() override {
    row_->run();
    drop();
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

Status Background::admit() {
  if (waiting_.fetch_add(1) >= options_.max_tasks) {
    waiting_.fetch_sub(1);
    return Status(BENTO_RESOURCE_EXHAUSTED,
                  "too many background tasks: " + std::to_string(options_.max_tasks) +
                      " wait already (--max-background)");
  }
  metrics_.queued->Increment();
  return {};
}

void Background::begin(std::shared_ptr<BackgroundRow> row) {
  {
    const MutexLock lock(mutex_);
    if (stopping_->load()) return;  // too late: the row is dropped
    ++rows_;
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
  const bool all_returned = threads_.stop(clock_.now() + grace) == 0;
  if (const std::size_t dropped = dropped_.exchange(0); dropped != 0) {
    log_warning("background tasks were dropped at the end of --timeout-graceful-shutdown",
                {{"tasks", dropped}});
  }
  return all_returned;
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
  service_->leases.fetch_sub(1, std::memory_order_relaxed);
  for (const BackgroundTask& task : tasks_) {
    background_.waiting_.fetch_sub(1);
    if (background_.stopping_->load()) background_.dropped_.fetch_add(1);
    background_.metrics_.queued->Decrement();
    background_.metrics_.dropped->Increment();
    task.drop(task.arg);
  }
}

Status BackgroundRow::add(const BackgroundTask& task) {
  if (Status status = background_.admit(); !status.ok()) return status;
  tasks_.push_back(task);
  return {};
}

void BackgroundRow::begin(std::shared_ptr<BackgroundRow> self) {
  background_.begin(std::move(self));
}

void BackgroundRow::run() {
  bool goes_on = true;
  while (goes_on && !tasks_.empty() && !background_.stopping_->load()) {
    const BackgroundTask task = tasks_.front();
    tasks_.pop_front();
    background_.waiting_.fetch_sub(1);
    background_.metrics_.queued->Decrement();
    background_.metrics_.running->Increment();
    goes_on = run_one(task);
    background_.metrics_.running->Decrement();
    task.drop(task.arg);
  }
}

bool BackgroundRow::run_one(const BackgroundTask& task) {
  const TimePoint begun = background_.clock_.now();
  const Status status =
      call_plugin({service_->spec().name, service_->instance().config().file.path,
                   "a background task", method_, path_, request_id_},
                  [&](bento_error* error) { return task.run(task.arg, this, error); });
  background_.metrics_.duration->observe(
      std::chrono::duration<double>(background_.clock_.now() - begun).count());
  (status.ok() ? background_.metrics_.done : background_.metrics_.failed)->Increment();
  if (status.ok()) return true;
  log_error("a background task failed: " + status.message(), {{"service", service_->spec().name},
                                                              {"path", path_},
                                                              {"not_run", tasks_.size()},
                                                              {"request_id", request_id_}});
  return false;
}

Result<plugin::TicketPtr> BackgroundRow::submit(std::string_view runner, std::string_view method,
                                                std::span<const bento_value* const> inputs) {
  auto target = service_->runners().find(runner, method);
  if (!target.ok()) return std::move(target).take_status();
  return runner::Client::submit(
      *target, inputs,
      {background_.clock_.now() + background_.options_.timeout, background_.stopping_});
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
