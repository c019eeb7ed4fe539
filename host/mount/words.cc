#include "mount/words.h"

namespace bentohost::mount {
namespace {

Status invalid(std::string message) { return Status(BENTO_INVALID_ARGUMENT, std::move(message)); }

}  // namespace

Result<std::vector<std::string>> split_words(std::string_view text) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = 0;  // 0: outside of quotes
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == 0 && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else if (c != '\\' || quote == '\'') {
      words.back().push_back(c);
    } else if (i + 1 == text.size()) {
      return invalid("it ends with a backslash");
    } else {
      const char next = text[++i];
      constexpr std::string_view kProtected = "\"\\$`";
      if (quote == '"' && kProtected.find(next) == kProtected.npos) words.back().push_back('\\');
      words.back().push_back(next);
    }
  }
  if (quote != 0) return invalid(std::string("a quote is not closed: ") + quote);
  return words;
}

}  // namespace bentohost::mount
