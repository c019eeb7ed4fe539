// The client, on a pool that the test steps by hand: its checks, splits, joins and cancellations.
#include "runner/client.h"

#include <gmock/gmock.h>
#include <prometheus/gauge.h>

#include <numeric>

#include "unit/runner/pool_fixture.h"

namespace bentohost::runner {
namespace {

using testing::HasSubstr;

class ClientTest : public PoolFixture {
 protected:
  explicit ClientTest(plugin::RunnerSpec spec = make_pool_spec(),
                      PoolOptions options = make_pool_options())
      : PoolFixture(std::move(options), std::move(spec)) {}

  Target safe() const { return *client_.find("clf", "safe"); }

  static Values counting(std::int64_t n) {
    Values values(static_cast<std::size_t>(n));
    std::iota(values.begin(), values.end(), 0);
    return values;
  }
  Status submit_value(Caller& caller, wire::Value input) {
    std::vector<wire::Value> inputs;
    inputs.push_back(std::move(input));
    auto calls = Client::submit(safe(), std::move(inputs), Client::CallLimits(), caller.hear());
    caller.expected = calls.ok() ? 1 : 0;
    return calls.status();
  }
  Result<plugin::TicketPtr> ticket_for(const wire::Value& input) {
    const bento_value view = input.view();
    const bento_value* const inputs[] = {&view};
    return Client::submit(safe(), inputs, Client::CallLimits());
  }
  void echo_all() {
    while (!receive_call().empty()) answer();
  }

