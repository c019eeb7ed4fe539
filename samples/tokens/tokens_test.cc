// The service without bentohost: a turn of the model is a turn of the test's.
#include <gtest/gtest.h>

#include <bento/testing.hpp>
#include <sstream>
#include <string>

namespace {

bento::testing::HostOptions options() {
  return {.options = R"({"turn_ms":0})", .plugin_dir = MODEL_DIR};
}

std::string prompt(int tokens, int seed = 1) {
  return R"({"text":"tell me of the Rabbit","max_tokens":)" + std::to_string(tokens) +
         R"(,"seed":)" + std::to_string(seed) + "}";
}

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(word, at)) != text.npos; ++at) ++n;
  return n;
}

TEST(Tokens, AnswersTokenByTokenAndThenSaysHowMany) {
  bento::testing::Host host(bento_entry, options());
  const std::string answer = host.post("/chat", prompt(5)).body;
  EXPECT_EQ(count(answer, "event: token\n"), 5u) << answer;
  EXPECT_NE(answer.find("event: done\ndata: {\"tokens\":5}\n\n"), answer.npos) << answer;
}

TEST(Tokens, TheSameSeedGivesTheSameAnswer) {
  bento::testing::Host host(bento_entry, options());
  EXPECT_EQ(host.post("/chat", prompt(20)).body, host.post("/chat", prompt(20)).body);
  EXPECT_NE(host.post("/chat", prompt(20)).body, host.post("/chat", prompt(20, 2)).body);
}

TEST(Tokens, TokensComeOneByOne) {
  bento::testing::Host host(bento_entry, options());
  auto chat = host.begin({.method = "POST", .target = "/chat", .body = prompt(1000)});
  std::size_t before = 0;
  for (int turns = 0; before < 3; ++turns) {
    ASSERT_LT(turns, 100) << "nothing comes";
    host.turn();
    const std::size_t now = count(chat.so_far().body, "event: token\n");
    EXPECT_LE(now, before + 2) << "they do not wait for the whole answer";
    before = now;
  }
  EXPECT_FALSE(chat.has_ended());
  chat.leave();
  host.settle();
  EXPECT_TRUE(chat.has_ended()) << "who leaves stops the model";
}

TEST(Tokens, RefusesWhatIsNotAPrompt) {
  bento::testing::Host host(bento_entry, options());
  EXPECT_EQ(host.post("/chat", "{}").status, 422u);
  EXPECT_EQ(host.post("/chat", R"({"text":"x","max_tokens":0})").status, 422u);
  EXPECT_EQ(host.post("/chat", "tell me").status, 400u);
}

TEST(Tokens, SaysThatItsModelIsMissing) {
  EXPECT_THROW(bento::testing::Host(bento_entry, {.plugin_dir = "/no/such/folder"}), bento::Error);
}

}  // namespace
