// RequestContext: a request as a handler, an app or a middleware sees it: the bento_ctx of its
// calls, the status and headers that it sets, and the way to answer. The host's duties belong to
// the tracked exchange, further out.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/process/plugin_call_note.h"
#include "base/status.h"
#include "http/message.h"
#include "http/route/route_table.h"
#include "plugin/async_scope.h"
#include "plugin/context.h"
#include "service/live_service.h"
#include "service/request_deps.h"
#include "service/route_labels.h"
#include "service/scope.h"
#include "service/tracked_exchange.h"

namespace bentohost::service {

class RequestContext final : public bento_ctx {
 public:
  // Answers `exchange`: the tracked one, or one inside of it. `outer` keeps both alive.
  RequestContext(RequestDeps& deps, TrackedExchange& tracked, http::Exchange& exchange,
                 std::shared_ptr<const void> outer = nullptr);

  const http::Request& request() const { return exchange_.request(); }
  std::string_view request_id() const override { return tracked_.request_id(); }

  void set_path_params(const http::Parameters& parameters);  // of this request's path
  // The service whose runners it may call, and its part of the path. `root_path` must outlive this.
  void set_service(std::shared_ptr<const LiveService> service, std::string_view root_path) {
    service_ = std::move(service);
    root_path_ = root_path;
  }
  // The request's data for a report of a crash in `what`, which must outlive the note.
  PluginCallNote note(std::string_view what) const;
  // The request already runs on a thread, which may wait.
  void set_on_thread() { is_on_thread_ = true; }
  bool is_on_thread() const { return is_on_thread_; }
  // The request is for an app, which may name routes below its mount. Both must outlive this.
  void set_mount(RouteLabels& labels, const RouteLabel& mount) {
    labels_ = &labels;
    mount_ = &mount;
  }
  // Its tickets are waited for on a loop, until `scope` is null again; the scope belongs to the
  // call that answers. Without one they are waited for on a thread.
  void set_async(std::shared_ptr<plugin::AsyncScope> scope) { async_ = std::move(scope); }
  const plugin::AsyncScope* async() const { return async_.get(); }
  // An asynchronous handler waits for its channel.
  void note_wait() { async_->on_wait(); }
  // From now on submit() is refused: waiting for its result would hold up an event loop.
  void forbid_calls() { may_call_ = false; }
  // `amend` may change the response before it is sent, unless it is streamed.
  void set_amend(std::function<void(http::Response&)> amend) { amend_ = std::move(amend); }
  // The response has been sent: nothing can be deferred any more.
  void set_ended() { has_ended_ = true; }

  // The client is gone: a response would be of no use.
  bool is_cancelled() const { return gone_->load(std::memory_order_relaxed); }
  TrackedExchange& tracked() { return tracked_; }
  bool is_head() const { return is_head_; }
  // A streamed response has begun.
  bool is_streaming() const { return is_streaming_; }
  // When runner calls of this request end: its deadline, and when its client has left. A streamed
  // response that has begun has no deadline, and each of its calls the time of a request.
  runner::Client::CallLimits wanted() const;
  // [worker] (waits) The next piece of a streamed body.
  Result<http::ReceivedBody> receive();
  // As http::Exchange's: to answer without a thread. Afterwards receive(), start() and write() do
  // not wait.
  EventLoop* answer_on_loop(std::shared_ptr<http::StreamEvents> events) {
    return exchange_.answer_on_loop(std::move(events));
  }
  // On a thread write() waits for room, and nobody would be told of it.
  bool has_room() const { return is_on_thread_ || exchange_.has_room(); }
  // The status to answer with for `status`. When the client has left, CANCELLED (499) is for the
  // log; a client that waits is told why its request was cancelled, as no server answers 499.
  Status as_answer(const Status& status) const;

  // Exactly one of these, once; the exchange is over after it. answer() adds the status and headers
  // that the handler set; fail() writes a problem and logs what the client is not told.
  void answer(http::Response&& response);
  // `headers` take the place of the problem's own.
  void fail(const Status& original, http::Headers headers = {});
  void fail(int http_status, std::string_view detail, http::Headers headers = {});
  // Fails the request, cuts off its streamed response, or only logs when the response has ended.
  void give_up(const Status& why);

  // The response made from an error. The caller decides whether to log the error, too.
  http::Response problem_of(const Status& status, std::string_view path) const;

  // [worker] (waits) Or the response in pieces: start(), then write() until `more` is false, or
  // abort() when it cannot be completed. After an error of start() other than CANCELLED, call one
  // of the above instead; UNAVAILABLE (503): too many streams are open. A started response has no
  // deadline, but is cancelled() when the host ends, and at once when the request is a HEAD.
  Status start(http::Response response);
  Status write(std::string_view bytes, bool more);
  void abort(const Status& why);

  // bento_ctx
  const bento_scope* scope() override;
  Status set_status(std::uint32_t status) override;
  Status add_header(std::string_view name, std::string_view value) override;
  Status set_route(std::string_view route) override;
  bool cancelled() const override;
  Result<plugin::TicketPtr> submit(std::string_view runner, std::string_view method,
                                   std::span<const bento_value* const> inputs) override;
  Status defer(bento_code (*task)(void*, bento_ctx*, bento_error*), void* arg,
               void (*drop)(void*)) override;
  Status defer_async(bento_code (*task)(void*, bento_ctx*, bento_done*, bento_error*), void* arg,
                     void (*drop)(void*)) override;
  Result<plugin::Waiter> waiter() override;
  Result<plugin::TicketPtr> offload(void (*work)(void*), void* arg) override;
  Result<plugin::TicketPtr> fetch(const bento_fetch& request) override;

 private:
  Status defer_task(const BackgroundTask& task);
  void add_set(http::Response& response);
  void keep_own(std::string_view name, http::Response& response) const;
  void respond(http::Response&& response);

  RequestDeps& deps_;
  TrackedExchange& tracked_;
  http::Exchange& exchange_;
  const std::shared_ptr<const void> outer_;
  std::shared_ptr<const LiveService> service_;
  std::string_view root_path_;
  RouteLabels* labels_ = nullptr;                         // null unless for an app
  const RouteLabel* mount_ = nullptr;                     // likewise
  const std::shared_ptr<const std::atomic<bool>>& gone_;  // the tracked exchange's
  const bool is_head_;
  bool is_streaming_ = false, may_call_ = true, is_on_thread_ = false, has_ended_ = false;

  std::shared_ptr<plugin::AsyncScope> async_;  // null: it is on a thread
  std::function<void(http::Response&)> amend_;
  int status_ = 0;         // set by the handler
  http::Headers headers_;  // set by the handler
  std::vector<bento_pair> path_params_;
  Scope scope_;
};
using RequestPtr = std::shared_ptr<RequestContext>;

}  // namespace bentohost::service
