// The client, on a pool that is moved by hand: what it checks, splits, joins and cancels.
#include "runner/client.h"

#include <gmock/gmock.h>

#include <numeric>

#include "unit/runner/pool_fixture.h"

namespace bentohost::runner {
namespace {

using testing::HasSubstr;

class ClientTest : public PoolFixture {
 protected:
  explicit ClientTest(plugin::RunnerSpec spec = make_pool_spec())
      : PoolFixture(make_pool_options(), std::move(spec)) {}

  Target safe() const { return *client_.find("clf", "safe"); }

  static Values counting(std::int64_t n) {
    Values values(static_cast<std::size_t>(n));
    std::iota(values.begin(), values.end(), 0);
    return values;
  }
  Status submit_value(Caller& caller, wire::Value input) {
    std::vector<wire::Value> inputs;
    inputs.push_back(std::move(input));
    auto calls = Client::submit(safe(), std::move(inputs), Client::Wanted(), caller.hear());
    caller.expected = calls.ok() ? 1 : 0;
    return calls.status();
  }
  Result<std::unique_ptr<bento_ticket>> ticket_for(const wire::Value& input) {
    const bento_value view = input.view();
    const bento_value* const inputs[] = {&view};
    return Client::submit(safe(), inputs, Client::Wanted());
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
  EXPECT_EQ(Client::submit(safe(), {}, Client::Wanted(), caller.hear()).status().code(),
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
  const auto calls = Client::submit(safe(), std::move(inputs), Client::Wanted(), caller.hear());
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
  // One part may be on its way already; the other three are not wanted any more.
  int parts = 0;
  for (Rows rows = receive_call(); !rows.empty(); rows = receive_call(), ++parts) answer();
  EXPECT_LE(parts, 1);
}

TEST_F(ClientTest, AnswersASplitCallOfWhichAPartFoundTheQueueFull) {
  make_ready();
  Caller caller;  // 1 part in flight, 8 in the queue, and the tenth too many
  ASSERT_TRUE(submit_value(caller, make_rows(counting(40))).ok());
  EXPECT_EQ(caller.answers, 1);
  EXPECT_EQ(caller.status.http_status(), 503u);
  (void)receive_call();
  answer();
  EXPECT_TRUE(receive_call().empty()) << "nobody waits for the other parts";
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
  *first = nullptr;  // in flight: its answer finds nobody
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

}  // namespace
}  // namespace bentohost::runner
