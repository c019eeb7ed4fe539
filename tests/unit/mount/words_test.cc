#include "mount/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bentohost::mount {
namespace {

using testing::ElementsAreArray;

using Words = std::vector<std::string>;

TEST(SplitWords, SplitsAsAShellDoes) {
  for (const auto& [text, words] : {
           std::pair{"", Words{}},
           std::pair{" \t\n", Words{}},
           std::pair{"node server.js", Words{"node", "server.js"}},
           std::pair{"  a  b\tc\n", Words{"a", "b", "c"}},
           std::pair{"'a b' \"c d\"", Words{"a b", "c d"}},
           std::pair{"a'b'\"c\"d", Words{"abcd"}},
           std::pair{"'' \"\"", Words{"", ""}},
           std::pair{R"('a\b' "a\b" "a\"b" "a\\b" "\$x")",
                     Words{R"(a\b)", R"(a\b)", R"(a"b)", R"(a\b)", "$x"}},
           std::pair{R"(a\ b \' \\ \a)", Words{"a b", "'", "\\", "a"}},
           std::pair{"\"it's\" 'say \"x\"'", Words{"it's", "say \"x\""}},
           std::pair{"echo $HOME * ~ | cat > x; y && z",
                     Words{"echo", "$HOME", "*", "~", "|", "cat", ">", "x;", "y", "&&", "z"}},
       }) {
    const auto split = split_words(text);
    ASSERT_TRUE(split.ok()) << text;
    EXPECT_THAT(*split, ElementsAreArray(words)) << text;
  }
}

TEST(SplitWords, RefusesWhatAShellWouldWaitForMoreOf) {
  for (const auto& [text, why] : {
           std::pair{"a 'b", "a quote is not closed: '"},
           std::pair{"a \"b", "a quote is not closed: \""},
           std::pair{"a \"b\\\"", "a quote is not closed: \""},
           std::pair{"a\\", "it ends with a backslash"},
           std::pair{"\"a\\", "it ends with a backslash"},
       }) {
    EXPECT_EQ(split_words(text).status().message(), why) << text;
  }
}

}  // namespace
}  // namespace bentohost::mount
