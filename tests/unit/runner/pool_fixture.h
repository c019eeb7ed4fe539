// A pool that the test steps by hand: a fake clock, pipes whose other ends the test holds, and one
// turn of the event loop at a time.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fakes/fake_clock.h"
#include "fakes/fake_spawner.h"
#include "runner/pool.h"

namespace bentohost::runner {

using Rows = std::vector<std::uint32_t>;
using Values = std::vector<std::int64_t>;

inline constexpr std::uint32_t kSafe = 0, kFragile = 1;  // the methods: idempotent, and not

// Batches of at most 4 rows.
inline plugin::RunnerSpec make_pool_spec() {
  plugin::RunnerSpec spec;
  spec.name = "clf";
  for (const bool idempotent : {true, false}) {
    plugin::MethodSpec method;
    method.name = idempotent ? "safe" : "fragile";
    method.batchable = true;
    method.idempotent = idempotent;
    method.max_batch = 4;
    method.ins[0].kind = method.outs[0].kind = BENTO_TENSOR;
    method.ins[0].dtype = BENTO_I64;
    spec.methods.push_back(std::move(method));
  }
  return spec;
}

inline PoolOptions make_pool_options(std::uint32_t workers = 1) {
  PoolOptions options;
  options.service = "svc";
  options.workers = workers;
  options.max_queue = 8;
  options.hello = R"({"a":1})";
  return options;
}

inline Values values_of(const bento_value& value) {
  Values values(value.tensor.data.len / sizeof(std::int64_t));
  if (!values.empty()) std::memcpy(values.data(), value.tensor.data.ptr, value.tensor.data.len);
  return values;
}

// Rows of one int64 each, or of the same one `width` times.
inline wire::Value make_rows(const Values& rows, std::size_t width = 1) {
  Values elements;
  for (const std::int64_t row : rows) elements.insert(elements.end(), width, row);
  wire::Value value;
  value.kind = BENTO_TENSOR;
  value.dtype = BENTO_I64;
  value.shape = {static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(width)};
  const char* bytes = reinterpret_cast<const char*>(elements.data());
  value.data.assign(bytes, bytes + elements.size() * sizeof(std::int64_t));
  return value;
}

// A caller that waits for results, and counts them: there must be exactly one for each call that
// submit() took.
struct Caller {
  Caller() = default;
  Caller(const Caller&) = delete;
  ~Caller() {
    EXPECT_EQ(answers, expected) << status.message();
    if (call) call->done = [](const CallResult&) {};
  }

  int expected = 0, answers = 0;
  Status status;
  Values values;
  CallPtr call;

  Done hear() {
    return [this](const CallResult& outcome) {
      ++answers;
      status = outcome.status;
      for (const bento_value& value : outcome.values) values = values_of(value);
    };
  }
};

class PoolFixture : public testing::Test {
 protected:
  using Puppet = fakes::FakeSpawner::Puppet;

  explicit PoolFixture(PoolOptions options = make_pool_options(),
                       plugin::RunnerSpec spec = make_pool_spec(), ArenaSet::Deps arenas = {})
      : spec_(std::move(spec)),
        owner_(std::make_shared<Pool>(spec_, std::move(options),
                                      Pool::Deps{loop_, spawner_, clock_, metrics_, arenas})) {
    pool_.start();
  }
  ~PoolFixture() override {
    spawner_.refuse = true;
    for (const auto& puppet : spawner_.puppets) puppet->die();
    turn();
  }
  void SetUp() override { turn(); }

  void turn() {
    for (int i = 0; i < 4; ++i) {
      for (const auto& puppet : spawner_.puppets) puppet->push();
      loop_.step(Duration::zero());
    }
  }
  void advance(Duration by) {
    clock_.advance(by);
    turn();
  }

  std::size_t spawned() const { return spawner_.puppets.size(); }
  Puppet& puppet() { return *spawner_.puppets.back(); }
  void make_ready(Puppet& worker) {
    (void)worker.receive();  // hello
    worker.say_ready();
    turn();
  }
  void make_ready() { make_ready(puppet()); }

  Status submit(Caller& caller, std::uint32_t method, const Values& rows, Duration time = kDay,
                std::size_t width = 1) {
    caller.call = std::make_shared<Call>();
    caller.call->inputs.push_back(make_rows(rows, width));
    caller.call->rows = static_cast<std::uint32_t>(rows.size());
    caller.call->deadline = clock_.now() + time;
    caller.call->done = caller.hear();
    Status status = pool_.submit(method, caller.call);
    caller.expected = status.ok() ? 1 : 0;
    return status;
  }
  // The rows of each caller in the call frame that the worker gets now; empty: no frame.
  Rows receive_call() {
    frame_ = puppet().receive_work();
    if (!frame_) return {};
    EXPECT_EQ(frame_->header.type, wire::FrameType::kCall);
    wire::DecodedValues values;
    auto& arenas = puppet().arenas;
    EXPECT_TRUE(wire::decode_call(frame_->body, values, arenas ? &*arenas : nullptr).ok());
    return values.rows;
  }
  void answer() {
    puppet().echo(*frame_, frame_->header.id);
    turn();
  }
  void fail(const Status& status) {
    puppet().fail(frame_->header.id, status);
    turn();
  }
  void die() {
    puppet().die();
    turn();
  }

  static constexpr Duration kDay = std::chrono::hours(24);

  plugin::RunnerSpec spec_;
  fakes::FakeClock clock_;
  fakes::FakeSpawner spawner_;
  observe::Metrics metrics_{"test"};
  EventLoop loop_{clock_};
  std::shared_ptr<Pool> owner_;
  Pool& pool_ = *owner_;
  std::optional<wire::FrameReader::Frame> frame_;
};

}  // namespace bentohost::runner
