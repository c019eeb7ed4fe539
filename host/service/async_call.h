// AsyncCall: one call of an asynchronous function of a plugin, from its beginning until the plugin
// finishes it. It holds what the plugin was lent, wakes the plugin on the loop of the request's
// connection, and tells it when the request is over: its client gone, its deadline past, a stream
// to be ended because the host stops. It needs no thread. Behind middleware that waits, the loop is
// one of the middleware's thread, and that thread runs it until the plugin has finished.
//
// The plugin holds the call: until it finishes, the request keeps its slot and its generation.
#pragma once

#include <bento/abi.h>

#include <memory>
#include <optional>
#include <string>

#include "base/loop/event_loop.h"
#include "base/process/plugin_call_note.h"
#include "base/status.h"
#include "http/message.h"
#include "plugin/async_scope.h"
#include "service/done.h"
#include "service/loop_stalls.h"
#include "service/request.h"
#include "service/request_deps.h"

namespace bentohost::service {

class AsyncCall : public http::StreamEvents,
                  public std::enable_shared_from_this<AsyncCall>,
                  private plugin::AsyncScope::Owner,
                  private Done::Owner,
                  private Timer::Owner {
 public:
  // `who` names the function: "api classify". It and `stalls` outlive the request.
  AsyncCall(RequestPtr request, RequestDeps& deps, const std::string& who, LoopStalls& stalls);
  virtual ~AsyncCall() = default;
  AsyncCall(const AsyncCall&) = delete;
  AsyncCall& operator=(const AsyncCall&) = delete;

  // [loop, within the handler's call, or on the request's thread] Answers the request, now or
  // later.
  void begin();
  // [any] The host stops: a response that has begun is ended.
  void stop_stream();

  // http::StreamEvents
  void on_body() override {}
  void on_room() override {}
  void on_cancelled() final;

 protected:
  // What the derived classes call and answer. All of it on the loop.
  virtual bento_code call(bento_done* done, bento_error* error) = 0;
  // Before call(): whether that may follow at once. If not, ready() or fail() comes later.
  virtual bool prepare() { return true; }
  // The plugin has finished with `status`. The request is released afterwards.
  virtual void answer(const Status& status) = 0;
  // The request is over, and the tickets have ended: who else waits is to be woken.
  virtual void on_over() {}

  // [any] After a prepare() that returned false.
  void ready();
  void fail(const Status& why);
  // Calls the plugin again.
  void wake(const plugin::Wake& wake) final;
  // Something has begun to wait: for a ticket, for room.
  void on_wait() final;
  // Ends the call, as the plugin's `finish` does: once.
  void finish(const Status& status) { on_finish(status); }
  // The body is whole: the deadline counts from now.
  void on_deadline_moved() {
    if (timer_->when() != kNoDeadline) on_wait();
  }

  const RequestPtr& request() const { return request_; }  // null: it has been answered
  RequestDeps& deps() const { return deps_; }
  bool is_on_thread() const { return is_on_thread_; }
  void set_sink(bento_sink* sink) { done_.set_sink(sink); }

 private:
  void on_finish(Status status) override;
  void on_second_finish() const override;
  void on_timer() override;
  void open(EventLoop& loop);
  void run_on_thread();
  void start();
  template <typename F>
  void enter(F&& f);
  void complete();
  void end_if_over();
  void cancel(const Status& why);
  bool is_streaming() const;

  RequestPtr request_;
  RequestDeps& deps_;
  const std::string& who_;
  LoopStalls& stalls_;
  EventLoop* loop_ = nullptr;
  plugin::AsyncScope scope_{*this};
  Done done_{*this};
  std::optional<Timer> timer_;       // for the deadline
  std::shared_ptr<AsyncCall> keep_;  // the plugin's reference
  PluginCallNote note_;
  bool is_on_thread_ = false;  // the loop is a thread's
  bool is_inside_ = false;     // of the plugin's code
  bool is_complete_ = false;
  std::string name_;                // of a finished call: `who_` may be gone
  std::optional<Status> finished_;  // within a call of the plugin, until that returns
};

}  // namespace bentohost::service
