#include "http/server/connection_deadlines.h"

namespace bentohost::http {
namespace {

// The time from which `bytes`, moved since `since`, are fewer than the minimum rate allows.
TimePoint too_slow_at(TimePoint since, std::size_t bytes, std::size_t min_rate) {
  if (min_rate == 0) return kNoDeadline;
  return since + kRateGrace + std::chrono::milliseconds(bytes * 1000 / min_rate);
}

Deadline earlier(Deadline a, Deadline b) { return a.when < b.when ? a : b; }

// A response that has begun cannot be late any more.
Deadline of_handler(const ConnectionSnapshot& connection) {
  if (connection.answer_by == kNoDeadline) return {};
  if (!ResponseState::is_due(connection.response)) return {};
  if (connection.response == ResponseState::State::kStreaming) return {};
  return {connection.answer_by, DueAction::kAnswerLate};
}

Deadline of_body(const ConnectionSnapshot& connection, const Limits& limits) {
  return earlier({too_slow_at(connection.since, connection.body_bytes, limits.min_rate),
                  DueAction::kBodyTooSlow},
                 {connection.since + limits.body_timeout, DueAction::kBodyTimeout});
}

Deadline of_write(const WriteWait& write, const Limits& limits) {
  return earlier({too_slow_at(write.since, write.bytes, limits.min_rate), DueAction::kWriteTooSlow},
                 {write.progress + limits.write_timeout, DueAction::kWriteTimeout});
}

Deadline of_idle(const ConnectionSnapshot& connection, const Limits& limits) {
  const Mode last = connection.has_served ? Mode::kServing : Mode::kDraining;
  if (connection.mode > last) return {connection.since + kPatience, DueAction::kEnd};
  const Duration longest = connection.has_served ? limits.idle_timeout : limits.header_timeout;
  return {connection.since + longest, DueAction::kEnd};
}

}  // namespace

Deadline next_deadline(const ConnectionSnapshot& connection, const Limits& limits) {
  using BodyMode = RequestIntake::BodyMode;
  if (connection.write.is_waiting()) return of_write(connection.write, limits);
  if (connection.phase == ConnectionPhase::kLingering) {
    return {connection.since + kMaxLinger, DueAction::kStopLingering};
  }
  if (connection.phase != ConnectionPhase::kOpen) return {};
  if (connection.body == BodyMode::kInflating) return {};  // the client waits for us
  const bool is_body = connection.reader == RequestReader::State::kBody;
  if (ResponseState::is_due(connection.response)) {
    const bool reads_body = is_body && connection.body == BodyMode::kStreamed;
    const Deadline handler = of_handler(connection);
    return reads_body ? earlier(handler, of_body(connection, limits)) : handler;
  }
  if (is_body) return of_body(connection, limits);
  if (connection.reader == RequestReader::State::kHead) {
    return {connection.since + limits.header_timeout, DueAction::kHeadTimeout};
  }
  return of_idle(connection, limits);
}

}  // namespace bentohost::http
