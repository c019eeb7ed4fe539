// JsonPointer: a reader's or writer's place in a document (RFC 6901). Part of <bento/bento.hpp>.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bento::detail {

class JsonPointer {
 public:
  // Calls visit() one member or element further down.
  template <typename F>
  void descend(std::string_view token, F&& visit) {
    const std::size_t parent = text_.size();
    text_ += '/';
    for (const char c : token) {
      if (c == '~') {
        text_ += "~0";
      } else if (c == '/') {
        text_ += "~1";
      } else {
        text_ += c;
      }
    }
    visit();
    text_.resize(parent);
  }
  template <typename F>
  void descend(std::size_t index, F&& visit) {
    descend(std::string_view(std::to_string(index)), visit);
  }

  std::string text() const { return text_.empty() ? "the document" : text_; }

 private:
  std::string text_;
};

}  // namespace bento::detail
