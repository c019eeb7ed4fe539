// The worker's side of engines: a plugin's engine in the test's process, and the host's ends of the
// pipes in the test's hands. Threads wait for each other, never for time.
#include "runner/engines.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>
#include <utility>

#include "runner/window.h"
#include "runner/work.h"

namespace bentohost::runner {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kName = "runner llm.generate";

class EnginesTest : public testing::Test, protected FramePipe::News {
 protected:
  using Begin = std::function<bento_code(bento_work*, bento_error*)>;
  using Step = std::function<bento_code(std::vector<bento_work*>, bento_error*)>;

  EnginesTest() {
    the_one = this;
    int to[2], from[2];
    EXPECT_EQ(::pipe2(to, O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(from, O_CLOEXEC), 0);
    to_.reset(to[1]);
    from_.reset(from[0]);
    ::fcntl(from_.get(), F_SETFL, O_NONBLOCK);
    pipe_.emplace(UniqueFd(to[0]), UniqueFd(from[1]), static_cast<FramePipe::News&>(*this));
    engines_.emplace(*pipe_, [this] { ++meanwhile_; });
    engine_.size = sizeof engine_;
    engine_.begin = [](void*, const bento_method*, bento_work* work, bento_error* error) {
      return the_one->begin_ ? the_one->begin_(work, error) : bento_code{BENTO_OK};
    };
    engine_.step = [](void*, const bento_method*, bento_work* const* works, std::size_t n,
                      bento_error* error) {
      return the_one->step_({works, works + n}, error);
    };
    engine_.cancel = [](void*, const bento_method*, bento_work* work) {
      the_one->told_.push_back(work);
    };
    plugin::MethodSpec method;
    method.name = "generate";
    method.engine = &engine_;
    method.streams = true;
    method.outs[0].kind = BENTO_BYTES;
    method.outs[0].descriptor = "text";
    runner_.methods.push_back(method);
    runner_.methods.push_back(method);
    runner_.methods[1].streams = false;
    engines_->open(runner_, nullptr, {}, names_);
  }

  void on_cancel(std::uint64_t id) override { (void)engines_->on_cancel(id); }
  void on_room(std::uint64_t id, const wire::Room& room) override { engines_->on_room(id, room); }

  // ---- what the host sends
  void send(const AlignedBuffer& frame) {
    EXPECT_EQ(::write(to_.get(), frame.data(), frame.size()), static_cast<ssize_t>(frame.size()));
  }
  void send_call(std::uint64_t id, std::uint32_t method = 0) {
    AlignedBuffer out;
    wire::FrameWriter frame(out, wire::FrameType::kCall, id, method);
    const std::uint32_t rows[] = {1};
    frame.rows(rows, 1);
    frame.value(text("prompt"));
    EXPECT_TRUE(frame.finish());
    send(out);
  }
  void send_cancel(std::uint64_t id) {
    AlignedBuffer out;
    EXPECT_TRUE(wire::FrameWriter(out, wire::FrameType::kCancel, id, 0).finish());
    send(out);
  }
  void send_room(std::uint64_t id, const wire::Room& room) {
    AlignedBuffer out;
    wire::FrameWriter frame(out, wire::FrameType::kRoom, id, 0);
    frame.room(room);
    EXPECT_TRUE(frame.finish());
    send(out);
  }
  // What the worker has sent since the last call: "1+a": of call 1, more follow, a.
  std::vector<std::string> sent() {
    std::vector<std::string> all;
    for (;;) {
      const auto frame = reader_.next();
      EXPECT_TRUE(frame.ok());
      if (!(*frame).has_value()) {
        const std::span<char> room = reader_.writable();
        const ssize_t n = ::read(from_.get(), room.data(), room.size());
        if (n <= 0) return all;
        reader_.commit(static_cast<std::size_t>(n));
        continue;
      }
      const wire::FrameHeader& header = (**frame).header;
      std::string what = std::to_string(header.id) + (header.more ? "+" : ".");
      if (header.type == wire::FrameType::kError) {
        what += " " + wire::decode_error((**frame).body).message();
      } else {
        EXPECT_TRUE(wire::decode_result((**frame).body, values_).ok());
        for (const bento_value& value : values_.values) {
          what.append(static_cast<const char*>(value.bytes.ptr), value.bytes.len);
        }
      }
      all.push_back(std::move(what));
    }
  }

  // One turn of the worker's loop: all that is there is read, then a step is made. False at the end
  // of the pipe.
  bool turn() {
    for (;;) {
      const auto next = pipe_->read(false, [](int) {});
      EXPECT_TRUE(next.ok()) << next.status().message();
      if (!next.ok() || next->what == FramePipe::Next::What::kEnd) return false;
      if (next->what == FramePipe::Next::What::kNothing) break;
      if (next->what == FramePipe::Next::What::kFrame) {
        EXPECT_TRUE(engines_->begin(next->frame));
      }
    }
    engines_->turn();
    return true;
  }

  // ---- what a plugin does
  static bento_value text(std::string_view bytes) {
    bento_value value{};
    value.size = sizeof value;
    value.kind = BENTO_BYTES;
    value.bytes = {bytes.data(), bytes.size()};
    return value;
  }
  static bento_error make_error() {
    bento_error error{};
    error.size = sizeof error;
    return error;
  }
  static void put(bento_work* work, std::string_view bytes) {
    const bento_value value = text(bytes);
    bento_error error = make_error();
    EXPECT_EQ(work->sink->value(work->sink, &value, &error), BENTO_OK);
  }
  static bento_code emit(bento_work* work, std::string_view bytes) {
    put(work, bytes);
    bento_error error = make_error();
    return work->emit(work, &error);
  }
  static bento_code finish(bento_work* work) {
    work->finish(work, BENTO_OK, nullptr);
    return BENTO_OK;
  }

  static inline EnginesTest* the_one = nullptr;
  UniqueFd to_, from_;
  std::optional<FramePipe> pipe_;
  std::optional<Engines> engines_;
  bento_engine engine_{};
  plugin::RunnerSpec runner_;
  const std::vector<std::string> names_ = {std::string(kName), "runner llm.once"};
  wire::FrameReader reader_;
  wire::DecodedValues values_;
  Begin begin_;
  Step step_ = [](const std::vector<bento_work*>&, bento_error*) { return bento_code{BENTO_OK}; };
  std::vector<bento_work*> told_;
  std::atomic<int> meanwhile_ = 0;
};

TEST_F(EnginesTest, BeginMayWorkACallOff) {
  begin_ = [](bento_work* work, bento_error*) {
    EXPECT_EQ(std::string_view(static_cast<const char*>(work->in[0]->bytes.ptr), 6), "prompt");
    EXPECT_EQ(emit(work, "a"), BENTO_OK);
    EXPECT_EQ(emit(work, "b"), BENTO_OK);
    put(work, "last");
    return finish(work);
  };
  send_call(1);
  turn();
  EXPECT_THAT(sent(), ElementsAre("1+a", "1+b", "1.last"));
}

TEST_F(EnginesTest, CallsOfABatchThatChangesJoinAndLeave) {
  std::vector<std::size_t> sizes;
  step_ = [&sizes](const std::vector<bento_work*>& works, bento_error*) {
    sizes.push_back(works.size());
    for (bento_work* work : works) {
      EXPECT_EQ(emit(work, "x"), BENTO_OK);
      auto& count = *reinterpret_cast<std::uintptr_t*>(&work->state);
      if (++count == 2) finish(work);
    }
    return bento_code{BENTO_OK};
  };
  send_call(1);
  turn();
  send_call(2);
  turn();
  turn();
  EXPECT_FALSE(engines_->has_turn());
  turn();
  EXPECT_THAT(sizes, ElementsAre(1, 2, 1));
  EXPECT_THAT(sent(), ElementsAre("1+x", "1+x", "1.", "2+x", "2+x", "2."));
}

TEST_F(EnginesTest, AnErrorIsOfItsCallAloneAndOneOfAStepOfAllInIt) {
  bool is_first = true;
  begin_ = [&is_first](bento_work*, bento_error* error) {
    if (std::exchange(is_first, false)) {
      return Status(BENTO_NOT_FOUND, "no such model").give(error);
    }
    return bento_code{BENTO_OK};
  };
  send_call(1);
  send_call(2);
  send_call(3);
  step_ = [](const std::vector<bento_work*>& works, bento_error* error) {
    EXPECT_EQ(works.size(), 2u);
    finish(works[0]);
    return Status(BENTO_INTERNAL, "out of pages").give(error);
  };
  turn();
  EXPECT_THAT(sent(), ElementsAre("1. no such model", "2.", "3. out of pages"));
}

TEST_F(EnginesTest, AWorkWithoutRoomIsLeftOutOfTheSteps) {
  int steps = 0;
  step_ = [&steps](const std::vector<bento_work*>& works, bento_error*) {
    ++steps;
    for (bento_work* work : works) (void)emit(work, "x");
    return bento_code{BENTO_OK};
  };
  send_call(1);
  for (std::uint32_t i = 0; i < 2 * kWindow.results; ++i) turn();
  EXPECT_EQ(steps, static_cast<int>(kWindow.results));
  EXPECT_EQ(sent().size(), kWindow.results);
  send_room(1, {2, 16});
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_EQ(sent().size(), 2u);
  send_cancel(1);
  turn();
  EXPECT_EQ(steps, static_cast<int>(kWindow.results) + 3) << "it is to finish";
}

TEST_F(EnginesTest, BytesFillTheWindowToo) {
  const std::string large(kWindow.bytes / 2, 'x');
  int steps = 0;
  std::thread reader([this] {  // a pipe does not hold as much
    ::fcntl(from_.get(), F_SETFL, 0);
    for (std::size_t bytes = 0; bytes < kWindow.bytes;) {
      const std::span<char> room = reader_.writable();
      const ssize_t n = ::read(from_.get(), room.data(), room.size());
      reader_.commit(static_cast<std::size_t>(n));
      bytes += static_cast<std::size_t>(n);
    }
  });
  step_ = [&](const std::vector<bento_work*>& works, bento_error*) {
    ++steps;
    EXPECT_EQ(emit(works[0], large), BENTO_OK);
    return bento_code{BENTO_OK};
  };
  send_call(1);
  for (int i = 0; i < 10; ++i) turn();
  reader.join();
  EXPECT_EQ(steps, 2);
}

TEST_F(EnginesTest, WithinBeginEmitReadsThePipeWhileItWaits) {
  begin_ = [this](bento_work* work, bento_error*) {
    if (work->state != nullptr) return finish(work);
    for (std::uint32_t i = 0; i < kWindow.results; ++i) EXPECT_EQ(emit(work, "x"), BENTO_OK);
    send_call(2);  // it waits for its turn, and moves nothing
    send_room(1, {1, 8});
    EXPECT_EQ(emit(work, "y"), BENTO_OK);
    EXPECT_EQ(std::string_view(static_cast<const char*>(work->in[0]->bytes.ptr), 6), "prompt");
    send_cancel(1);
    EXPECT_EQ(emit(work, "z"), BENTO_CANCELLED);
    begin_ = [](bento_work* second, bento_error*) { return finish(second); };
    work->finish(work, BENTO_CANCELLED, nullptr);
    return bento_code{BENTO_OK};
  };
  send_call(1);
  turn();
  const auto all = sent();
  ASSERT_EQ(all.size(), kWindow.results + 3);
  EXPECT_EQ(all[kWindow.results], "1+y");
  EXPECT_EQ(all.back(), "2.");
}

TEST_F(EnginesTest, AThreadWaitsForRoomWhileTheMainThreadReads) {
  engine_.step = nullptr;
  std::thread thread;
  std::atomic<std::uint32_t> emitted = 0;
  begin_ = [&](bento_work* work, bento_error*) {
    thread = std::thread([work, &emitted] {
      for (; emitted < kWindow.results + 8; ++emitted) EXPECT_EQ(emit(work, "x"), BENTO_OK);
      finish(work);
    });
    return bento_code{BENTO_OK};
  };
  send_call(1);
  turn();
  while (emitted < kWindow.results) std::this_thread::yield();
  send_room(1, {8, 64});
  to_.reset();
  for (;;) {
    const auto next = pipe_->read(true, [](int) {});
    if (next.ok() && next->what == FramePipe::Next::What::kEnd) break;
  }
  thread.join();
  EXPECT_EQ(sent().size(), kWindow.results + 9);
}

TEST_F(EnginesTest, AThreadReadsForItselfWhileTheMainThreadComputes) {
  engine_.step = nullptr;
  begin_ = [this](bento_work* work, bento_error*) {
    std::thread thread([this, work] {
      for (std::uint32_t i = 0; i < kWindow.results; ++i) EXPECT_EQ(emit(work, "x"), BENTO_OK);
      send_room(1, {1, 8});
      EXPECT_EQ(emit(work, "y"), BENTO_OK);
    });
    thread.join();
    return finish(work);
  };
  send_call(1);
  turn();
  EXPECT_EQ(sent().size(), kWindow.results + 2);
}

TEST_F(EnginesTest, TellsOfACancelOnceAndBetweenSteps) {
  bento_work* mine = nullptr;
  begin_ = [&mine](bento_work* work, bento_error*) {
    mine = work;
    return bento_code{BENTO_OK};
  };
  send_call(1);
  turn();
  EXPECT_TRUE(told_.empty());
  send_cancel(1);
  turn();
  turn();
  EXPECT_THAT(told_, ElementsAre(mine));
  EXPECT_TRUE(mine->ctx->cancelled());
  EXPECT_EQ(emit(mine, "x"), BENTO_CANCELLED);
  finish(mine);
  EXPECT_THAT(sent(), ElementsAre("1."));
}

TEST_F(EnginesTest, ACancelThatIsReadBeforeItsCallIsBegunIsNotLost) {
  std::vector<bento_code> emitted;
  begin_ = [&](bento_work* work, bento_error*) {
    if (emitted.empty()) {  // while the first call computes, the second one comes and goes
      send_call(2);
      send_cancel(2);
      pipe_->look();
    }
    emitted.push_back(emit(work, "x"));
    return finish(work);
  };
  send_call(1);
  turn();
  turn();
  EXPECT_THAT(emitted, ElementsAre(BENTO_OK, BENTO_CANCELLED));
}

TEST_F(EnginesTest, TheEndOfTheHostCancelsAll) {
  bento_work* mine = nullptr;
  begin_ = [&mine](bento_work* work, bento_error*) {
    mine = work;
    return bento_code{BENTO_OK};
  };
  send_call(1);
  turn();
  to_.reset();
  EXPECT_FALSE(turn());
  engines_->end();
  EXPECT_THAT(told_, ElementsAre(mine));
  EXPECT_EQ(emit(mine, "x"), BENTO_CANCELLED);
  finish(mine);
}

TEST_F(EnginesTest, AResultThatDoesNotFitFailsTheCallAlsoIfThePluginGoesOn) {
  begin_ = [](bento_work* work, bento_error*) {
    EXPECT_EQ(emit(work, "\xff"), BENTO_INTERNAL);
    EXPECT_EQ(emit(work, "fine"), BENTO_OK);
    return finish(work);
  };
  send_call(1);
  turn();
  const auto all = sent();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0], "1+fine");
  EXPECT_THAT(all[1], HasSubstr("generate returned text that is not UTF-8"));
}

TEST_F(EnginesTest, AMethodThatDoesNotStreamHasOneResult) {
  begin_ = [](bento_work* work, bento_error*) {
    EXPECT_EQ(emit(work, "x"), BENTO_FAILED_PRECONDITION);
    put(work, "result");
    return finish(work);
  };
  send_call(1, 1);
  turn();
  begin_ = [](bento_work* work, bento_error*) { return finish(work); };
  send_call(2, 1);
  turn();
  const auto all = sent();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0], "1.result");
  EXPECT_THAT(all[1], HasSubstr("once returned nothing"));
}

TEST_F(EnginesTest, EmittingNothingIsAMistake) {
  begin_ = [](bento_work* work, bento_error*) {
    bento_error error = make_error();
    EXPECT_EQ(work->emit(work, &error), BENTO_INVALID_ARGUMENT);
    EXPECT_EQ(error.http_status, 500u);
    return finish(work);
  };
  send_call(1);
  turn();
  EXPECT_THAT(sent(), ElementsAre(HasSubstr("emitted nothing")));
}

}  // namespace
}  // namespace bentohost::runner
