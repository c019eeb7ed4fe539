// Channel: the bento_channel of a raw API: the body as it arrives, the response as it is made. A
// response whose first body event is its last is sent whole, with a Content-Length; any other is
// streamed. One thread: the handler's, or the loop of one that is asynchronous: then no call waits,
// except behind middleware that does.
#pragma once

#include <bento/abi.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/status.h"
#include "http/message.h"
#include "plugin/async_scope.h"
#include "service/request.h"

namespace bentohost::service {

class Channel {
 public:
  explicit Channel(RequestContext& request);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  bento_channel* get() { return &table_.channel; }

  // The handler is asynchronous: a piece that is not there is PENDING, and send() is bounded
  // instead of waiting.
  void set_async() { is_async_ = true; }
  // The plugin's function to call now that there may be a piece, or room, or the request is over.
  plugin::Wake on_body();
  plugin::Wake on_room() { return std::exchange(send_wake_, {}); }
  plugin::Wake on_over();
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
  static std::int32_t when(bento_channel* channel, std::uint32_t what, void (*wake)(void*),
                           void* arg);
  bool is_worth_asking(std::uint32_t what);
  bool look_ahead();
  Status room_for(std::size_t bytes);
  Status receive(bento_event& out);
  Status start(const bento_event& event);
  Status body(const bento_event& event);
  Status misuse(std::string what);

  RequestContext& request_;
  Table table_{};
  std::string piece_;  // the last piece that receive() returned
  bool has_body_ended_ = false;
  bool is_async_ = false;
  std::optional<Result<http::ReceivedBody>> ahead_;  // what the next receive() returns
  std::size_t excess_ = 0;                           // bytes sent while there was no room
  plugin::Wake receive_wake_, send_wake_;
  State state_ = State::kNothing;
  Status misuse_;   // the first one
  Status refused_;  // a stream that there was no room for
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
