// AsyncStream and AsyncEventStream: Stream and EventStream for handlers that are coroutines. No
// stream holds a thread. Part of <bento/bento.hpp>.
//
//   svc.api("upper", [](bento::AsyncStream& stream) -> bento::Async<> {
//     while (auto piece = co_await stream.receive()) co_await stream.send(upper(*piece));
//   });
//   svc.api("ticks", {.method = "GET"},
//           [](bento::Context& ctx, bento::AsyncEventStream& out) -> bento::Async<> {
//             for (int i = 0;; ++i) {
//               co_await out.send({.data = std::to_string(i)});
//               co_await bento::sleep(ctx, 1s);
//             }
//           });
//
// All that <bento/stream.hpp> says of answers, errors and deadlines holds here. Where Stream waits,
// this suspends: for the body as it comes, and for room before a piece is sent, so memory stays
// constant. When the client is gone they throw Disconnected. One thing at a time: what has been
// asked for is awaited before the next.
#pragma once

#include <bento/abi.h>

#include <bento/detail/coroutine.hpp>
#include <bento/error.hpp>
#include <bento/event_stream.hpp>
#include <bento/headers.hpp>
#include <bento/stream.hpp>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#if BENTO_ABI_TARGET_MINOR >= 1
namespace bento {

// The two directions of one exchange. Made by the SDK, and valid until the handler has ended.
class AsyncStream {
  // The host's wake of one direction: it stays armed when nobody waits for it any more.
  struct Side {
    bento_channel* channel;
    std::uint32_t what;
    detail::Wait* waits = nullptr;
    void (*on_ready)(detail::Wait*) = nullptr;
    bool is_armed = false;

    // False: it is ready now.
    bool arm() {
      if (is_armed) return true;
      is_armed = channel->when(channel, what, &Side::wake, this) != 0;
      return is_armed;
    }
    static void wake(void* self) {
      Side& side = *static_cast<Side*>(self);
      side.is_armed = false;
      if (side.waits != nullptr) side.on_ready(side.waits);
    }
  };

 public:
  explicit AsyncStream(bento_channel* channel)
      : stream_(channel), in_{channel, BENTO_CAN_RECEIVE}, out_{channel, BENTO_CAN_SEND} {}
  AsyncStream(const AsyncStream&) = delete;
  AsyncStream& operator=(const AsyncStream&) = delete;

  // co_await stream.receive(): the next piece of the body, as Stream::receive() has it.
  class Receive : public detail::Wait {
   public:
    explicit Receive(AsyncStream& stream) : stream_(stream) {}
    ~Receive() override {
      if (stream_.in_.waits == this) leave();
    }
    bool await_ready() { return stream_.stream_.poll(piece_); }
    template <typename P>
    bool await_suspend(std::coroutine_handle<P> whom) {
      if (!begin(whom)) return false;
      stream_.in_.waits = this;
      stream_.in_.on_ready = [](detail::Wait* self) { static_cast<Receive*>(self)->on_ready(); };
      if (stream_.in_.arm() || !poll()) return true;
      leave();
      stay();
      return false;
    }
    std::optional<std::string_view> await_resume() {
      throw_if_cancelled();
      if (failure_) std::rethrow_exception(failure_);
      return piece_;
    }

   private:
    // False: it waits.
    bool poll() {
      try {
        while (!stream_.stream_.poll(piece_)) {
          if (stream_.in_.arm()) return false;
        }
      } catch (...) {
        failure_ = std::current_exception();
      }
      return true;
    }
    void on_ready() {
      if (!poll()) return;
      leave();
      resume();
    }
    void leave() { stream_.in_.waits = nullptr; }
    void cancel() override {
      leave();
      resume();
    }

    AsyncStream& stream_;
    std::optional<std::string_view> piece_;
    std::exception_ptr failure_;
  };
  [[nodiscard]] Receive receive() { return Receive(*this); }

  // The answer's status and headers, as Stream::start() has them. It does not wait.
  void start(std::uint32_t status, std::string_view content_type, const Headers& headers = {}) {
    stream_.start(status, content_type, headers);
  }

  // co_await stream.send(bytes), end(bytes): a piece, and the last one, when there is room for it;
  // as Stream has them. `bytes` is valid until the co_await is over.
  class Send : public detail::Wait {
   public:
    Send(AsyncStream& stream, std::string_view bytes, bool is_last)
        : stream_(stream), bytes_(bytes), is_last_(is_last) {}
    ~Send() override {
      if (stream_.out_.waits == this) leave();
    }
    bool await_ready() const noexcept { return false; }
    template <typename P>
    bool await_suspend(std::coroutine_handle<P> whom) {
      if (!begin(whom)) return false;
      stream_.out_.waits = this;
      stream_.out_.on_ready = [](detail::Wait* self) { static_cast<Send*>(self)->on_ready(); };
      if (stream_.out_.arm()) return true;
      leave();
      stay();
      return false;
    }
    void await_resume() {
      throw_if_cancelled();
      if (is_last_) {
        stream_.stream_.end(bytes_);
      } else {
        stream_.stream_.send(bytes_);
      }
    }

   private:
    void on_ready() {
      leave();
      resume();
    }
    void leave() { stream_.out_.waits = nullptr; }
    void cancel() override { on_ready(); }

    AsyncStream& stream_;
    std::string_view bytes_;
    bool is_last_;
  };
  [[nodiscard]] Send send(std::string_view bytes) { return Send(*this, bytes, false); }
  [[nodiscard]] Send end(std::string_view bytes = {}) { return Send(*this, bytes, true); }

  // Whether send() or end() has sent anything, so that no error can take the answer's place.
  bool is_under_way() const { return stream_.is_under_way(); }

  // For the SDK: the stream as a thread has it. Neither receive() nor anything else waits there.
  Stream& without_waiting() { return stream_; }

 private:
  Stream stream_;
  Side in_, out_;
};

// Server-sent events: EventStream for coroutines. co_await all three.
class AsyncEventStream {
 public:
  explicit AsyncEventStream(AsyncStream& stream) : stream_(stream) {}

  class Send {
   public:
    Send(AsyncEventStream& events, std::string text)
        : events_(events), text_(std::move(text)), send_(events.stream_, text_, false) {}
    Send(const Send&) = delete;
    Send& operator=(const Send&) = delete;
    bool await_ready() const noexcept { return false; }
    template <typename P>
    bool await_suspend(std::coroutine_handle<P> whom) {
      if (!std::exchange(events_.is_started_, true)) detail::start_events(events_.stream_);
      return send_.await_suspend(whom);
    }
    void await_resume() { send_.await_resume(); }

   private:
    AsyncEventStream& events_;
    const std::string text_;
    AsyncStream::Send send_;
  };
  // One event. Throws Error, 500, for an `event` or `id` with a line break or NUL in it.
  [[nodiscard]] Send send(const Event& event) { return {*this, detail::event_text(event)}; }
  // Text that browsers ignore. It keeps a quiet connection alive through proxies.
  [[nodiscard]] Send comment(std::string_view text) { return {*this, detail::comment_text(text)}; }
  // Sends the head, so that a client knows of the stream before there is an event. A handler that
  // ends without events has this called for it.
  [[nodiscard]] Send open() { return {*this, {}}; }

 private:
  AsyncStream& stream_;
  bool is_started_ = false;
};

}  // namespace bento
#endif
