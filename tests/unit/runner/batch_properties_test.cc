// Whatever calls come, split and joined in whatever order, with callers that fail, cancel or are
// late, workers that return errors, lie or die: each caller gets exactly one answer, which is its
// own rows, its own error, or that of a fault. The whole of the host's side is at work, from
// Client::submit() to the frames of the pipe; the test plays the worker.
#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "runner/client.h"
#include "unit/runner/pool_fixture.h"

namespace bentohost::runner {
namespace {

using namespace std::chrono_literals;

enum Method : std::uint32_t { kRows, kColumns, kLists };

constexpr std::int64_t kPoison = 7;  // a caller with a number that this divides fails

plugin::IoSpec named(std::string name, std::uint32_t kind, bool is_optional = false) {
  plugin::IoSpec spec;
  spec.name = std::move(name);
  spec.kind = kind;
  spec.is_optional = is_optional;
  return spec;
}

plugin::RunnerSpec make_spec() {
  plugin::RunnerSpec spec;
  spec.name = "mix";
  for (const Method index : {kRows, kColumns, kLists}) {
    plugin::MethodSpec method;
    method.name = index == kRows ? "rows" : index == kColumns ? "columns" : "lists";
    method.batchable = true;
    method.idempotent = index != kColumns;
    method.lists = index == kLists;
    method.axis_in = method.axis_out = index == kColumns ? 1 : 0;
    method.max_batch = 6;
    method.max_batch_wait_us = index == kRows ? 0 : 2000;
    if (index == kLists) {
      method.ins = {named("json", BENTO_JSON), named("bytes", BENTO_BYTES, true),
                    named("ragged", BENTO_TENSOR, true)};
      method.outs = {named("text", BENTO_BYTES), named("ragged", BENTO_TENSOR)};
    } else {
      method.ins = {named("x", BENTO_TENSOR), named("w", BENTO_TENSOR, true)};
      method.outs = {named("y", BENTO_TENSOR), named("z", BENTO_TENSOR)};
    }
    spec.methods.push_back(std::move(method));
  }
  return spec;
}

wire::Value tensor(std::string name, std::vector<std::int64_t> shape, const Values& elements) {
  wire::Value value;
  value.kind = BENTO_TENSOR;
  value.name = std::move(name);
  value.dtype = BENTO_I64;
  value.shape = std::move(shape);
  const char* bytes = reinterpret_cast<const char*>(elements.data());
  value.data.assign(bytes, bytes + elements.size() * sizeof(std::int64_t));
  return value;
}

wire::Value blob(std::string name, std::uint32_t kind, const std::string& bytes) {
  wire::Value value;
  value.kind = kind;
  value.name = std::move(name);
  value.data.assign(bytes.begin(), bytes.end());
  return value;
}

std::string bytes_of(const bento_value& value) {
  const bento_bytes& data = value.kind == BENTO_TENSOR ? value.tensor.data : value.bytes;
  return {static_cast<const char*>(data.ptr), data.len};
}

// What the model does with the values of one caller, and the same of all for joined tensors.
std::vector<wire::Value> compute(Method method, std::span<const bento_value> in) {
  if (method == kLists) {
    const bento_value& ragged = in[2];
    Values numbers = ragged.kind == 0 ? Values{-1} : values_of(ragged);
    for (std::int64_t& number : numbers) number += 1;
    const auto n = static_cast<std::int64_t>(numbers.size());
    return {blob("text", BENTO_BYTES,
                 bytes_of(in[0]) + "/" + (in[1].kind == 0 ? "none" : bytes_of(in[1]))),
            tensor("ragged", {n}, numbers)};
  }
  const std::vector<std::int64_t> shape(in[0].tensor.shape, in[0].tensor.shape + 2);
  Values y = values_of(in[0]);
  Values z(y.size(), -1);
  if (in[1].kind != 0) z = values_of(in[1]);
  for (std::int64_t& number : y) number *= 2;
  return {tensor("y", shape, y), tensor("z", shape, z)};
}

bool is_poisoned(const Values& numbers) {
  return std::any_of(numbers.begin(), numbers.end(),
                     [](std::int64_t number) { return number % kPoison == 0; });
}

struct Asked {
  Method method = kRows;
  Values numbers;                   // all that is peculiar to the call
  std::vector<wire::Value> inputs;  // in the order of the description
  bool is_cancelled = false;
  int expected = 0, answers = 0;
  Status status;
  std::vector<std::string> names;
  std::vector<std::vector<std::int64_t>> shapes;
  std::vector<std::string> bytes;
  std::vector<CallPtr> calls;

