#include "base/process/line_relay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace bentohost {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

constexpr TimePoint kNow{1h};

class LineRelayTest : public testing::Test {
 protected:
  // The host's log meanwhile.
  template <typename Body>
  static std::string logged(Body body) {
    testing::internal::CaptureStderr();
    body();
    return testing::internal::GetCapturedStderr();
  }
  static auto lines_in(const std::string& log) { return std::count(log.begin(), log.end(), '\n'); }

  LineRelay relay_{"iris", "clf", 3};
};

TEST_F(LineRelayTest, LogsEachLineWithItsWorker) {
  const std::string log = logged([&] { relay_.feed("one\ntwo\n", kNow); });
  EXPECT_THAT(log, HasSubstr("INFO  [host] one service=iris runner=clf worker=3\n"));
  EXPECT_THAT(log, EndsWith("INFO  [host] two service=iris runner=clf worker=3\n"));
}

TEST_F(LineRelayTest, LogsEachLineWithItsStream) {
  LineRelay relay("stdout");
  EXPECT_THAT(logged([&] { relay.feed("one\n", kNow); }), EndsWith("[host] one stream=stdout\n"));
}

TEST_F(LineRelayTest, PutsALineTogetherFromItsPieces) {
  EXPECT_EQ(logged([&] { relay_.feed("load", kNow); }), "");
  EXPECT_THAT(logged([&] { relay_.feed("ing\n", kNow); }), HasSubstr("] loading service="));
}

TEST_F(LineRelayTest, LogsTheLastLineWithoutItsNewline) {
  relay_.feed("terminate called", kNow);
  EXPECT_THAT(logged([&] { relay_.finish(kNow); }), HasSubstr("terminate called"));
  EXPECT_EQ(relay_.last_lines(), "terminate called");
  EXPECT_EQ(logged([&] { relay_.finish(kNow); }), "");
}

TEST_F(LineRelayTest, TakesTheLevelFromTheFrontOfALine) {
  EXPECT_THAT(logged([&] { relay_.feed("<3>bad\n", kNow); }), HasSubstr("ERROR [host] bad"));
  EXPECT_THAT(logged([&] { relay_.feed("<4>odd\n", kNow); }), HasSubstr("[host] odd"));
  EXPECT_EQ(logged([&] { relay_.feed("<7>detail\n", kNow); }), "");
  for (const char* text : {"<9>x", "<>x", "<33>x", "<3"}) {
    EXPECT_THAT(logged([&] { relay_.feed(std::string(text) + "\n", kNow); }),
                HasSubstr(std::string("INFO  [host] ") + text));
  }
}

TEST_F(LineRelayTest, CutsALineThatIsTooLong) {
  const std::string log = logged([&] {
    for (int i = 0; i < 10; ++i) relay_.feed(std::string(1000, 'x'), kNow);
    relay_.feed("end\nnext\n", kNow);
  });
  EXPECT_THAT(log, HasSubstr(" " + std::string(LineRelay::kLongestLine, 'x') + " service"));
  EXPECT_THAT(log, EndsWith("] next service=iris runner=clf worker=3\n"));
}

TEST_F(LineRelayTest, LeavesOutWhatIsTooMuchAndSaysHowMuch) {
  std::string flood;
  for (std::size_t i = 0; i < LineRelay::kLinesPerSecond + 50; ++i) flood += "x\n";
  EXPECT_EQ(lines_in(logged([&] { relay_.feed(flood, kNow); })),
            static_cast<std::ptrdiff_t>(LineRelay::kLinesPerSecond));
  const std::string log = logged([&] { relay_.feed("again\n", kNow + 1s); });
  EXPECT_THAT(log, HasSubstr("50 lines of output were left out"));
  EXPECT_THAT(log, HasSubstr("again"));
  EXPECT_THAT(logged([&] { relay_.feed("later\n", kNow + 2s); }), Not(HasSubstr("left out")));
}

TEST_F(LineRelayTest, SaysAtTheEndWhatWasLeftOut) {
  std::string flood;
  for (std::size_t i = 0; i < LineRelay::kLinesPerSecond + 1; ++i) flood += "x\n";
  (void)logged([&] { relay_.feed(flood, kNow); });
  EXPECT_THAT(logged([&] { relay_.finish(kNow); }), HasSubstr("1 lines of output were left out"));
}

TEST_F(LineRelayTest, KeepsTheLastLinesThatItDidNotEvenLog) {
  std::string flood;
  for (int i = 0; i < 1000; ++i) flood += "line " + std::to_string(i) + "\n";
  (void)logged([&] { relay_.feed(flood, kNow); });
  const std::string kept = relay_.last_lines();
  EXPECT_TRUE(kept.starts_with("line 980 | line 981 | ")) << kept;
  EXPECT_THAT(kept, EndsWith(" | line 999"));
}

}  // namespace
}  // namespace bentohost
