// The asynchronous forms of an API, and of a mounted app.
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "runner/output_sink.h"
#include "service/async_call.h"
#include "service/channel.h"
#include "service/decoded_call.h"
#include "service/endpoint.h"
#include "service/input_views.h"
#include "service/work.h"

namespace bentohost::service {

class Endpoint::AsyncInvoke final : public DecodedCall {
 public:
  AsyncInvoke(const Endpoint& endpoint, const RequestPtr& its_request, RequestDeps& its_deps)
      : DecodedCall(endpoint, its_request, its_deps) {
    set_sink(sink_.get());
  }

 private:
  bento_code call(bento_done* done, bento_error* error) override {
    inputs_.emplace(values_);
    return endpoint_.api_.abi->invoke_async(
        endpoint_.service_.instance().self(), endpoint_.api_.abi, request().get(),
        inputs_->pointers().data(), inputs_->pointers().size(), done, error);
  }
  void answer(const Status& status) override {
    if (!status.ok()) return request()->fail(status);
    const std::vector<bento_value> views = sink_.views();
    if (size_of(views) <= kMaxOnLoop) return endpoint_.answer_with(*request(), views);
    run_for(request(), deps(),
            [self = std::static_pointer_cast<AsyncInvoke>(shared_from_this()), held = request()] {
              self->endpoint_.answer_with(*held, self->sink_.views());
            });
  }

  std::optional<InputViews> inputs_;
  runner::OutputSink sink_;
};

void Endpoint::call_invoke_async(const RequestPtr& request, RequestDeps& deps) const {
  std::make_shared<AsyncInvoke>(*this, request, deps)->begin();
}

namespace {

class AsyncRaw final : public AsyncCall {
 public:
  AsyncRaw(const RequestPtr& its_request, RequestDeps& its_deps, const std::string& who,
           std::string_view name, LoopStalls& stalls, AsyncFunction function)
      : AsyncCall(its_request, its_deps, who, stalls),
        name_(name),
        function_(std::move(function)),
        at_work_(std::in_place, its_request->tracked()),
        channel_(std::in_place, *its_request) {}

 private:
  bento_code call(bento_done* done, bento_error* error) override {
    if (!is_on_thread()) deps().streams.add(shared_from_this());
    channel_->set_async();
    call_ = {sizeof call_, 0, request().get(), request()->scope(), channel_->get()};
    return function_(&call_, done, error);
  }
  void answer(const Status& status) override {
    deps().streams.remove(this);
    channel_->finish(status, name_);
    channel_.reset();
    at_work_.reset();
  }
  void on_body() override {
    if (channel_) tell(channel_->on_body());
    if (channel_) on_deadline_moved();
  }
  void on_room() override {
    if (channel_) tell(channel_->on_room());
  }
  void on_over() override {
    // Each may finish the call.
    while (channel_) {
      const plugin::Wake next = channel_->on_over();
      if (!next) return;
      tell(next);
    }
  }
  void tell(const plugin::Wake& whom) {
    if (whom) wake(whom);
  }

  const std::string_view name_;
  const AsyncFunction function_;
  std::optional<TrackedExchange::AtWork> at_work_;
  std::optional<Channel> channel_;
  bento_call call_{};
};

}  // namespace

void answer_async(const RequestPtr& request, RequestDeps& deps, const std::string& who,
                  std::string_view name, LoopStalls& stalls, AsyncFunction function) {
  std::make_shared<AsyncRaw>(request, deps, who, name, stalls, std::move(function))->begin();
}

void Endpoint::call_raw_async(const RequestPtr& request, RequestDeps& deps) const {
  answer_async(request, deps, who_, "the handler", stalls_,
               [this](const bento_call* call, bento_done* done, bento_error* error) {
                 return api_.abi->raw_async(service_.instance().self(), api_.abi, call, done,
                                            error);
               });
}

}  // namespace bentohost::service
