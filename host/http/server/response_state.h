// ResponseState: how far the response to a connection's current request has come, and what may
// happen to it next. Pure: it moves no bytes and knows no descriptors, threads or time. One thread
// at a time: the connection's loop.
//
// The states, and each transition that is allowed. All others return false and change nothing: the
// caller has a fault.
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
// complete() leads to kIdle, and the next request, when the connection stays open, else to kOver.
#pragma once

#include <algorithm>
#include <cstdint>

namespace bentohost::http {

// What becomes of the connection behind a response, from the mildest.
enum class Ending : std::uint8_t {
  kKeepAlive,  // the next request
  kClose,      // it is closed when the output has gone out
  kLinger,     // the same, and some of what the client has sent, or is sending, may be unread
};

class ResponseState {
 public:
  enum class State : std::uint8_t {
    kIdle,       // no response is due
    kCalling,    // the application is being called: an answer is kept until the call returns
    kAnswered,   // ... and has answered
    kPending,    // the call has returned: the answer, or the head of a streamed one, is due
    kStreaming,  // the head is in the output, and the body follows piece by piece
    kAbandoned,  // it was answered late, or the connection is closed: the handler answers in vain
    kOver,       // no further response: the connection ends
  };

  State state() const { return state_; }
  // The connection owes the client a response, or the rest of one: from kCalling to kStreaming.
  static bool is_due(State state) { return state >= State::kCalling && state <= State::kStreaming; }
  bool is_due() const { return is_due(state_); }
  bool is_in_call() const { return state_ == State::kCalling || state_ == State::kAnswered; }
  // Of the current response, as far as it is known, or the last one.
  Ending ending() const { return ending_; }

  // The application is about to be called. `at_least`: the ending, whatever the response says.
  [[nodiscard]] bool begin(Ending at_least = Ending::kKeepAlive) {
    if (!move(State::kIdle, State::kCalling)) return false;
    ending_ = at_least;
    return true;
  }
  // From within the call.
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
  // The client gets no response of the handler's, or no more of it. The handler still has the
  // request. Not from within the call.
  [[nodiscard]] bool abandon() {
    if (state_ != State::kPending && state_ != State::kStreaming) return false;
    state_ = State::kAbandoned;
    ending_ = Ending::kLinger;
    return true;
  }
  // ... and now is through with it.
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
