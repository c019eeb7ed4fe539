// Channel, AnswerChannel and App: the ABI's channels and apps as classes whose errors are thrown.
// Part of <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <algorithm>
#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bento::testing::internal {

// A mistake of the plugin is not the client's fault: 500.
[[noreturn]] inline void misuse(const std::string& what) {
  throw Error(BENTO_FAILED_PRECONDITION, what, 500);
}

inline void check_header(std::string_view name, std::string_view value) {
  const auto is_control = [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; };
  const auto refuse = [name](const char* why) {
    misuse("header \"" + std::string(name) + "\": " + why);
  };
  if (name.empty() || name.find_first_of(": \t\r\n") != name.npos) {
    refuse("its name is not made of letters, digits, '-' and the like");
  }
  if (std::any_of(value.begin(), value.end(), is_control)) {
    refuse("its value has a line break or control byte");
  }
}

inline void check_status(std::uint32_t status) {
  if (status >= 200 && status <= 599) return;
  misuse("status " + std::to_string(status) + " is not between 200 and 599");
}

inline bento_event make_event(std::uint32_t type) {
  bento_event event{};
  event.size = sizeof event;
  event.type = type;
  return event;
}
inline std::string_view body_of(const bento_event& event) {
  return {static_cast<const char*>(event.body.ptr), event.body.len};
}

class Channel {
 public:
  Channel() {
    table_.channel.size = sizeof table_.channel;
    table_.channel.receive = [](bento_channel* channel, bento_event* out, bento_error* error) {
      return detail::guard(error, [&] { self(channel).receive(*out); });
    };
    table_.channel.send = [](bento_channel* channel, const bento_event* event, bento_error* error) {
      return detail::guard(error, [&] { self(channel).send(*event); });
    };
#if BENTO_ABI_TARGET_MINOR >= 1
    table_.channel.when = [](bento_channel* channel, std::uint32_t what, void (*wake)(void*),
                             void* arg) -> std::int32_t {
      return self(channel).when(what, wake, arg) ? 1 : 0;
    };
#endif
    table_.self = this;
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  virtual ~Channel() = default;

  bento_channel* abi() { return &table_.channel; }

 protected:
  virtual void receive(bento_event& out) = 0;
  virtual void send(const bento_event& event) = 0;
  // False: it is worth asking now.
  virtual bool when(std::uint32_t what, void (*wake)(void*), void* arg) = 0;

 private:
  struct Table {
    bento_channel channel{};  // first: has the table's address
    Channel* self = nullptr;
  };
  static Channel& self(bento_channel* channel) { return *reinterpret_cast<Table*>(channel)->self; }
  Table table_;
};

struct AnswerHead {
  std::uint32_t status = 0;
  Headers headers;
};

// A channel that enforces the order of an answer: a head, which is held back until the first piece
// of the body, pieces, and an end.
class AnswerChannel : public Channel {
 public:
  bool has_ended() const { return state_ == State::kEnded; }
  // True once any of the answer has gone out: then no error can replace it.
  bool is_under_way() const { return state_ == State::kStreaming || state_ == State::kEnded; }
  // Call it after the answering code has returned.
  void expect_end(const std::string& who) const {
    if (state_ == State::kNothing) throw Error(BENTO_INTERNAL, who + " returned without an answer");
    if (state_ != State::kEnded) {
      throw Error(BENTO_INTERNAL, who + " returned before the end of its answer");
    }
  }
  bool has_nothing() const { return state_ == State::kNothing; }
  // The answer sent while `send` runs is returned and not passed on; nothing if it is incomplete.
  struct Draft {
    AnswerHead head;
    std::string body;
    bool is_whole;
  };
  template <typename Send>
  std::optional<Draft> draft(Send&& send) {
    is_drafting_ = true;
    draft_.reset();
    try {
      send();
    } catch (...) {
      is_drafting_ = false;
      throw;
    }
    is_drafting_ = false;
    if (draft_ && !draft_->is_whole) draft_.reset();
    return std::exchange(draft_, std::nullopt);
  }
  // Sends a whole answer, in place of an answer that has at most been started.
  void answer(AnswerHead head, std::string_view body) {
    state_ = State::kEnded;
    on_head(std::move(head), body, false);
  }

 protected:
  // The head with the first piece of the body, and further pieces; the last one without `more`.
  virtual void on_head(AnswerHead head, std::string_view piece, bool more) = 0;
  virtual void on_piece(std::string_view piece, bool more) = 0;

