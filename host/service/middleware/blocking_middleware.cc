#include "service/middleware/blocking_middleware.h"

#include <optional>
#include <utility>

#include "base/log.h"
#include "service/channel.h"
#include "service/middleware/buffered_exchange.h"

namespace bentohost::service {
namespace {

// The plugin may have cut the message short.
bool is_same(const Status& passed_on, const Status& original) {
  return passed_on.code() == original.code() && passed_on.http_status() == original.http_status() &&
         original.message().starts_with(passed_on.message());
}

// The bento_app that a middleware gets as `next`.
class Next {
 public:
  // `channel` is the middleware's own channel.
  Next(TrackedExchange& tracked, http::Exchange& outer, Channel& channel,
       std::shared_ptr<const void> keep, const Inner& inner, const std::string& who)
      : tracked_(tracked),
        outer_(outer),
        channel_(channel),
        keep_(std::move(keep)),
        inner_(inner),
        who_(who) {
    app_ = {this, &call};
  }
  const bento_app* app() const { return &app_; }
  // The response made from an error further in, if any, after the middleware's changes.
  std::optional<http::Response>& failed() { return failed_; }
  const Status& failure() const { return *failure_; }  // if failed()

 private:
  static bento_code call(void* self, const bento_call* call, bento_error* error) {
    return static_cast<Next*>(self)->pass(*call).give(error);
  }
  Status pass(const bento_call& call) {
    if (std::exchange(is_called_, true)) {
      log_error(who_ + ": next was called twice", {{"request_id", tracked_.request_id()}});
      return Status(BENTO_FAILED_PRECONDITION, "next was called twice").as_misuse();
    }
    auto inner_exchange = InnerExchange::make(outer_, call, keep_);
    if (!inner_exchange.ok()) return std::move(inner_exchange).take_status();
    tracked_.tighten_deadline(call.scope->deadline_ns);
    inner_(*inner_exchange);
    Status status = (*inner_exchange)->finish(failed_);
    if (failed_) show_failed(**inner_exchange, status);
    return status;
  }
  // This middleware, or one further out, may still answer the failure itself, so nothing is sent
  // yet. But like any response it passes through the channel that the middleware handed on, so that
  // the middleware can see and change it.
  void show_failed(InnerExchange& inner_exchange, Status& status) {
    failure_ = failed_->failure;
    channel_.begin_draft();
    const Status shown = inner_exchange.send(*failed_);
    std::optional<http::Response> draft = channel_.end_draft();
    if (!shown.ok()) {  // a hook of the middleware failed: that is the failure now
      failed_.reset();
      status = shown;
    } else if (draft) {
      if (draft->status >= 500) draft->failure = failure_;  // below 500 the failure is handled
      failed_ = std::move(draft);
    }
  }

  TrackedExchange& tracked_;
  http::Exchange& outer_;
  Channel& channel_;
  const std::shared_ptr<const void> keep_;
  const Inner& inner_;
  const std::string& who_;
  bento_app app_{};
  bool is_called_ = false;
  std::optional<http::Response> failed_;
  std::shared_ptr<const Status> failure_;
};

}  // namespace

void run_blocking(RequestDeps& deps, TrackedExchange& tracked, http::Exchange& exchange,
                  const std::shared_ptr<const void>& outer, const Middleware& middleware,
                  const std::shared_ptr<const LiveService>& service, const Inner& inner) {
  const TrackedExchange::AtWork at_work(tracked);
  const auto buffered = std::make_shared<BufferedExchange>(exchange, outer);
  RequestContext context(deps, tracked, *buffered, buffered);
  context.set_service(service, service == nullptr ? std::string_view() : service->prefix());
  Channel channel(context);
  Next next(tracked, *buffered, channel, buffered, inner, middleware.what);
  const bento_call call{sizeof call, 0, &context, context.scope(), channel.get()};
  PluginCallNote note = context.note(middleware.what);
  note.plugin = middleware.plugin;
  const Status status = call_plugin(note, [&](bento_error* error) {
    return middleware.abi->around(middleware.self, middleware.abi, &call, next.app(), error);
  });
  // When the middleware only passed an inner error on, or ignored it, the error already has its
  // response and its line in the log.
  const bool is_passed_on = next.failed() && (status.ok() || is_same(status, next.failure()));
  if (is_passed_on && channel.is_untouched()) return exchange.respond(*std::move(next.failed()));
  channel.finish(status, middleware.what);
}

}  // namespace bentohost::service
