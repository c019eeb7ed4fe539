// What a worker makes of a batch: what the plugin is lent, and the frame that answers.
#include "runner/method_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "unit/runner/pool_fixture.h"

namespace bentohost::runner {
namespace {

using testing::HasSubstr;

// What `run` does in the test.
struct Asked {
  bento_ctx* ctx;
  std::span<const bento_value* const> in;
  std::span<const std::uint32_t> rows;
  bento_sink* sink;
  bento_error* error;

  void put(std::string_view text) const {
    bento_value value{};
    value.size = sizeof value;
    value.kind = BENTO_BYTES;
    value.bytes = {text.data(), text.size()};
    EXPECT_EQ(sink->value(sink, &value, error), BENTO_OK);
  }
  void put_rows(const Values& numbers) const {
    const wire::Value value = make_rows(numbers);
    const bento_value view = value.view();
    EXPECT_EQ(sink->value(sink, &view, error), BENTO_OK);
  }
  void fail(std::size_t caller, const char* why) const {
    bento_error reason{};
    reason.size = sizeof reason;
    reason.code = BENTO_NOT_FOUND;
    std::strcpy(reason.message, why);
    EXPECT_EQ(sink->fail(sink, caller, &reason, error), BENTO_OK);
  }
};
std::function<bento_code(const Asked&)> on_run;

bento_code run(void*, const bento_method*, bento_ctx* ctx, const bento_value* const* in,
               std::size_t n, const std::uint32_t* rows, std::size_t callers, bento_sink* sink,
               bento_error* error) {
  return on_run({ctx, {in, n}, {rows, callers}, sink, error});
}

class MethodRunTest : public testing::Test {
 protected:
  MethodRunTest() {
    abi_.run = &run;
    spec_.name = "mix";
    for (const bool lists : {true, false}) {
      plugin::MethodSpec& method = spec_.methods.emplace_back();
      method.name = lists ? "lists" : "rows";
      method.batchable = true;
      method.lists = lists;
      method.abi = &abi_;
      method.ins[0].kind = lists ? BENTO_BYTES : BENTO_TENSOR;
      method.outs.resize(lists ? 2 : 1);
      for (plugin::IoSpec& out : method.outs) {
        out.kind = method.ins[0].kind;
        out.descriptor = lists ? "text" : "ndarray";
      }
      if (!lists) continue;
      method.outs[0].name = "a";
      method.outs[1].name = "b";
    }
    run_.emplace(spec_, nullptr, PluginCallNote(), arenas_, pipe_);
  }

  // Computes a batch of `callers`; the answer's header and contents are in header_, result_.
  void compute(std::uint32_t method, const Rows& rows, const std::vector<wire::Value>& inputs,
               const std::vector<wire::Caller>& callers = {}) {
    AlignedBuffer call;
    wire::FrameWriter writer(call, wire::FrameType::kCall, 9, method);
    writer.rows(rows, static_cast<std::uint32_t>(inputs.size()), callers);
    for (const wire::Value& input : inputs) writer.value(input.view());
    ASSERT_TRUE(writer.finish());
    const auto header = *wire::decode_header(call);
    answer_.clear();
    run_->answer(
        {header, std::span<const char>(call).subspan(wire::kHeaderSize, header.body_length)},
        answer_);
    run_->end();
    header_ = *wire::decode_header(answer_);
    const auto body =
        std::span<const char>(answer_).subspan(wire::kHeaderSize, header_.body_length);
    EXPECT_EQ(header_.id, 9u);
    if (header_.type == wire::FrameType::kResult) {
      ASSERT_TRUE(wire::decode_result(body, result_).ok());
    } else {
      error_ = wire::decode_error(body);
    }
  }
  void compute_lists(std::size_t callers) {
    wire::Value text;
    text.kind = BENTO_BYTES;
    compute(0, Rows(callers, 1), std::vector<wire::Value>(callers, text));
  }
  // "name=bytes" of each value; "-": it is not there.
  std::vector<std::string> texts() const {
    std::vector<std::string> found;
    for (const bento_value& value : result_.values) {
      found.push_back(value.kind == 0 ? "-"
                                      : std::string(to_view(value.name)) + "=" +
                                            std::string(static_cast<const char*>(value.bytes.ptr),
                                                        value.bytes.len));
    }
    return found;
  }