  Asked() = default;
  Asked(const Asked&) = delete;
  ~Asked() {
    for (const CallPtr& call : calls) call->done = [](const CallResult&) {};
  }
  void hear(const CallResult& outcome) {
    ++answers;
    status = outcome.status;
    for (const bento_value& value : outcome.values) {
      bytes.push_back(bytes_of(value));
      shapes.emplace_back(value.tensor.shape, value.tensor.shape + value.tensor.ndim);
    }
  }
};

class BatchProperties : public PoolFixture, public testing::WithParamInterface<unsigned> {
 protected:
  BatchProperties() : PoolFixture(options(), make_spec()), random_(GetParam()) {}

  static PoolOptions options() {
    PoolOptions options = make_pool_options(2);
    options.max_queue = 64;
    return options;
  }
  // Of a seed without faults, each caller must get what is its own.
  bool has_faults() const { return GetParam() % 3 != 0; }
  std::size_t below(std::size_t n) { return random_() % n; }
  std::int64_t next() {
    // Few are poisoned.
    do {
      ++number_;
    } while (number_ % kPoison == 0 && below(4) != 0);
    return number_;
  }

  void ask() {
    Asked& asked = asked_.emplace_back();
    asked.method = static_cast<Method>(below(3));
    const auto numbers = [&](std::size_t n) {
      Values made(n);
      for (std::int64_t& number : made) asked.numbers.push_back(number = next());
      return made;
    };
    if (asked.method == kLists) {
      asked.inputs.push_back(blob("json", BENTO_JSON, std::to_string(numbers(1)[0])));
      asked.inputs.push_back(below(2) ? blob("bytes", BENTO_BYTES, "b" + std::to_string(next()))
                                      : wire::Value());
      const std::size_t n = below(4);
      asked.inputs.push_back(below(2) ? tensor("ragged", {static_cast<std::int64_t>(n)}, numbers(n))
                                      : wire::Value());
    } else {
      const auto rows = static_cast<std::int64_t>(below(10) == 0 ? below(20) : 1 + below(3));
      const auto width = static_cast<std::int64_t>(1 + below(2));
      const auto all = static_cast<std::size_t>(rows * width);
      const std::vector<std::int64_t> shape = asked.method == kColumns
                                                  ? std::vector<std::int64_t>{width, rows}
                                                  : std::vector<std::int64_t>{rows, width};
      asked.inputs.push_back(tensor("x", shape, numbers(all)));
      asked.inputs.push_back(below(2) ? tensor("w", shape, Values(all, next())) : wire::Value());
    }
    // By place, or by name in any order and without what is left out.
    std::vector<wire::Value> sent;
    for (wire::Value input : asked.inputs) {
      if (input.kind == 0) {
        input.name = asked.method == kLists ? (sent.size() == 1 ? "bytes" : "") : "";
      }
      sent.push_back(std::move(input));
    }
    if (below(2) == 0) {
      std::erase_if(sent, [](const wire::Value& value) { return value.kind == 0; });
      std::shuffle(sent.begin(), sent.end(), random_);
    } else {
      for (wire::Value& value : sent) value.name.clear();
    }
    Client::CallLimits limits;
    limits.deadline = clock_.now() + (has_faults() && below(4) == 0 ? 1ms * below(30) : kDay);
    auto calls = Client::submit({&pool_, asked.method}, std::move(sent), limits,
                                [&asked](const CallResult& outcome) { asked.hear(outcome); });
    if (!calls.ok()) {
      ASSERT_EQ(calls.status().http_status(), 503u) << calls.status().message();
      return;
    }
    asked.expected = 1;
    asked.calls = *std::move(calls);
  }

  void cancel() {
    Asked& asked = asked_[below(asked_.size())];
    asked.is_cancelled = true;
    for (const CallPtr& call : asked.calls) call->abandoned = true;
  }

