// Background: tasks that handlers leave for after the response. The tasks of a request are a row:
// it starts when the response has been sent, and runs in order on threads of its own, so slow tasks
// slow no request. Asynchronous tasks hold no thread: all of them run on one loop, which is no
// connection's. Bounded: when `max_tasks` wait, the handler's defer() fails.
#pragma once

#include <bento/abi.h>

#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "base/loop/thread_pool.h"
#include "base/mutex.h"
#include "base/process/plugin_call_note.h"
#include "base/status.h"
#include "http/client/client.h"
#include "observe/metrics.h"
#include "plugin/context.h"

namespace bentohost::service {

class AsyncTask;
class LiveService;

// A task as the ABI's defer() or defer_async() takes it: one of the two functions is null.
struct BackgroundTask {
  bento_code (*run)(void* arg, bento_ctx*, bento_error*);
  bento_code (*run_async)(void* arg, bento_ctx*, bento_done*, bento_error*);
  void* arg;
  void (*drop)(void* arg);
};

class BackgroundRow;

class Background {
 public:
  struct Options {
    std::size_t threads = 4;
    std::size_t max_tasks = 1024;                 // waiting, or asynchronous and running
    Duration timeout = std::chrono::seconds(60);  // of a runner call
  };
  Background(const Options& options, const Clock& clock, observe::Metrics& metrics);
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Call when no new tasks come. Lets tasks run until `deadline`, then drops those not yet begun,
  // cancels the running ones and gives them `grace` to return. Logs how many were dropped. False: a
  // task did not return.
  bool stop(TimePoint deadline, Duration grace);

 private:
  friend class BackgroundRow;
  class RowJob;
  Status admit(const BackgroundTask& task);
  void begin(std::shared_ptr<BackgroundRow> row);
  void go_on(std::shared_ptr<BackgroundRow> row);
  void end_row();
  Status start_loop();
  EventLoop* loop_in_use();  // null: there was no asynchronous task yet
  void stop_loop();
  void stop_async_tasks(TimePoint deadline);

  const Options options_;
  const Clock& clock_;
  observe::Metrics& all_metrics_;
  const observe::BackgroundMetrics metrics_;
  // Shared with the runner calls of tasks.
  const std::shared_ptr<std::atomic<bool>> stopping_ = std::make_shared<std::atomic<bool>>(false);
  std::atomic<std::size_t> waiting_ = 0;  // tasks
  std::atomic<std::size_t> dropped_ = 0;  // tasks, by stop()
  Mutex mutex_;
  CondVar row_ended_;
  std::size_t rows_ BENTO_GUARDED_BY(mutex_) = 0;             // begun
  std::unique_ptr<EventLoop> loop_ BENTO_GUARDED_BY(mutex_);  // from the first async task on
  std::set<const BackgroundRow*> async_rows_;                 // loop_: whose asynchronous task runs
  ThreadPool threads_;
};

// The tasks of one request, and their bento_ctx. The request is over by then, so the row keeps
// copies of its id, method and path. One thread at a time: the handler's, then a background one,
// or that of the loop.
class BackgroundRow final : public bento_ctx, public std::enable_shared_from_this<BackgroundRow> {
 public:
  // Holds `service`, whose runners the tasks may call.
  BackgroundRow(Background& background, std::shared_ptr<const LiveService> service,
                std::string_view request_id, std::string_view method, std::string_view path);
  ~BackgroundRow();  // drops the tasks that did not run
  BackgroundRow(const BackgroundRow&) = delete;
  BackgroundRow& operator=(const BackgroundRow&) = delete;

  // For its tasks' fetches.
  void set_http_client(http::Client* client, std::string_view traceparent) {
    http_client_ = client;
    traceparent_ = traceparent;
  }
  // RESOURCE_EXHAUSTED when too many wait: the task is not taken.
  Status add(const BackgroundTask& task);
  // [any] The response has been sent. `self` is this row.
  void begin(std::shared_ptr<BackgroundRow> self);

  // bento_ctx
  const bento_scope* scope() override { return &scope_; }
  std::string_view request_id() const override { return request_id_; }
  bool cancelled() const override { return *background_.stopping_; }
  Result<plugin::TicketPtr> submit(std::string_view runner, std::string_view method,
                                   std::span<const bento_value* const> inputs) override;
  Result<plugin::Waiter> waiter() override;
  Result<plugin::TicketPtr> offload(void (*work)(void*), void* arg) override;

  Result<plugin::TicketPtr> fetch(const bento_fetch& request) override;

 private:
  friend class Background;
  // Runs tasks until none is left, or one has failed, or the next belongs on the loop or a thread.
  void run_on_thread();
  void run_on_loop(const std::shared_ptr<BackgroundRow>& self, EventLoop& loop);
  bool is_at_end() const { return tasks_.empty() || has_failed_ || *background_.stopping_; }
  BackgroundTask take_next();
  void drop_rest();
  void end(const BackgroundTask& task, TimePoint begun, const Status& status);
  PluginCallNote note() const;

  Background& background_;
  const std::shared_ptr<const LiveService> service_;
  const std::string request_id_, method_, path_;
  bento_scope scope_{};
  std::deque<BackgroundTask> tasks_;
  bool has_failed_ = false;
  std::shared_ptr<AsyncTask> async_;  // that runs
  http::Client* http_client_ = nullptr;
  std::string traceparent_;
};

}  // namespace bentohost::service
