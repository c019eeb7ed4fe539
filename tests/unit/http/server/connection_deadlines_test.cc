// What a connection waits for, and until when: a table of phases, limits and times. No sockets, and
// no clock.
#include "http/server/connection_deadlines.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "http/server/refusals.h"

namespace bentohost::http {

std::ostream& operator<<(std::ostream& out, const Deadline& deadline) {
  if (deadline.when == kNoDeadline) return out << "never, " << static_cast<int>(deadline.action);
  return out << deadline.when.time_since_epoch().count() / 1'000'000 << " ms, "
             << static_cast<int>(deadline.action);
}

namespace {

using std::chrono::milliseconds;
using Reader = RequestReader::State;
using Body = RequestIntake::BodyMode;
using Response = ResponseState::State;
using Phase = ConnectionPhase;

TimePoint at(std::int64_t ms) { return TimePoint(milliseconds(ms)); }
constexpr std::int64_t kSince = 100'000;

Limits limits() {
  Limits limits;
  limits.header_timeout = milliseconds(2'000);
  limits.body_timeout = milliseconds(30'000);
  limits.min_rate = 1000;  // bytes a second, after kRateGrace
  limits.write_timeout = milliseconds(7'000);
  limits.idle_timeout = milliseconds(60'000);
  return limits;
}

// A snapshot whose wait began at kSince.
ConnectionSnapshot of(Phase phase, Response response, Reader reader) {
  ConnectionSnapshot snapshot;
  snapshot.phase = phase;
  snapshot.response = response;
  snapshot.reader = reader;
  snapshot.since = at(kSince);
  return snapshot;
}
ConnectionSnapshot reading(Reader reader) { return of(Phase::kOpen, Response::kIdle, reader); }
ConnectionSnapshot handling(Response response, Reader reader = Reader::kDone) {
  return of(Phase::kOpen, response, reader);
}

template <class Change>
ConnectionSnapshot with(ConnectionSnapshot snapshot, Change change) {
  change(snapshot);
  return snapshot;
}

struct Row {
  std::string what;
  ConnectionSnapshot snapshot;
  Deadline expected;
};

void check(const std::vector<Row>& rows, const Limits& limits) {
  for (const Row& row : rows) {
    EXPECT_EQ(next_deadline(row.snapshot, limits), row.expected) << row.what;
  }
}

TEST(ConnectionDeadlines, BetweenRequests) {
  const auto served = [](auto& s) { s.has_served = true; };
  const auto in_mode = [](Mode mode, bool has_served) {
    return with(reading(Reader::kIdle), [=](auto& s) { s.mode = mode, s.has_served = has_served; });
  };
  const std::int64_t patience = 1'000;
  check({{"a first request", reading(Reader::kIdle), {at(kSince + 2'000), DueAction::kEnd}},
         {"a further one",
          with(reading(Reader::kIdle), served),
          {at(kSince + 60'000), DueAction::kEnd}},
         {"a first one while draining",
          in_mode(Mode::kDraining, false),
          {at(kSince + 2'000), DueAction::kEnd}},
         {"a further one while draining",
          in_mode(Mode::kDraining, true),
          {at(kSince + patience), DueAction::kEnd}},
         {"a first one while stopping",
          in_mode(Mode::kStopping, false),
          {at(kSince + patience), DueAction::kEnd}},
         {"a further one while stopping",
          in_mode(Mode::kStopping, true),
          {at(kSince + patience), DueAction::kEnd}}},
        limits());
}

TEST(ConnectionDeadlines, OfARequestThatArrives) {
  const auto arrived = [](std::size_t bytes) {
    return with(reading(Reader::kBody), [=](auto& s) { s.body_bytes = bytes; });
  };
  check({{"a head", reading(Reader::kHead), {at(kSince + 2'000), DueAction::kHeadTimeout}},
         {"a head while stopping",
          with(reading(Reader::kHead), [](auto& s) { s.mode = Mode::kStopping; }),
          {at(kSince + 2'000), DueAction::kHeadTimeout}},
         {"a body, no byte of it", arrived(0), {at(kSince + 5'000), DueAction::kBodyTooSlow}},
         {"a body, some of it", arrived(2'500), {at(kSince + 7'500), DueAction::kBodyTooSlow}},
         {"a body as fast as it must be",
          arrived(24'999),
          {at(kSince + 29'999), DueAction::kBodyTooSlow}},
         {"a body that is fast, and long",
          arrived(25'000),
          {at(kSince + 30'000), DueAction::kBodyTimeout}},
         {"a body that a thread inflates",
          with(reading(Reader::kInflating), [](auto& s) { s.body = Body::kInflating; }),
          {}}},
        limits());
  Limits no_rate = limits();
  no_rate.min_rate = 0;
  check(
      {{"a body without a least rate", arrived(0), {at(kSince + 30'000), DueAction::kBodyTimeout}}},
      no_rate);
}

TEST(ConnectionDeadlines, OfAHandler) {
  const auto by = [](ConnectionSnapshot s, std::int64_t ms) {
    s.answer_by = at(ms);
    return s;
  };
  const Deadline late = {at(120'000), DueAction::kAnswerLate};
  check({{"none", handling(Response::kPending), {}},
         {"one, within the call", by(handling(Response::kCalling), 120'000), late},
         {"one", by(handling(Response::kPending), 120'000), late},
         {"one that has begun to answer", by(handling(Response::kStreaming), 120'000), {}},
         {"one that was abandoned",
          by(of(Phase::kClosing, Response::kAbandoned, Reader::kDone), 120'000),
          {}},
         {"a whole body is not waited for",
          by(handling(Response::kPending, Reader::kBody), 120'000), late}},
        limits());
}

TEST(ConnectionDeadlines, OfAStreamedBody) {
  const auto streamed = [](Body body, std::int64_t answer_by, std::size_t bytes) {
    return with(handling(Response::kPending, Reader::kBody), [=](auto& s) {
      s.body = body;
      s.body_bytes = bytes;
      if (answer_by != 0) s.answer_by = at(answer_by);
    });
  };
  const Deadline late = {at(110'000), DueAction::kAnswerLate};
  check({{"no time for the handler",
          streamed(Body::kStreamed, 0, 0),
          {at(kSince + 5'000), DueAction::kBodyTooSlow}},
         {"the body first",
          streamed(Body::kStreamed, 110'000, 1'000),
          {at(kSince + 6'000), DueAction::kBodyTooSlow}},
         {"the handler first", streamed(Body::kStreamed, 110'000, 90'000), late},
         {"the handler keeps the client waiting", streamed(Body::kPaused, 110'000, 0), late},
         {"the same without a time for it", streamed(Body::kPaused, 0, 0), {}},
         {"the response is under way",
          with(streamed(Body::kStreamed, 110'000, 90'000),
               [](auto& s) { s.response = Response::kStreaming; }),
          {at(kSince + 30'000), DueAction::kBodyTimeout}}},
        limits());
}

TEST(ConnectionDeadlines, OfOutputThatWaits) {
  const auto writing = [](ConnectionSnapshot s, std::int64_t progress, std::size_t bytes) {
    s.write = {at(200'000), at(progress), bytes};
    return s;
  };
  const ConnectionSnapshot streams = handling(Response::kStreaming);
  check({{"nothing has gone out",
          writing(streams, 200'000, 0),
          {at(205'000), DueAction::kWriteTooSlow}},
         {"too little has",
          writing(streams, 204'000, 3'000),
          {at(208'000), DueAction::kWriteTooSlow}},
         {"much has, and then none",
          writing(streams, 204'000, 90'000),
          {at(211'000), DueAction::kWriteTimeout}},
         {"it comes before the handler's",
          with(writing(handling(Response::kPending), 204'000, 90'000),
               [](auto& s) { s.answer_by = at(201'000); }),
          {at(211'000), DueAction::kWriteTimeout}},
         {"it comes before the next request's",
          writing(reading(Reader::kHead), 204'000, 90'000),
          {at(211'000), DueAction::kWriteTimeout}},
         {"the last of a connection",
          writing(of(Phase::kClosing, Response::kOver, Reader::kDone), 204'000, 90'000),
          {at(211'000), DueAction::kWriteTimeout}}},
        limits());
  Limits no_rate = limits();
  no_rate.min_rate = 0;
  check({{"without a least rate",
          writing(streams, 200'000, 0),
          {at(207'000), DueAction::kWriteTimeout}}},
        no_rate);
}

TEST(ConnectionDeadlines, OfTheEnd) {
  check({{"lingering",
          of(Phase::kLingering, Response::kOver, Reader::kBody),
          {at(kSince + 2'000), DueAction::kStopLingering}},
         {"lingering while a handler answers in vain",
          of(Phase::kLingering, Response::kAbandoned, Reader::kDone),
          {at(kSince + 2'000), DueAction::kStopLingering}},
         {"closing", of(Phase::kClosing, Response::kOver, Reader::kIdle), {}},
         {"closed", of(Phase::kClosed, Response::kIdle, Reader::kIdle), {}}},
        limits());
}

TEST(ConnectionDeadlines, ATimeoutNamesItsReason) {
  const auto told = [](DueAction action) {
    const Refusal refusal = refusal_of(action);
    return std::to_string(refusal.status.http_status()) + " " + std::string(refusal.reason) + ": " +
           refusal.status.message();
  };
  EXPECT_EQ(told(DueAction::kHeadTimeout),
            "408 header_timeout: the request's head did not arrive in time");
  EXPECT_EQ(told(DueAction::kBodyTimeout),
            "408 body_timeout: the request's body did not arrive in time");
  EXPECT_EQ(told(DueAction::kBodyTooSlow), "408 min_rate: the request's body arrives too slowly");
  EXPECT_EQ(reason_of(DueAction::kWriteTimeout), "write_timeout");
  EXPECT_EQ(reason_of(DueAction::kWriteTooSlow), "min_rate");
}

}  // namespace
}  // namespace bentohost::http
