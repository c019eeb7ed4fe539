// Channel: the bento_channel of a raw API: the body as it arrives, the response as it is made. A
// response whose first body event is its last is sent whole, with a Content-Length; any other is
// streamed. One thread: the handler's.
#pragma once

#include <bento/abi.h>

#include <optional>
#include <string>

#include "base/status.h"
#include "http/message.h"
#include "service/request.h"

namespace bentohost::service {

class Channel {
 public:
  explicit Channel(RequestContext& request);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  bento_channel* get() { return &table_.channel; }
  // After the handler has returned `status`: completes or fails the request if the handler did not.
  // `who` names the handler in the log. Misuse of the channel is a failure, too.
  void finish(const Status& status, std::string_view who = "the handler");
  // Nothing was sent, not even by misuse.
  bool is_untouched() const { return state_ == State::kNothing && misuse_.ok(); }

  // Between the two, a response is kept instead of sent. end_draft() returns it if it is complete.
  void begin_draft();
  std::optional<http::Response> end_draft();

 private:
  struct Table {
    bento_channel channel;  // first: its address is the table's
    Channel* owner;
  };
  // kBodiless: a streamed response to HEAD; only its head is sent.
  enum class State { kNothing, kHead, kStreaming, kBodiless, kComplete };

  static bento_code receive(bento_channel* channel, bento_event* out, bento_error* error);
  static bento_code send(bento_channel* channel, const bento_event* event, bento_error* error);
  Status receive(bento_event& out);
  Status start(const bento_event& event);
  Status body(const bento_event& event);
  Status misuse(std::string what);

  RequestContext& request_;
  Table table_{};
  std::string piece_;  // the last piece that receive() returned
  bool has_body_ended_ = false;
  State state_ = State::kNothing;
  Status misuse_;  // the first one
  bool is_drafting_ = false, is_draft_whole_ = false;
  std::optional<http::Response> draft_;
  http::Response response_;  // from its start to its first body event
};

// [worker] (waits) Calls `f(call, error)`, which answers through a channel, and makes sure that the
// request is answered. `who` names the caller in the log, `what` in a crash report.
template <typename F>
void answer_through_channel(RequestContext& request, std::string_view who, std::string_view what,
                            F&& f) {
  const TrackedExchange::AtWork at_work(request.tracked());
  Channel channel(request);
  const bento_call call{sizeof call, 0, &request, request.scope(), channel.get()};
  channel.finish(
      call_plugin(request.note(what), [&](bento_error* error) { return f(call, error); }), who);
}

}  // namespace bentohost::service
