// The table in response_state.h: each transition that is allowed, and each that is not.
#include "http/server/response_state.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

namespace bentohost::http {
namespace {

using State = ResponseState::State;

enum Event { kBegin, kRespond, kReturned, kStream, kComplete, kCompleteLast, kAbandon, kSettle };
constexpr std::array kEvents = {kBegin,    kRespond,      kReturned, kStream,
                                kComplete, kCompleteLast, kAbandon,  kSettle};

bool apply(ResponseState& response, Event event) {
  switch (event) {
    case kBegin:
      return response.begin();
    case kRespond:
      return response.respond();
    case kReturned:
      return response.returned();
    case kStream:
      return response.begin_stream(Ending::kKeepAlive);
    case kComplete:
      return response.complete(Ending::kKeepAlive);
    case kCompleteLast:
      return response.complete(Ending::kClose);
    case kAbandon:
      return response.abandon();
    case kSettle:
      return response.settle();
  }
  return false;
}

ResponseState after(const std::vector<Event>& events) {
  ResponseState response;
  for (const Event event : events) EXPECT_TRUE(apply(response, event)) << event;
  return response;
}

struct Row {
  State from;
  std::vector<Event> way;  // to it
  // In the order of kEvents; nothing: not allowed.
  std::array<std::optional<State>, kEvents.size()> to;
};

std::vector<Row> table() {
  using enum ResponseState::State;
  constexpr std::nullopt_t no = std::nullopt;
  return {
      {kIdle, {}, {kCalling, no, no, no, no, no, no, no}},
      {kCalling, {kBegin}, {no, kAnswered, kPending, no, no, no, no, no}},
      {kAnswered, {kBegin, kRespond}, {no, no, kPending, no, no, no, no, no}},
      {kPending, {kBegin, kReturned}, {no, no, no, kStreaming, kIdle, kOver, kAbandoned, no}},
      {kStreaming, {kBegin, kReturned, kStream}, {no, no, no, no, kIdle, kOver, kAbandoned, no}},
      {kAbandoned, {kBegin, kReturned, kAbandon}, {no, no, no, no, no, no, no, kOver}},
      {kOver, {kBegin, kReturned, kCompleteLast}, {no, no, no, no, no, no, no, no}},
  };
}

TEST(ResponseState, TakesTheTransitionsOfItsTableAndNoOthers) {
  for (const Row& row : table()) {
    for (std::size_t i = 0; i < kEvents.size(); ++i) {
      SCOPED_TRACE("state " + std::to_string(static_cast<int>(row.from)) + ", event " +
                   std::to_string(kEvents[i]));
      ResponseState response = after(row.way);
      ASSERT_EQ(response.state(), row.from);
      EXPECT_EQ(apply(response, kEvents[i]), row.to[i].has_value());
      EXPECT_EQ(response.state(), row.to[i].value_or(row.from));
    }
  }
}

TEST(ResponseState, AnIllegalTransitionLeavesTheEndingAsItIs) {
  ResponseState response;
  EXPECT_FALSE(response.complete(Ending::kClose));
  EXPECT_FALSE(response.begin_stream(Ending::kClose));
  EXPECT_FALSE(response.abandon());
  EXPECT_EQ(response.ending(), Ending::kKeepAlive);
  ASSERT_TRUE(response.begin());
  EXPECT_FALSE(response.begin(Ending::kLinger));
  EXPECT_EQ(response.ending(), Ending::kKeepAlive);
}

TEST(ResponseState, IsDueFromTheCallToTheEndOfTheResponse) {
  for (const Row& row : table()) {
    const bool is_due = row.from == State::kCalling || row.from == State::kAnswered ||
                        row.from == State::kPending || row.from == State::kStreaming;
    EXPECT_EQ(after(row.way).is_due(), is_due) << static_cast<int>(row.from);
    const bool is_in_call = row.from == State::kCalling || row.from == State::kAnswered;
    EXPECT_EQ(after(row.way).is_in_call(), is_in_call) << static_cast<int>(row.from);
  }
}

// The worst ending that anybody asks for, at the call, at the head and at the end of the body.
TEST(ResponseState, EndsTheConnectionAsSoonAsOneOfThreeWantsIt) {
  constexpr std::array kEndings = {Ending::kKeepAlive, Ending::kClose, Ending::kLinger};
  for (const Ending at_call : kEndings) {
    for (const Ending at_head : kEndings) {
      for (const Ending at_end : kEndings) {
        ResponseState response;
        ASSERT_TRUE(response.begin(at_call) && response.returned());
        ASSERT_TRUE(response.begin_stream(at_head) && response.complete(at_end));
        const Ending worst = std::max({at_call, at_head, at_end});
        EXPECT_EQ(response.ending(), worst);
        EXPECT_EQ(response.state(), worst == Ending::kKeepAlive ? State::kIdle : State::kOver);
      }
    }
  }
}

TEST(ResponseState, TheNextRequestForgetsTheEndingOfTheLast) {
  ResponseState response = after({kBegin, kReturned, kComplete});
  ASSERT_TRUE(response.begin(Ending::kLinger));
  EXPECT_EQ(response.ending(), Ending::kLinger);
}

TEST(ResponseState, AnAbandonedResponseLingers) {
  EXPECT_EQ(after({kBegin, kReturned, kStream, kAbandon}).ending(), Ending::kLinger);
  EXPECT_EQ(after({kBegin, kReturned, kAbandon, kSettle}).ending(), Ending::kLinger);
}

}  // namespace
}  // namespace bentohost::http