  Client client_{{&pool_}};
};

TEST_F(ClientTest, FindsMethodsAndNamesWhatThereIsNot) {
  EXPECT_EQ((*client_.find("clf", "fragile")).method, kFragile);
  EXPECT_THAT(client_.find("clf", "no").status().message(), HasSubstr("no method \"no\""));
  EXPECT_EQ(client_.find("no", "safe").status().code(), BENTO_NOT_FOUND);
}

TEST_F(ClientTest, RefusesInputsThatTheMethodDoesNotTake) {
  Caller caller;
  EXPECT_EQ(Client::submit(safe(), {}, Client::CallLimits(), caller.hear()).status().code(),
            BENTO_INVALID_ARGUMENT);
  wire::Value json;
  json.kind = BENTO_JSON;
  EXPECT_THAT(submit_value(caller, json).message(), HasSubstr("clf.safe takes a tensor, got JSON"));
  wire::Value floats = make_rows({1});
  floats.dtype = BENTO_F64;
  EXPECT_THAT(submit_value(caller, floats).message(), HasSubstr("takes int64, got float64"));
  wire::Value scalar = make_rows({1});
  scalar.shape.clear();
  EXPECT_EQ(submit_value(caller, scalar).code(), BENTO_INVALID_ARGUMENT) << "it has no rows";
}

TEST_F(ClientTest, RefusesInputsThatDisagreeInRows) {
  std::vector<wire::Value> inputs;
  inputs.push_back(make_rows({1, 2}));
  inputs.push_back(make_rows({1}));
  Caller caller;
  const auto calls = Client::submit(safe(), std::move(inputs), Client::CallLimits(), caller.hear());
  EXPECT_THAT(calls.status().message(), HasSubstr("2 and 1 rows"));
}

TEST_F(ClientTest, SplitsWhatIsLongerThanABatchAndJoinsTheAnswers) {
  make_ready();
  Caller caller;
  ASSERT_TRUE(submit_value(caller, make_rows(counting(10))).ok());
  std::vector<Rows> batches;
  for (Rows rows = receive_call(); !rows.empty(); rows = receive_call()) {
    batches.push_back(rows);
    EXPECT_EQ(caller.answers, 0);
    answer();
  }
  EXPECT_EQ(batches, (std::vector<Rows>{{4}, {4}, {2}}));
  EXPECT_EQ(caller.values, counting(10));
}

TEST_F(ClientTest, RefusesACallOfMoreBatchesThanMayWaitBeforeAnyIsMade) {
  make_ready();
  Caller caller;
  const Status status = submit_value(caller, make_rows(counting(33)));  // 9 of 4; 8 may wait
  EXPECT_EQ(status.http_status(), 413u);
  EXPECT_THAT(status.message(), HasSubstr("it is 9 calls, and --max-queue allows 8"));
  EXPECT_TRUE(receive_call().empty());
  const auto ticket = ticket_for(make_rows(counting(33)));
  EXPECT_EQ(ticket.status().http_status(), 413u);
  EXPECT_TRUE(submit_value(caller, make_rows(counting(32))).ok());
  echo_all();
  EXPECT_EQ(caller.values, counting(32));
}

TEST_F(ClientTest, RefusesASplitCallForWhichThereIsNoRoomNowWithAllItsParts) {
  Caller waiting, next;
  ASSERT_TRUE(submit_value(waiting, make_rows(counting(20))).ok());  // 5 of 8 places
  EXPECT_EQ(submit_value(next, make_rows(counting(16))).http_status(), 503u);
  EXPECT_EQ(metrics_.runner_method({"svc", "clf"}, "safe", 4).queue_depth->Value(), 5);
  EXPECT_TRUE(submit_value(next, make_rows(counting(12))).ok());
  make_ready();
  echo_all();
}

class FewBytesTest : public ClientTest {
 protected:
  static PoolOptions few_bytes() {
    PoolOptions options = make_pool_options();
    options.max_queue_bytes = 10 * sizeof(std::int64_t);
    return options;
  }
  FewBytesTest() : ClientTest(make_pool_spec(), few_bytes()) {}
};

TEST_F(FewBytesTest, RefusesMoreBytesThanMayWaitAndTakesThemWhenThereIsRoom) {
  const auto metrics = metrics_.runner_method({"svc", "clf"}, "safe", 4);
  Caller a, b, c;
  ASSERT_TRUE(submit_value(a, make_rows(counting(4))).ok());
  ASSERT_TRUE(submit_value(b, make_rows(counting(6))).ok());  // split in two
  EXPECT_EQ(metrics.queue_bytes->Value(), 80);
  const Status full = submit_value(c, make_rows({1}));
  EXPECT_EQ(full.http_status(), 503u);
  EXPECT_THAT(full.message(), HasSubstr("3 calls of safe are waiting, with 80 bytes"));
  EXPECT_EQ(ticket_for(make_rows({1})).status().http_status(), 503u);
  make_ready();
  EXPECT_EQ(metrics.queue_bytes->Value(), 48);
  EXPECT_TRUE(submit_value(c, make_rows({1})).ok());
  echo_all();
  EXPECT_EQ(metrics.queue_bytes->Value(), 0);
}

TEST_F(FewBytesTest, RefusesForGoodWhatIsLargerThanAllThatMayWait) {
  make_ready();
  Caller caller;
  const Status status = submit_value(caller, make_rows(counting(11)));
  EXPECT_EQ(status.http_status(), 413u);
  EXPECT_THAT(status.message(), HasSubstr("it has 88 bytes, and --max-queue-bytes allows 80"));
  EXPECT_EQ(ticket_for(make_rows(counting(11))).status().http_status(), 413u);
}

TEST_F(ClientTest, FailsASplitCallOnceWithItsFirstError) {
  make_ready();
  Caller caller;
  ASSERT_TRUE(submit_value(caller, make_rows(counting(10))).ok());
  (void)receive_call();
  fail(Status(BENTO_INVALID_ARGUMENT, "first"));
  EXPECT_EQ(caller.status.message(), "first");
  (void)receive_call();
  fail(Status(BENTO_INVALID_ARGUMENT, "second"));
  echo_all();
  EXPECT_EQ(caller.status.message(), "first");
}

TEST_F(ClientTest, RunsNoMorePartsOfACallThatHasFailed) {
  make_ready();
  Caller caller;
  ASSERT_TRUE(submit_value(caller, make_rows(counting(20))).ok());
  EXPECT_EQ(receive_call(), Rows{4});
  fail(Status(BENTO_INVALID_ARGUMENT, "no"));
  EXPECT_EQ(caller.status.message(), "no");
  // One part may be in flight already; the other three are cancelled.
  int parts = 0;
  for (Rows rows = receive_call(); !rows.empty(); rows = receive_call(), ++parts) answer();
  EXPECT_LE(parts, 1);
}

TEST_F(ClientTest, HandsATicketItsResults) {
  make_ready();
  auto ticket = ticket_for(make_rows({1, 2}));
  ASSERT_TRUE(ticket.ok());
  (void)receive_call();
  answer();
  for (int again = 0; again < 2; ++again) {
    const auto values = (*ticket)->wait();
    ASSERT_TRUE(values.ok());
    EXPECT_EQ(values_of(*(*values)[0]), (Values{1, 2}));
  }
}

TEST_F(ClientTest, HandsATicketItsError) {
  make_ready();
  auto ticket = ticket_for(make_rows({1}));
  (void)receive_call();
  fail(Status(BENTO_NOT_FOUND, "no such flower"));
  EXPECT_EQ((*ticket)->wait().status().message(), "no such flower");
}

TEST_F(ClientTest, CancelsWhatATicketDidNotWaitFor) {
  make_ready();
  auto first = ticket_for(make_rows({1}));
  auto second = ticket_for(make_rows({2}));
  *second = nullptr;
  (void)receive_call();
  *first = nullptr;  // in flight: nobody waits for its result
  answer();
  EXPECT_TRUE(receive_call().empty());
}

TEST_F(ClientTest, TellsOfEachRunnerThatIsNotReady) {
  EXPECT_THAT(client_.readiness().message(), HasSubstr("runner clf: worker 0 is starting"));
  make_ready();
  EXPECT_TRUE(client_.readiness().ok());
}

class ClientOnAxis1Test : public ClientTest {
 protected:
  static plugin::RunnerSpec spec() {
    plugin::RunnerSpec spec = make_pool_spec();
    spec.methods[kSafe].axis_in = spec.methods[kSafe].axis_out = 1;
    return spec;
  }
  ClientOnAxis1Test() : ClientTest(spec()) {}
};

TEST_F(ClientOnAxis1Test, SplitsAndJoinsThere) {
  make_ready();
  wire::Value input = make_rows(counting(10));
  input.shape = {2, 5};
  Caller caller;
  ASSERT_TRUE(submit_value(caller, std::move(input)).ok());
  EXPECT_EQ(receive_call(), Rows{4});
  answer();
  EXPECT_EQ(receive_call(), Rows{1});
  answer();
  EXPECT_EQ(caller.values, counting(10));
}

plugin::RunnerSpec make_named_spec() {
  plugin::RunnerSpec spec = make_pool_spec();
  plugin::MethodSpec& method = spec.methods[kSafe];
  method.ins.resize(2);
  method.ins[0].name = "x";
  method.ins[1].name = "w";
  method.ins[1].kind = BENTO_TENSOR;
  method.ins[1].is_optional = true;
  return spec;
}

class NamedInputsTest : public ClientTest {
 protected:
  NamedInputsTest() : ClientTest(make_named_spec()) {}

