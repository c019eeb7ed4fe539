#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <bento/detail/secret_file.hpp>
#include <deque>
#include <thread>

#include "sdk/fake_exchange.h"
#include "sdk/middleware/temporary_file.h"

namespace bento::detail {
namespace {

using fakes::FakeExchange;
using fakes::TemporaryFile;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(SameSecret, IsForEqualTextsOnly) {
  EXPECT_TRUE(same_secret("", ""));
  EXPECT_TRUE(same_secret("abc", "abc"));
  EXPECT_FALSE(same_secret("abc", "abd"));
  EXPECT_FALSE(same_secret("abc", "abcd"));
  EXPECT_FALSE(same_secret("abc", ""));
  EXPECT_TRUE(is_one_of("b", {"a", "b", "c"}));
  EXPECT_FALSE(is_one_of("d", {"a", "b", "c"}));
  EXPECT_FALSE(is_one_of("", {}));
}

TEST(SecretLines, AreThoseThatSaySomething) {
  EXPECT_THAT(secret_lines("a\n\n# b\nc \r\n d#"), ElementsAre("a", "c ", " d#"));
  EXPECT_THAT(secret_lines(""), ElementsAre());
  EXPECT_THAT(secret_lines("\xEF\xBB\xBF# by an editor of Windows\r\na\r\n\r\n"), ElementsAre("a"));
}

class SecretFileTest : public testing::Test {
 protected:
  SecretFileTest() : file_("one\n") {}

  // What the file is taken to say, `milliseconds` later.
  std::string text(int milliseconds) {
    now_ += std::chrono::milliseconds(milliseconds);
    std::string text;
    exchange_.request_with([&](Incoming& incoming) { text = *secrets_.get(incoming); });
    return text;
  }

  static std::string parse(std::string_view text) {
    if (text.starts_with("bad")) throw Error(BENTO_INVALID_ARGUMENT, "says nothing");
    return std::string(text.substr(0, text.find('\n')));
  }

  TemporaryFile file_;
  std::chrono::steady_clock::time_point now_{};
  FakeExchange exchange_;
  SecretFile<std::string> secrets_{file_.path(), &parse, [this] { return now_; }};
};

TEST_F(SecretFileTest, IsReadAgainWhenItHasChanged) {
  EXPECT_EQ(text(0), "one");
  file_.replace("three\n");
  EXPECT_EQ(text(999), "one") << "it is looked at once a second";
  EXPECT_EQ(text(1), "three");
  EXPECT_EQ(text(5000), "three");
}

TEST_F(SecretFileTest, KeepsWhatItSaidWhenItIsOfNoUse) {
  file_.replace("bad line\n");
  EXPECT_EQ(text(1000), "one");
  EXPECT_EQ(text(1000), "one");
  ASSERT_EQ(exchange_.host.logged.size(), 1u) << "told once";
  EXPECT_EQ(exchange_.host.logged[0].first, BENTO_LOG_WARNING);
  EXPECT_EQ(exchange_.host.logged[0].second,
            "the file " + file_.path() + " says nothing; its last good contents are still in use");
  file_.replace("second\n");
  EXPECT_EQ(text(1000), "second");
}

TEST_F(SecretFileTest, KeepsWhatItSaidWhenItIsGone) {
  file_.remove();
  EXPECT_EQ(text(1000), "one");
  EXPECT_THAT(exchange_.host.logged.at(0).second, HasSubstr("cannot be found"));
  file_.replace("");
  EXPECT_EQ(text(1000), "one");
  EXPECT_THAT(exchange_.host.logged.at(1).second, HasSubstr("is empty"));
  file_.replace(std::string((1u << 20) + 1, 'x'));
  EXPECT_EQ(text(1000), "one");
  EXPECT_THAT(exchange_.host.logged.at(2).second, HasSubstr("is longer than 1 MiB"));
}

TEST_F(SecretFileTest, IsReadByManyThreadsAtOnce) {
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  const auto started = std::chrono::steady_clock::now();
  SecretFile<std::string> secrets(file_.path(), &parse, [started] {
    return started + 1000 * (std::chrono::steady_clock::now() - started);  // a fast clock
  });
  std::deque<FakeExchange> exchanges(4);
  for (FakeExchange& exchange : exchanges) {
    threads.emplace_back([&] {
      exchange.request_with([&](Incoming& incoming) {
        for (int turn = 0; turn < 2000; ++turn) {
          const std::string said = *secrets.get(incoming);
          if (said != "one" && said != "two") ++wrong;
        }
      });
    });
  }
  file_.replace("two\n");
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(SecretFile, IsNoneThatCannotBeUsedAtFirst) {
  using Strings = SecretFile<std::string>;
  const auto parse = [](std::string_view text) { return std::string(text); };
  EXPECT_THROW(Strings("/nonexistent/file", parse, &std::chrono::steady_clock::now), Error);
  EXPECT_THROW(Strings("/dev/null", parse, &std::chrono::steady_clock::now), Error);
}

bool is_short(std::string_view text) { return text.size() < 4; }

// What secret_list() says of these, or "" for nothing.
std::string refusal(std::vector<std::string> secrets, const std::string& path) {
  try {
    (void)secret_list("keys", std::move(secrets), path, &is_short, "short ones",
                      &std::chrono::steady_clock::now);
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), BENTO_INVALID_ARGUMENT);
    return error.what();
  }
}

TEST(SecretList, IsOfAnOptionOrOfAFile) {
  const TemporaryFile good("a\nb\n"), bad("a\nlong secret\n"), none("# nothing\n");
  EXPECT_EQ(refusal({"a"}, ""), "");
  EXPECT_EQ(refusal({}, good.path()), "");
  EXPECT_EQ(refusal({}, ""), "one of keys and keys_file is needed");
  EXPECT_EQ(refusal({"a"}, good.path()), "one of keys and keys_file is needed");
  EXPECT_EQ(refusal({"a", "long secret"}, ""), "keys has to have short ones");
  EXPECT_EQ(refusal({}, bad.path()), "the file " + bad.path() + " has to have short ones");
  EXPECT_EQ(refusal({}, none.path()), "the file " + none.path() + " has to have short ones");
}

}  // namespace
}  // namespace bento::detail
