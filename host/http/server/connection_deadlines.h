// When a connection has to be looked at next, if nothing happens before, and what happens then: a
// pure function of a snapshot. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "http/parse/request_reader.h"
#include "http/server/connection_io.h"
#include "http/server/limits.h"
#include "http/server/request_intake.h"
#include "http/server/response_state.h"
#include "http/server/server_state.h"

namespace bentohost::http {

// What a connection is about.
enum class ConnectionPhase : std::uint8_t {
  kOpen,       // a request is read, or its response is due: see ResponseState
  kClosing,    // the output is still to go out
  kLingering,  // what the client still sends is dropped
  kClosed,
};

struct ConnectionSnapshot {
  ConnectionPhase phase = ConnectionPhase::kOpen;
  ResponseState::State response = ResponseState::State::kIdle;
  RequestReader::State reader = RequestReader::State::kIdle;
  RequestIntake::BodyMode body = RequestIntake::BodyMode::kWhole;
  Mode mode = Mode::kServing;         // the server's
  bool has_served = false;            // a request before
  TimePoint since{};                  // the present wait began: idle, head, body, linger
  std::size_t body_bytes = 0;         // that have arrived of the present body
  TimePoint answer_by = kNoDeadline;  // the handler, else the DeadlineResponder answers
  WriteWait write;
};

// What is due at a deadline.
enum class DueAction : std::uint8_t {
  kNone,
  kEnd,           // an idle connection: it is closed
  kHeadTimeout,   // 408
  kBodyTimeout,   // 408; a handler that waits for a streamed body is told it
  kBodyTooSlow,   // the same, by the least rate
  kAnswerLate,    // the DeadlineResponder answers
  kWriteTimeout,  // nothing of the output has gone out for too long: it is aborted
  kWriteTooSlow,  // the same, by the least rate
  kStopLingering,
};

struct Deadline {
  TimePoint when = kNoDeadline;
  DueAction action = DueAction::kNone;
  bool operator==(const Deadline&) const = default;
};

// A client in mid-conversation may be sending just now: so long it may, when we are about to go.
inline constexpr Duration kPatience = std::chrono::seconds(1);
// A close that leaves bytes unread sends RST, and the peer may lose our last response: so what
// still arrives is read and dropped first, for so long.
inline constexpr Duration kMaxLinger = std::chrono::seconds(2);

Deadline next_deadline(const ConnectionSnapshot& connection, const Limits& limits);

}  // namespace bentohost::http