  static wire::Value named(std::string name, const Values& rows) {
    wire::Value value = make_rows(rows);
    value.name = std::move(name);
    return value;
  }
  // Through a ticket, as plugins call, or not.
  Status submit(std::vector<wire::Value> inputs, bool as_plugin) {
    Client::CallLimits limits;
    limits.request_id = "the-id";
    limits.traceparent = "the-trace";
    if (!as_plugin) {
      return Client::submit(safe(), std::move(inputs), limits, [](const CallResult&) {}).status();
    }
    std::vector<bento_value> views;
    for (const wire::Value& input : inputs) views.push_back(input.view());
    std::vector<const bento_value*> pointers;
    for (const bento_value& view : views) pointers.push_back(&view);
    return Client::submit(safe(), pointers, limits).status();
  }
  // The names and first numbers of what the worker gets; -1: nothing.
  std::vector<std::pair<std::string, std::int64_t>> received() {
    frame_ = puppet().receive_work();
    if (!frame_) return {};
    wire::DecodedValues values;
    EXPECT_TRUE(wire::decode_call(frame_->body, values).ok());
    EXPECT_EQ(values.callers.at(0).request_id, "the-id");
    EXPECT_EQ(values.callers.at(0).traceparent, "the-trace");
    std::vector<std::pair<std::string, std::int64_t>> found;
    for (const bento_value& value : values.values) {
      found.emplace_back(to_view(value.name), value.kind == 0 ? -1 : values_of(value)[0]);
    }
    answer();
    return found;
  }
};

TEST_F(NamedInputsTest, GoToTheirPlacesByNameOrAsTheyCome) {
  make_ready();
  using Found = std::vector<std::pair<std::string, std::int64_t>>;
  for (const bool as_plugin : {false, true}) {
    EXPECT_TRUE(submit({named("w", {2}), named("x", {1})}, as_plugin).ok());
    turn();
    EXPECT_EQ(received(), (Found{{"x", 1}, {"w", 2}}));
    EXPECT_TRUE(submit({named("", {3}), named("", {4})}, as_plugin).ok());
    turn();
    EXPECT_EQ(received(), (Found{{"x", 3}, {"w", 4}}));
    EXPECT_TRUE(submit({named("", {5}), named("w", {6})}, as_plugin).ok());
    turn();
    EXPECT_EQ(received(), (Found{{"x", 5}, {"w", 6}}));
    EXPECT_TRUE(submit({named("", {7}), wire::Value()}, as_plugin).ok());
    turn();
    EXPECT_EQ(received(), (Found{{"x", 7}, {"w", -1}}));
    EXPECT_TRUE(submit({named("x", {8})}, as_plugin).ok());
    turn();
    EXPECT_EQ(received(), (Found{{"x", 8}, {"w", -1}}));
  }
}

TEST_F(NamedInputsTest, AreRefusedByName) {
  for (const bool as_plugin : {false, true}) {
    const auto refusal = [&](std::vector<wire::Value> inputs) {
      const Status status = submit(std::move(inputs), as_plugin);
      EXPECT_EQ(status.code(), BENTO_INVALID_ARGUMENT);
      return status.message();
    };
    EXPECT_EQ(refusal({named("v", {1})}), "clf.safe has no input \"v\"; it takes x, w");
    EXPECT_EQ(refusal({named("x", {1}), named("", {1}), named("", {1})}),
              "clf.safe has no input number 2; it takes x, w");
    EXPECT_EQ(refusal({named("", {1}), named("x", {1})}), "clf.safe got its input x twice");
    EXPECT_EQ(refusal({named("w", {1})}), "clf.safe needs its input x");
    EXPECT_EQ(refusal({}), "clf.safe needs its input x");
    EXPECT_EQ(refusal({wire::Value()}), "input x: clf.safe takes a tensor, got nothing");
    EXPECT_THAT(refusal({named("x", {1, 2}), named("w", {1})}), HasSubstr("2 and 1 rows"));
  }
}

}  // namespace
}  // namespace bentohost::runner
