// The next deadline of a connection, if no event comes before it, and what is due then: a pure
// function of a snapshot. Any thread.
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

// What a connection is doing.
enum class ConnectionPhase : std::uint8_t {
  kOpen,       // a request is read, or its response is due: see ResponseState
  kClosing,    // output is still unsent
  kLingering,  // bytes that the client still sends are dropped
  kClosed,
};

struct ConnectionSnapshot {
  ConnectionPhase phase = ConnectionPhase::kOpen;
  ResponseState::State response = ResponseState::State::kIdle;
  RequestReader::State reader = RequestReader::State::kIdle;
  RequestIntake::BodyMode body = RequestIntake::BodyMode::kWhole;
  Mode mode = Mode::kServing;         // the server's
  bool has_served = false;            // an earlier request
  TimePoint since{};                  // the start of the present wait: idle, head, body, linger
  std::size_t body_bytes = 0;         // that have arrived of the present body
  TimePoint answer_by = kNoDeadline;  // after it the DeadlineResponder answers for the handler
  WriteWait write;
};

// What is due at a deadline.
enum class DueAction : std::uint8_t {
  kNone,
  kEnd,           // an idle connection: it is closed
  kHeadTimeout,   // 408
  kBodyTimeout,   // 408; a handler that waits for a streamed body gets the error
  kBodyTooSlow,   // the same, below the minimum rate
  kAnswerLate,    // the DeadlineResponder answers
  kWriteTimeout,  // no output could be sent for too long: the response is aborted
  kWriteTooSlow,  // the same, below the minimum rate
  kStopLingering,
};

struct Deadline {
  TimePoint when = kNoDeadline;
  DueAction action = DueAction::kNone;
  bool operator==(const Deadline&) const = default;
};

// When the server drains or stops, an idle client may be about to send a request: it has this long.
inline constexpr Duration kPatience = std::chrono::seconds(1);
// A close that leaves bytes unread sends RST, and the peer may lose our last response. So bytes
// that still arrive are read and dropped first, for at most this long.
inline constexpr Duration kMaxLinger = std::chrono::seconds(2);

Deadline next_deadline(const ConnectionSnapshot& connection, const Limits& limits);

}  // namespace bentohost::http
