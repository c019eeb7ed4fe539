// EventStream: server-sent events (WHATWG HTML, section 9.2) over a Stream, UTF-8. Part of
// <bento/bento.hpp>.
//
//   svc.api("ticks", {.method = "GET"}, [](bento::Context& ctx, bento::EventStream& out) {
//     for (int i = 0; !ctx.cancelled(); ++i, wait()) out.send({.data = std::to_string(i)});
//   });
//
// It adds the format and nothing else: all that <bento/stream.hpp> says of waiting, of clients that
// leave and of the host's threads holds here. Browsers ask for events with GET, and ask again when
// a stream ends, unless the page has closed its EventSource. One thread: the handler's.
#pragma once

#include <bento/error.hpp>
#include <bento/stream.hpp>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace bento {

// One server-sent event. The texts are UTF-8, and are read before send() returns.
struct Event {
  std::string_view data = {};   // of any number of lines
  std::string_view event = {};  // its type, one line; empty: "message"
  std::string_view id = {};     // one line; a browser that comes back sends the last one as the
                                // header last-event-id
  std::optional<std::chrono::milliseconds> retry = {};  // how long a browser waits to come back
};

namespace detail {

inline void append_name(std::string_view field, std::string_view value, std::string& text) {
  if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
    throw Error(BENTO_INTERNAL, std::string(field) + " of an event: a line break or NUL in it");
  }
  if (!value.empty()) text.append(field).append(": ").append(value).append("\n");
}
// CR, LF and CR LF each end a line.
inline void append_lines(std::string_view field, std::string_view value, std::string& text) {
  while (true) {
    const std::size_t end = value.find_first_of("\r\n");
    text.append(field).append(value.substr(0, end)).append("\n");
    if (end == std::string_view::npos) return;
    value.remove_prefix(value.substr(end, 2) == "\r\n" ? end + 2 : end + 1);
  }
}
// As it goes over the wire. Throws Error, 500, for an `event` or `id` with a line break or NUL.
inline std::string event_text(const Event& event) {
  std::string text;
  append_name("event", event.event, text);
  append_name("id", event.id, text);
  if (event.retry && event.retry->count() >= 0) {
    text += "retry: " + std::to_string(event.retry->count()) + "\n";
  }
  append_lines("data: ", event.data, text);
  return text += "\n";
}
inline std::string comment_text(std::string_view comment) {
  std::string text;
  append_lines(": ", comment, text);
  return text += "\n";
}
template <typename AnyStream>
void start_events(AnyStream& stream) {
  stream.start(200, "text/event-stream", {{"Cache-Control", "no-store"}});
}

}  // namespace detail

// The answer is started with the first function that is called: 200, text/event-stream, and
// Cache-Control: no-store. All three throw Disconnected when the client is gone.
class EventStream {
 public:
  explicit EventStream(Stream& stream) : stream_(stream) {}

  // [waits] One event. Throws Error, 500, for an `event` or `id` with a line break or NUL in it;
  // then nothing was sent.
  void send(const Event& event) { put(detail::event_text(event)); }
  // [waits] Text that browsers ignore. It keeps a quiet connection alive through proxies.
  void comment(std::string_view text) { put(detail::comment_text(text)); }
  // [waits] Sends the head if it has not gone out, so that a client knows of the stream before
  // there is an event. A handler that returns without events has this called for it.
  void open() {
    if (!stream_.is_under_way()) put({});
  }

 private:
  void put(std::string_view text) {
    if (!std::exchange(is_started_, true)) detail::start_events(stream_);
    stream_.send(text);
  }

  Stream& stream_;
  bool is_started_ = false;
};

}  // namespace bento
