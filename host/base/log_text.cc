// The part of log.h that escapes untrusted text, so that no text can break out of its field.
#include <array>
#include <ctime>

#include "base/log.h"

namespace bentohost {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// The length of the UTF-8 character at text[i]; 0 if it is not well-formed (RFC 3629).
std::size_t utf8_length(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t n) -> unsigned {
    return i + n < text.size() ? static_cast<unsigned char>(text[i + n]) : 0u;
  };
  const auto follows = [&](std::size_t n) { return (byte(n) & 0xC0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4 || !follows(1)) return 0;
  if (first < 0xE0) return 2;
  if (!follows(2)) return 0;
  if (first < 0xF0) {
    const bool overlong = first == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = first == 0xED && byte(1) > 0x9F;
    return overlong || surrogate ? 0 : 3;
  }
  const bool overlong = first == 0xF0 && byte(1) < 0x90;
  const bool too_big = first == 0xF4 && byte(1) > 0x8F;
  return follows(3) && !overlong && !too_big ? 4 : 0;
}

// Terminals obey the C1 control characters, U+0080 to U+009F, as they obey ESC.
bool is_c1_control(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]) == 0xC2 &&
         static_cast<unsigned char>(text[i + 1]) < 0xA0;
}

constexpr bool is_control(unsigned char c) { return c < 0x20 || c == 0x7F; }

void append_hex_byte(std::string& out, unsigned char c) {
  out += "\\x";
  out += kHex[c >> 4];
  out += kHex[c & 15];
}

// Where a byte may stand as it is.
enum Trait : unsigned char { kBare = 1, kJson = 2, kPrintable = 4 };

constexpr std::array<unsigned char, 256> kTraits = [] {
  std::array<unsigned char, 256> traits{};
  for (unsigned c = 0; c < 0x80; ++c) {
    if (is_control(static_cast<unsigned char>(c))) continue;
    const bool is_json = c != '"' && c != '\\';
    const bool is_bare = is_json && c != ' ' && c != '=';
    traits[c] =
        static_cast<unsigned char>(kPrintable | (is_json ? kJson : 0) | (is_bare ? kBare : 0));
  }
  return traits;
}();

bool is_all(std::string_view text, Trait trait) {
  unsigned traits = trait;
  for (const char c : text) traits &= kTraits[static_cast<unsigned char>(c)];
  return traits != 0;
}

// Appends `text`. Where it is not plain, `escape(i)` appends, and returns how many bytes it took.
template <typename Escape>
void append_escaped(std::string& out, std::string_view text, Trait plain, Escape escape) {
  if (is_all(text, plain)) return (void)out.append(text);
  std::size_t done = 0;
  for (std::size_t i = 0; i < text.size();) {
    if ((kTraits[static_cast<unsigned char>(text[i])] & plain) != 0) {
      ++i;
      continue;
    }
    out.append(text, done, i - done);
    i += escape(i);
    done = i;
  }
  out.append(text, done);
}

void append_json_control(std::string& out, unsigned char c) {
  switch (c) {
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
  }
}

}  // namespace

void append_json_escaped(std::string& out, std::string_view text) {
  append_escaped(out, text, kJson, [&](std::size_t i) -> std::size_t {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += text[i];
      return 1;
    }
    if (is_control(c)) {
      append_json_control(out, c);
      return 1;
    }
    const std::size_t length = utf8_length(text, i);
    if (length == 0) {
      out += "\\ufffd";
      return 1;
    }
    if (is_c1_control(text, i)) {
      append_json_control(out, static_cast<unsigned char>(text[i + 1]));
    } else {
      out.append(text, i, length);
    }
    return length;
  });
}

void append_printable(std::string& out, std::string_view text) {
  append_escaped(out, text, kPrintable, [&](std::size_t i) -> std::size_t {
    const std::size_t length = utf8_length(text, i);
    if (length <= 1 || is_c1_control(text, i)) {
      append_hex_byte(out, static_cast<unsigned char>(text[i]));
      return 1;
    }
    out.append(text, i, length);
    return length;
  });
}

void append_value(std::string& out, std::string_view text) {
  if (!text.empty() && is_all(text, kBare)) {
    out += text;
    return;
  }
  out += '"';
  append_json_escaped(out, text);
  out += '"';
}

void append_timestamp(std::string& out) {
  // The last second that this thread formatted, kept so that not every request costs a gmtime_r().
  struct Second {
    std::time_t at = -1;
    std::array<char, 32> text{};
    std::size_t length = 0;
  };
  thread_local Second second;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (now.tv_sec != second.at) {
    std::tm calendar{};
    gmtime_r(&now.tv_sec, &calendar);
    second.length =
        std::strftime(second.text.data(), second.text.size(), "%Y-%m-%dT%H:%M:%S.", &calendar);
    second.at = now.tv_sec;
  }
  out.append(second.text.data(), second.length);
  const auto milliseconds = static_cast<unsigned>(now.tv_nsec / 1'000'000);
  out += static_cast<char>('0' + milliseconds / 100);
  out += static_cast<char>('0' + milliseconds / 10 % 10);
  out += static_cast<char>('0' + milliseconds % 10);
  out += 'Z';
}

}  // namespace bentohost
