// RequestContext: one request on its way through the service room: its id, deadline and lease on
// the service, what a handler says of the answer, and the one place where the answer goes out and
// is logged and counted.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "http/message.h"
#include "http/route_table.h"
#include "observe/access_log.h"
#include "observe/metrics.h"
#include "plugin/context.h"
#include "service/live_service.h"

namespace bentohost::service {

// What all requests share; the dispatcher owns it.
struct Environment {
  const Clock& clock;
  observe::Metrics& metrics;
  observe::AccessLog* access_log = nullptr;  // null: off
  Duration timeout = std::chrono::seconds(60);
  bool debug = false;                  // the details of 500s go to the client too
  std::size_t max_in_flight = 4096;    // requests of APIs; beyond: 503
  ThreadPool* threads = nullptr;       // for handlers; null: they run where they are called (tests)
  std::atomic<bool> stopping = false;  // readyz says so
  std::atomic<bool> draining = false;  // and no new work is taken
  std::atomic<std::size_t> in_flight = 0;  // of APIs; health and metrics do not count
};

class RequestContext final : public bento_ctx {
 public:
  RequestContext(Environment& environment, http::Exchange& exchange);

  const http::Request& request() const { return exchange_.request(); }
  TimePoint deadline() const { return deadline_; }
  std::string_view request_id() const override { return request_id_; }

  // Where it was routed to. `service` is null for the host's own endpoints.
  void set_route(observe::RouteMetrics* metrics, std::string_view route) {
    metrics_ = metrics;
    route_ = route;
  }
  void set_path_params(const http::Parameters& parameters);  // of this request's path
  void set_service(const LiveService* service);
  // From now on submit() is refused: waiting for its result would hold up an event loop.
  void forbid_calls() { may_call_ = false; }

  // The client is gone: an answer is of no use.
  bool is_gone() const { return gone_->load(std::memory_order_relaxed); }
  bool is_head() const { return is_head_; }
  // For how long runner calls of this request are wanted.
  runner::Client::Wanted wanted() const { return {deadline_, gone_}; }
  // [worker] (waits) For a streamed body.
  Result<http::ReceivedBody> receive();

  // Exactly one of these, once; the exchange is over after it. answer() adds the status and headers
  // that the handler set; fail() writes a problem and logs what the client is not told.
  void answer(http::Response response);
  void fail(const Status& status);
  void fail(int http_status, std::string_view detail, http::Headers headers = {});

  // [worker] (waits) Or the answer in pieces: start(), then write() until `more` is false, or cut()
  // when it cannot be completed. After an error of start() other than CANCELLED one of the above is
  // due instead. A started answer has no deadline, but is cancelled() when the host ends, and at
  // once when it is one to HEAD.
  Status start(http::Response response);
  Status write(std::string_view bytes, bool more);
  void cut(const Status& why);

  // bento_ctx
  const bento_scope* scope() override;
  Status set_status(std::uint32_t status) override;
  Status add_header(std::string_view name, std::string_view value) override;
  bool cancelled() const override;
  Result<std::unique_ptr<bento_ticket>> submit(std::string_view runner, std::string_view method,
                                               std::span<const bento_value* const> inputs) override;

 private:
  void send(http::Response response);
  void add_own_headers(http::Response& response);
  void note_end(int status, std::size_t response_bytes);

  Environment& environment_;
  http::Exchange& exchange_;
  std::string request_id_;
  TimePoint deadline_;
  observe::RouteMetrics* metrics_ = nullptr;
  std::string_view route_;
  const LiveService* service_ = nullptr;
  const std::shared_ptr<const std::atomic<bool>> gone_;
  const bool is_head_;
  bool is_streaming_ = false, may_call_ = true;
  int streamed_status_ = 0;
  std::size_t streamed_bytes_ = 0;

  int status_ = 0;         // set by the handler
  http::Headers headers_;  // set by the handler
  bento_scope scope_{};
  std::vector<bento_pair> scope_headers_, path_params_;
};
// Runs what may block; where it is called without threads.
inline void run_on(ThreadPool* threads, ThreadPool::Job job) {
  if (threads == nullptr) return job();
  threads->run(std::move(job));
}

using RequestPtr = std::shared_ptr<RequestContext>;

}  // namespace bentohost::service