 private:
  enum class State { kNothing, kHead, kStreaming, kEnded };

  void send(const bento_event& event) override {
    if (event.type == BENTO_RESPONSE_START) return start(event);
    if (event.type != BENTO_RESPONSE_BODY) {
      misuse("send takes BENTO_RESPONSE_START and BENTO_RESPONSE_BODY");
    }
    if (is_drafting_) {
      if (!draft_ || draft_->is_whole) misuse("a body before the start, or after the end");
      draft_->body += body_of(event);
      draft_->is_whole = event.more == 0;
      return;
    }
    if (state_ == State::kNothing) misuse("a body before the response was started");
    if (state_ == State::kEnded) misuse("a body after the last one");
    const bool is_first = state_ == State::kHead, more = event.more != 0;
    state_ = more ? State::kStreaming : State::kEnded;
    if (is_first) return on_head(std::move(head_), body_of(event), more);
    on_piece(body_of(event), more);
  }
  void start(const bento_event& event) {
    if (state_ != State::kNothing || (is_drafting_ && draft_)) {
      misuse("the response was already started");
    }
    check_status(event.status);
    for (std::size_t i = 0; i < event.headers.len; ++i) {
      check_header(detail::view(event.headers.ptr[i].name),
                   detail::view(event.headers.ptr[i].value));
    }
    AnswerHead head{event.status, Headers(event.headers)};
    if (is_drafting_) {
      draft_ = Draft{std::move(head), {}, false};
      return;
    }
    head_ = std::move(head);
    state_ = State::kHead;
  }

  State state_ = State::kNothing;
  AnswerHead head_;
  bool is_drafting_ = false;
  std::optional<Draft> draft_;
};

// A channel of the ABI whose errors are thrown.
class Outlet {
 public:
  explicit Outlet(bento_channel* channel) : channel_(channel) {}

  void head(const AnswerHead& head, std::string_view piece, bool more) {
    const std::vector<bento_pair> pairs = head.headers.abi();
    bento_event event = make_event(BENTO_RESPONSE_START);
    event.status = head.status;
    event.headers = {pairs.data(), pairs.size()};
    send(event);
    this->piece(piece, more);
  }
  void piece(std::string_view piece, bool more) {
    bento_event event = make_event(BENTO_RESPONSE_BODY);
    event.more = more ? 1 : 0;
    event.body = {piece.data(), piece.size()};
    send(event);
  }
  void receive(bento_event& out) {
    bento_error error = detail::make_error();
    detail::check(channel_->receive(channel_, &out, &error), error);
  }
  bool when(std::uint32_t what, void (*wake)(void*), void* arg) {
#if BENTO_ABI_TARGET_MINOR >= 1
    return channel_->when(channel_, what, wake, arg) != 0;
#else
    return (void)what, (void)wake, (void)arg, false;
#endif
  }
  std::string read_all() {
    std::string body;
    for (bool more = true; more;) {
      bento_event event = make_event(BENTO_REQUEST_BODY);
      receive(event);
      if (event.type == BENTO_DISCONNECT) throw Error(BENTO_CANCELLED, "the client is gone");
      body += body_of(event);
      more = event.more != 0;
    }
    return body;
  }

 private:
  void send(const bento_event& event) {
    bento_error error = detail::make_error();
    detail::check(channel_->send(channel_, &event, &error), error);
  }
  bento_channel* channel_;
};

// Passes everything on, and knows what has gone out.
class PassingChannel : public AnswerChannel {
 public:
  explicit PassingChannel(bento_channel* to) : to_(to) {}

 protected:
  void receive(bento_event& out) override { to_.receive(out); }
  bool when(std::uint32_t what, void (*wake)(void*), void* arg) override {
    return to_.when(what, wake, arg);
  }
  void on_head(AnswerHead head, std::string_view piece, bool more) override {
    to_.head(head, piece, more);
  }
  void on_piece(std::string_view piece, bool more) override { to_.piece(piece, more); }

  Outlet to_;
};

// Answers calls: the service, or a middleware around it.
class App {
 public:
  App() = default;
  App(const App&) = delete;
  App& operator=(const App&) = delete;
  virtual ~App() = default;
  // Throws an error that has not been turned into an answer.
  virtual void call(const bento_call& call) = 0;
};

}  // namespace bento::testing::internal
