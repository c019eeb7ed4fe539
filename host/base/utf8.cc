#include "base/utf8.h"

#include <rapidjson/encodings.h>
#include <rapidjson/memorystream.h>

namespace bentohost {

bool is_utf8(std::string_view text) {
  rapidjson::MemoryStream in(text.data(), text.size());
  unsigned codepoint = 0;
  while (in.Tell() < text.size()) {
    if (!rapidjson::UTF8<>::Decode(in, &codepoint)) return false;
  }
  return in.Tell() == text.size();
}

}  // namespace bentohost
