// ResponseState: the progress of the response to a connection's current request, and what may
// happen to it next. Pure: it moves no bytes and knows no descriptors, threads or time. One thread
// at a time: the connection's loop.
//
// The states and the allowed transitions. All other calls return false and change nothing: they are
// bugs of the caller.
//
//               begin     respond    returned  begin_stream  complete      abandon     settle
//   kIdle       kCalling  -          -         -             -             -           -
//   kCalling    -         kAnswered  kPending  -             -             -           -
//   kAnswered   -         -          kPending  -             -             -           -
//   kPending    -         -          -         kStreaming    kIdle, kOver  kAbandoned  -
//   kStreaming  -         -          -         -             kIdle, kOver  kAbandoned  -
//   kAbandoned  -         -          -         -             -             -           kOver
//   kOver       -         -          -         -             -             -           -
//
// complete() leads to kIdle and the next request if the connection stays open; otherwise to kOver.
#pragma once

#include <algorithm>
#include <cstdint>

namespace bentohost::http {

// What happens to the connection after a response, from the mildest.
enum class Ending : std::uint8_t {
  kKeepAlive,  // it takes the next request
  kClose,      // it is closed when the output has been sent
  kLinger,     // the same, but bytes that the client has sent, or is sending, may be unread
};

class ResponseState {
 public:
  enum class State : std::uint8_t {
    kIdle,       // no response is due
    kCalling,    // the application is being called: a response is kept until the call returns
    kAnswered,   // ... and has responded
    kPending,    // the call has returned: the response, or the head of a streamed one, is due
    kStreaming,  // the head is in the output, and the body follows piece by piece
    kAbandoned,  // answered late, or the connection is closed: the handler's response is dropped
    kOver,       // no further response: the connection ends
  };

  State state() const { return state_; }
  // The connection owes the client a response, or the rest of one: from kCalling to kStreaming.
  static bool is_due(State state) { return state >= State::kCalling && state <= State::kStreaming; }
  bool is_due() const { return is_due(state_); }
  bool is_in_call() const { return state_ == State::kCalling || state_ == State::kAnswered; }
  // The ending of the current response, as far as it is known, or of the last one.
  Ending ending() const { return ending_; }

  // The application is about to be called. `at_least`: the mildest ending that is allowed.
  [[nodiscard]] bool begin(Ending at_least = Ending::kKeepAlive) {
    if (!move(State::kIdle, State::kCalling)) return false;
    ending_ = at_least;
    return true;
  }
  // The application responds before its call returns.
  [[nodiscard]] bool respond() { return move(State::kCalling, State::kAnswered); }
  [[nodiscard]] bool returned() {
    return move(State::kAnswered, State::kPending) || move(State::kCalling, State::kPending);
  }
  // The head of a streamed response is in the output.
  [[nodiscard]] bool begin_stream(Ending ending) {
    if (!move(State::kPending, State::kStreaming)) return false;
    ending_ = std::max(ending_, ending);
    return true;
  }
  // All of the response is in the output. The worse ending counts.
  [[nodiscard]] bool complete(Ending ending) {
    if (state_ != State::kPending && state_ != State::kStreaming) return false;
    ending_ = std::max(ending_, ending);
    state_ = ending_ == Ending::kKeepAlive ? State::kIdle : State::kOver;
    return true;
  }
  // The client gets no response from the handler, or no more of it. The handler still has the
  // request. Not during the application's call.
  [[nodiscard]] bool abandon() {
    if (state_ != State::kPending && state_ != State::kStreaming) return false;
    state_ = State::kAbandoned;
    ending_ = Ending::kLinger;
    return true;
  }
  // The handler is now done with it.
  [[nodiscard]] bool settle() { return move(State::kAbandoned, State::kOver); }

 private:
  bool move(State from, State to) {
    if (state_ != from) return false;
    state_ = to;
    return true;
  }

  State state_ = State::kIdle;
  Ending ending_ = Ending::kKeepAlive;
};

}  // namespace bentohost::http