  // The frame of what the model returns; it may lie about its rows.
  void answer(Puppet& worker, const wire::FrameReader::Frame& call, bool lies) {
    wire::DecodedValues in;
    ASSERT_TRUE(wire::decode_call(call.body, in).ok());
    const auto method = static_cast<Method>(call.header.method);
    const plugin::MethodSpec& spec = spec_.methods[method];
    const std::size_t callers = in.rows.size(), each = spec.ins.size();
    ASSERT_EQ(in.values.size(), method == kLists ? each * callers : each);
    ASSERT_EQ(in.callers.size(), callers);
    std::vector<wire::FailedCaller> failed;
    std::vector<wire::Value> out;
    std::int64_t first = 0;
    for (std::uint32_t c = 0; c < callers; first += in.rows[c++]) {
      std::span<const bento_value> mine(in.values);
      Values numbers;
      if (method == kLists) {
        mine = mine.subspan(c * each, each);
        numbers = {std::stoll(bytes_of(mine[0]))};
        if (mine[2].kind != 0) {
          for (const std::int64_t number : values_of(mine[2])) numbers.push_back(number);
        }
      } else {
        ASSERT_LE(in.rows[c], spec.max_batch);
        numbers = values_of(wire::slice(mine[0], spec.axis_in, first, in.rows[c]).view());
      }
      const bool fails = is_poisoned(numbers);
      if (fails) {
        failed.push_back({c, Status(BENTO_INVALID_ARGUMENT, "bad " + std::to_string(numbers[0]))});
      }
      if (method != kLists) continue;
      auto values = fails ? std::vector<wire::Value>(spec.outs.size()) : compute(method, mine);
      for (wire::Value& value : values) out.push_back(std::move(value));
    }
    if (method != kLists) out = compute(method, in.values);
    if (lies) out.pop_back();
    AlignedBuffer bytes;
    wire::FrameWriter frame(bytes, wire::FrameType::kResult, call.header.id, method);
    frame.value_count(static_cast<std::uint32_t>(out.size()), failed);
    for (const wire::Value& value : out) frame.value(value.view());
    ASSERT_TRUE(frame.finish());
    worker.send(bytes);
  }

  void move_worker(Puppet& worker, bool may_fail) {
    if (!worker.in) return;
    const auto frame = worker.receive_work();
    const std::size_t dice = may_fail ? below(100) : 99;
    if (dice < 3) return worker.die();
    if (!frame) return;
    if (frame->header.type == wire::FrameType::kHello) return worker.say_ready();
    if (dice < 10) return worker.fail(frame->header.id, Status(BENTO_INTERNAL, "a fault"));
    answer(worker, *frame, dice < 13);
  }

  void move() {
    switch (below(7)) {
      case 0:
      case 1:
        return ask();
      case 2:
        return has_faults() && below(3) == 0 ? cancel() : loop_.step(Duration::zero());
      case 3:
        return clock_.advance(100us * below(30));
      case 4:
        return loop_.step(Duration::zero());
      default:
        return move_worker(
            *spawner_.puppets[spawned() - 1 - below(std::min<std::size_t>(spawned(), 4))],
            has_faults());
    }
  }

  void settle() {
    for (int i = 0; i < 400; ++i) {
      for (std::size_t worker = 0; worker < spawned(); ++worker) {
        move_worker(*spawner_.puppets[worker], false);
      }
      clock_.advance(5ms);
      loop_.step(Duration::zero());
    }
  }

  void check(const Asked& asked) const {
    ASSERT_EQ(asked.answers, asked.expected) << asked.status.message();
    if (asked.expected == 0) return;
    const bool may_fail = has_faults() || asked.is_cancelled;
    if (asked.status.ok()) {
      std::vector<bento_value> views;
      for (const wire::Value& input : asked.inputs) views.push_back(input.view());
      const auto own = compute(asked.method, views);
      ASSERT_EQ(asked.bytes.size(), own.size());
      for (std::size_t i = 0; i < own.size(); ++i) {
        EXPECT_EQ(asked.bytes[i], bytes_of(own[i].view()));
        EXPECT_EQ(asked.shapes[i], own[i].shape);
      }
      EXPECT_FALSE(is_poisoned(asked.numbers));
    } else if (asked.status.message().starts_with("bad ")) {
      EXPECT_TRUE(is_poisoned(asked.numbers));
      const std::int64_t whose = std::stoll(asked.status.message().substr(4));
      EXPECT_NE(std::find(asked.numbers.begin(), asked.numbers.end(), whose), asked.numbers.end())
          << "the error is another caller's";
    } else {
      EXPECT_TRUE(may_fail) << asked.status.message();
    }
  }

  std::mt19937 random_;
  std::int64_t number_ = 0;
  std::deque<Asked> asked_;
};

TEST_P(BatchProperties, EachCallerGetsItsOwnRowsOrItsOwnError) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  while (asked_.size() < 400 && !HasFatalFailure()) {
    if (asked_.empty()) {
      ask();
    } else {
      move();
    }
  }
  settle();
  std::size_t ok = 0, bad = 0;
  for (const Asked& asked : asked_) {
    check(asked);
    ok += asked.expected == 1 && asked.status.ok() ? 1 : 0;
    bad += asked.status.message().starts_with("bad ") ? 1 : 0;
  }
  EXPECT_GT(ok, 50u);
  EXPECT_GT(bad, 5u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, BatchProperties, testing::Range(1u, 31u));

}  // namespace
}  // namespace bentohost::runner
