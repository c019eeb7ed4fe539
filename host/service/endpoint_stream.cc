// Direct APIs of runner methods that stream: their results go from the runner's pipe to the
// connection, with no code of the plugin in between.
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "codec/stream_text.h"
#include "service/decoded_call.h"
#include "service/endpoint.h"
#include "service/input_views.h"
#include "service/open_streams.h"
#include "service/work.h"

namespace bentohost::service {

class Endpoint::DirectStream final : public DecodedCall {
 public:
  DirectStream(const Endpoint& endpoint, const RequestPtr& its_request, RequestDeps& its_deps)
      : DecodedCall(endpoint, its_request, its_deps),
        stream_(endpoint.api_.stream),
        at_work_(std::in_place, its_request->tracked()) {}

 private:
  bento_code call(bento_done*, bento_error*) override {
    if (!is_on_thread()) deps().streams.add(shared_from_this());
    if (request()->is_head()) {  // the head alone: no model needs to work for it
      finish({});
      return BENTO_OK;
    }
    const InputViews inputs(values_);
    auto ticket =
        request()->submit(endpoint_.api_.runner, endpoint_.api_.method, inputs.pointers());
    if (!ticket.ok()) {
      finish(ticket.status());
      return BENTO_OK;
    }
    ticket_ = *std::move(ticket);
    values_.clear();
    pump();
    return BENTO_OK;
  }

  static void pump(void* self) { static_cast<DirectStream*>(self)->pump(); }
  void pump() {
    try {
      send_all();
    } catch (const std::bad_alloc&) {
      finish(out_of_memory());
    }
  }

  // Once it is over there will be no room any more, and the ticket tells why it ends.
  bool is_over() const { return request()->is_cancelled() || !request()->async()->over().ok(); }

  // Sends results as long as there are any, and room for them: so a slow reader slows the model.
  void send_all() {
    while (ticket_ != nullptr) {
      if (request()->is_streaming() && !request()->has_room() && !is_over()) {
        waits_for_room_ = true;
        return on_wait();
      }
      const auto results = ticket_->next();
      if (results.status().code() == BENTO_PENDING) {
        if (ticket_->when(&DirectStream::pump, this)) return;
        continue;
      }
      if (!results.ok()) return finish(results.status());
      if ((*results).empty()) return finish({});
      if (const Status status = send(*results); !status.ok()) return finish(status);
    }
  }

  Status send(bento_ticket::Results results) {
    views_.clear();
    for (const bento_value* result : results) views_.push_back(*result);
    std::string text;
    Status status = append_result(text, views_, endpoint_.api_.outs, endpoint_.who_,
                                  endpoint_.is_checked_, stream_);
    if (!status.ok()) return status;
    return request()->is_streaming() ? request()->write(text, true) : start(std::move(text));
  }

  Status start(std::string text) {
    http::Response response;
    response.content_type = stream_type(stream_);
    response.body = std::move(text);
    response.headers.push_back({"Cache-Control", "no-store"});
    return request()->start(std::move(response));
  }

  // Without a result the answer is as any other API's. Afterwards only the end can tell.
  void answer(const Status& status) override {
    deps().streams.remove(this);
    ticket_.reset();
    end(status);
    at_work_.reset();
  }

  void end(const Status& original) {
    const bool is_events = stream_ == BENTO_AS_EVENTS;
    Status status = original;
    if (status.ok() && !request()->is_streaming()) status = start({});
    if (!request()->is_streaming()) return request()->fail(status);
    if (request()->is_head()) return (void)request()->write({}, false);
    std::string last;
    if (status.ok() && is_events) append_event(last, "[DONE]");
    if (status.ok()) return (void)request()->write(last, false);
    if (!is_events || request()->is_cancelled()) return request()->abort(status);
    append_event(
        last, request()->problem_of(request()->as_answer(status), request()->request().path).body,
        "error");
    log_end(status);
    (void)request()->write(last, false);
  }

  // As fail() has it: a 4xx is for the client alone.
  void log_end(const Status& status) {
    const std::uint32_t code = request()->as_answer(status).http_status();
    const bool is_expected = code < 500 || deps().draining.load();
    log(is_expected   ? LogLevel::kDebug
        : code == 500 ? LogLevel::kError
                      : LogLevel::kWarning,
        "a stream ended with an error: " + status.message(),
        {{"status", code},
         {"path", request()->request().path},
         {"request_id", request()->request_id()}});
  }

  void on_room() override {
    if (std::exchange(waits_for_room_, false)) wake({&DirectStream::pump, this});
  }
  void on_over() override { on_room(); }

  const std::uint32_t stream_;
  std::optional<TrackedExchange::AtWork> at_work_;
  plugin::TicketPtr ticket_;
  std::vector<bento_value> views_;
  bool waits_for_room_ = false;
};

void Endpoint::call_stream(const RequestPtr& request, RequestDeps& deps) const {
  std::make_shared<DirectStream>(*this, request, deps)->begin();
}

}  // namespace bentohost::service
