#include "http/server/response_state.h"

#include <algorithm>

namespace bentohost::http {

bool ResponseState::begin(Ending at_least) {
  if (state_ != State::kIdle) return false;
  state_ = State::kCalling;
  ending_ = at_least;
  return true;
}

bool ResponseState::respond() {
  if (state_ != State::kCalling) return false;
  state_ = State::kAnswered;
  return true;
}

bool ResponseState::returned() {
  if (state_ != State::kCalling && state_ != State::kAnswered) return false;
  state_ = State::kPending;
  return true;
}

bool ResponseState::begin_stream(Ending ending) {
  if (state_ != State::kPending) return false;
  state_ = State::kStreaming;
  ending_ = std::max(ending_, ending);
  return true;
}

bool ResponseState::complete(Ending ending) {
  if (state_ != State::kPending && state_ != State::kStreaming) return false;
  ending_ = std::max(ending_, ending);
  state_ = ending_ == Ending::kKeepAlive ? State::kIdle : State::kOver;
  return true;
}

bool ResponseState::abandon() {
  if (state_ != State::kPending && state_ != State::kStreaming) return false;
  state_ = State::kAbandoned;
  ending_ = Ending::kLinger;
  return true;
}

bool ResponseState::settle() {
  if (state_ != State::kAbandoned) return false;
  state_ = State::kOver;
  return true;
}

}  // namespace bentohost::http