  bento_method abi_{};
  plugin::RunnerSpec spec_;
  WorkerArenas arenas_{UniqueFd()};
  struct NoNews final : FramePipe::News {
    void on_cancel(std::uint64_t) override {}
    void on_room(std::uint64_t, const wire::Room&) override {}
  } no_news_;
  FramePipe pipe_{UniqueFd(), UniqueFd(), no_news_};  // no plugin here asks for it
  std::optional<MethodRun> run_;
  AlignedBuffer answer_;
  wire::FrameHeader header_;
  wire::DecodedValues result_;
  Status error_;
};

using Texts = std::vector<std::string>;

TEST_F(MethodRunTest, AnswersListsCallerByCallerWithTheNamesOfTheOutputs) {
  on_run = [](const Asked& batch) {
    EXPECT_EQ(batch.in.size(), 2u);
    for (const char* text : {"1", "2", "3", "4"}) batch.put(text);
    return BENTO_OK;
  };
  compute_lists(2);
  EXPECT_EQ(texts(), (Texts{"a=1", "b=2", "a=3", "b=4"}));
  EXPECT_TRUE(result_.failed.empty());
}

TEST_F(MethodRunTest, FailedCallersOfListsMayHaveValuesOrNone) {
  for (const bool fills : {false, true}) {
    on_run = [fills](const Asked& batch) {
      batch.fail(1, "unknown");
      for (const char* text : {"1", "2"}) batch.put(text);
      if (fills) {
        for (const char* text : {"x", "y"}) batch.put(text);
      }
      for (const char* text : {"5", "6"}) batch.put(text);
      return BENTO_OK;
    };
    compute_lists(3);
    EXPECT_EQ(texts(), (Texts{"a=1", "b=2", "-", "-", "a=5", "b=6"}));
    ASSERT_EQ(result_.failed.size(), 1u);
    EXPECT_EQ(result_.failed[0].caller, 1u);
    EXPECT_EQ(result_.failed[0].status.http_status(), 404u);
  }
}

TEST_F(MethodRunTest, AWrongNumberOfValuesIsAnErrorOfTheBatch) {
  on_run = [](const Asked& batch) {
    batch.fail(0, "unknown");
    for (const char* text : {"1", "2", "3"}) batch.put(text);
    return BENTO_OK;
  };
  compute_lists(2);
  EXPECT_EQ(header_.type, wire::FrameType::kError);
  EXPECT_THAT(error_.message(),
              HasSubstr("runner mix.lists returned 3 values for 2 callers, of whom 1 have failed; "
                        "each has 2"));
}

TEST_F(MethodRunTest, AValueThatDoesNotFitFailsItsCallerAlone) {
  on_run = [](const Asked& batch) {
    for (const char* text : {"1", "2", "3", "\xff"}) batch.put(text);
    return BENTO_OK;
  };
  compute_lists(2);
  EXPECT_EQ(texts(), (Texts{"a=1", "b=2", "-", "-"}));
  ASSERT_EQ(result_.failed.size(), 1u);
  EXPECT_THAT(result_.failed[0].status.message(), HasSubstr("output b: "));
  EXPECT_EQ(result_.failed[0].status.http_status(), 500u);
}

TEST_F(MethodRunTest, CallersOfJoinedTensorsFailAndTheirRowsStay) {
  on_run = [](const Asked& batch) {
    batch.fail(1, "unknown");
    batch.put_rows({1, 2, 3});
    return BENTO_OK;
  };
  compute(1, {1, 2}, {make_rows({1, 2, 3})});
  ASSERT_EQ(result_.values.size(), 1u);
  EXPECT_EQ(values_of(result_.values[0]), (Values{1, 2, 3}));
  ASSERT_EQ(result_.failed.size(), 1u);

  on_run = [](const Asked& batch) {
    for (const std::size_t caller : {1u, 0u}) batch.fail(caller, "unknown");
    return BENTO_OK;
  };
  compute(1, {1, 2}, {make_rows({1, 2, 3})});
  EXPECT_EQ(result_.failed.size(), 2u) << "then nobody asks for rows";

  on_run = [](const Asked& batch) {
    batch.fail(0, "unknown");
    batch.put_rows({1, 2});
    return BENTO_OK;
  };
  compute(1, {1, 2}, {make_rows({1, 2, 3})});
  EXPECT_EQ(header_.type, wire::FrameType::kError);
  EXPECT_THAT(error_.message(), HasSubstr("returned 2 rows for 3"));
}

TEST_F(MethodRunTest, AnErrorWinsOverFailedCallersAndLeavesNothingBehind) {
  on_run = [](const Asked& batch) {
    batch.fail(0, "unknown");
    batch.put("left behind");
    return Status(BENTO_UNAVAILABLE, "no memory").give(batch.error);
  };
  compute_lists(2);
  EXPECT_EQ(header_.type, wire::FrameType::kError);
  EXPECT_EQ(error_.message(), "no memory");
  on_run = [](const Asked& batch) {
    batch.put("1");
    batch.put("2");
    return BENTO_OK;
  };
  compute_lists(1);
  EXPECT_EQ(texts(), (Texts{"a=1", "b=2"}));
  EXPECT_TRUE(result_.failed.empty());
}

TEST_F(MethodRunTest, LendsWhatIsKnownOfTheCallers) {
  on_run = [](const Asked& batch) {
    const bento_caller* second = batch.ctx->caller(1);
    EXPECT_EQ(to_view(second->request_id), "id-2");
    EXPECT_EQ(to_view(second->traceparent), "trace");
    EXPECT_EQ(second->deadline_ns, 77u);
    EXPECT_EQ(second->cancelled, 0);
    EXPECT_EQ(batch.ctx->caller(2), nullptr);
    EXPECT_EQ(batch.ctx->request_id(), "") << "of which of them?";
    batch.put_rows({1, 2});
    return BENTO_OK;
  };
  compute(1, {1, 1}, {make_rows({1, 2})}, {{0, "id-1", ""}, {77, "id-2", "trace"}});
  on_run = [](const Asked& batch) {
    EXPECT_EQ(batch.ctx->request_id(), "id-3");
    batch.put_rows({1});
    return BENTO_OK;
  };
  compute(1, {1}, {make_rows({1})}, {{0, "id-3", ""}});
  EXPECT_EQ(header_.type, wire::FrameType::kResult);
}

TEST_F(MethodRunTest, RefusesACallThatIsNotWhatThePluginIsPromised) {
  on_run = [](const Asked&) -> bento_code {
    ADD_FAILURE() << "it was called";
    return BENTO_OK;
  };
  wire::Value text;
  text.kind = BENTO_BYTES;
  compute(0, {1, 1}, {text});
  EXPECT_THAT(error_.message(), HasSubstr("the host sent 1 inputs of 2 callers"));
  compute(5, {1}, {text});
  EXPECT_THAT(error_.message(), HasSubstr("not a call of a method of this runner"));
}

}  // namespace
}  // namespace bentohost::runner
