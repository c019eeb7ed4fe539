#include "service/around.h"

#include <optional>
#include <utility>

#include "base/log.h"
#include "service/channel.h"

namespace bentohost::service {
namespace {

bento_error empty_error() {
  bento_error error{};
  error.size = sizeof error;
  return error;
}

// The exchange outside with a copy of its request: a middleware looks at that even when the answer,
// and with it the original, is gone.
class Held final : public http::Exchange {
 public:
  explicit Held(http::Exchange& outer) : outer_(outer) {
    std::string body = outer.take_body();
    request_ = outer.request();
    request_.body = std::move(body);
  }
  const http::Request& request() const override { return request_; }
  std::string take_body() override { return std::exchange(request_.body, {}); }
  void respond(http::Response response) override { outer_.respond(std::move(response)); }
  // A body that came whole is one piece.
  Result<http::ReceivedBody> receive() override {
    if (!request_.body.empty()) return http::ReceivedBody{take_body(), false};
    return outer_.receive();
  }
  Status start(http::Response response) override { return outer_.start(std::move(response)); }
  Status write(std::string_view bytes, bool more) override { return outer_.write(bytes, more); }
  void cut() override { outer_.cut(); }
  void after_sent(std::function<void()> f) override { outer_.after_sent(std::move(f)); }
  void answer_by(TimePoint, std::shared_ptr<http::LateAnswer>) override {}
  std::shared_ptr<const std::atomic<bool>> gone() const override { return outer_.gone(); }

 private:
  http::Exchange& outer_;
  http::Request request_;
};

// The bento_app that a middleware is handed.
class Next {
 public:
  Next(Ledger& ledger, http::Exchange& outer, const Inner& inner, const std::string& who)
      : ledger_(ledger), outer_(outer), inner_(inner), who_(who) {
    app_ = {this, &call};
  }
  const bento_app* app() const { return &app_; }
  // The answer that was made of an error, if the middleware passed that on.
  std::optional<http::Response>& failed() { return failed_; }

 private:
  static bento_code call(void* self, const bento_call* call, bento_error* error) {
    return static_cast<Next*>(self)->pass(*call).give(error);
  }
  Status pass(const bento_call& call) {
    if (std::exchange(is_called_, true)) {
      log_error(who_ + ": next was called twice", {{"request_id", ledger_.request_id()}});
      return Status(BENTO_FAILED_PRECONDITION, "next was called twice");
    }
    const auto passage = std::make_shared<Passage>(outer_, call);
    ledger_.hasten(TimePoint(Duration(static_cast<Duration::rep>(call.scope->deadline_ns))));
    inner_(passage);
    return passage->finish(failed_);
  }

  Ledger& ledger_;
  http::Exchange& outer_;
  const Inner& inner_;
  const std::string& who_;
  bento_app app_{};
  bool is_called_ = false;
  std::optional<http::Response> failed_;
};

}  // namespace

void run_around(Environment& environment, Ledger& ledger, http::Exchange& exchange,
                const std::shared_ptr<const void>& outer, const Middleware& middleware,
                const LiveService* service, const Inner& inner) {
  const auto held = std::make_shared<Held>(exchange);
  RequestContext context(environment, ledger, *held, outer);
  context.set_service(service, service == nullptr ? std::string_view() : service->prefix());
  Channel channel(context);
  Next next(ledger, *held, inner, middleware.what);
  const bento_call call{sizeof call, 0, &context, context.scope(), channel.get()};
  bento_error error = empty_error();
  const bento_code code =
      middleware.abi->around(middleware.self, middleware.abi, &call, next.app(), &error);
  if (code == BENTO_OK) return channel.finish({}, middleware.what);
  // An error from inside that was only passed on has its answer, and its line in the log, already.
  if (next.failed() && channel.is_untouched()) return exchange.respond(*std::move(next.failed()));
  channel.finish(Status::from_plugin(code, error), middleware.what);
}

}  // namespace bentohost::service
