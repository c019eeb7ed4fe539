#include "http/syntax.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace bentohost::http {
namespace {

constexpr bool is_alnum(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

constexpr std::size_t kWord = sizeof(std::uint64_t);

std::uint64_t load_word(const char* text) {
  std::uint64_t word = 0;
  std::memcpy(&word, text, kWord);
  return word;
}

constexpr std::uint64_t kOnes = 0x0101010101010101u, kHigh = 0x80 * kOnes;

// The same eight bytes with ASCII letters in lower case.
std::uint64_t lower_word(std::uint64_t word) {
  // The high bit of each byte tells whether its seven others are at least 'A', and beyond 'Z'.
  const std::uint64_t low = word & ~kHigh;
  const std::uint64_t letters = (low + (0x80 - 'A') * kOnes) & ~(low + (0x7f - 'Z') * kOnes);
  return word | ((letters & ~word & kHigh) >> 2);
}

// Whether all eight bytes are ASCII letters or '-', as in most names.
bool is_name_word(std::uint64_t word) {
  const std::uint64_t low = word & ~kHigh, lower = low | ' ' * kOnes;
  const std::uint64_t letters = (lower + (0x80 - 'a') * kOnes) & ~(lower + (0x7f - 'z') * kOnes);
  const std::uint64_t dashes = ~((low ^ ('-' * kOnes)) + 0x7f * kOnes);  // the high bit of 0 + 0x7f
  return ((letters | dashes) & ~word & kHigh) == kHigh;
}

bool is_same_word(const char* a, const char* b) {
  const std::uint64_t one = load_word(a), other = load_word(b);
  return one == other || lower_word(one) == lower_word(other);
}

using ByteSet = std::array<bool, 256>;

template <typename Rule>
constexpr ByteSet bytes_where(Rule rule) {
  ByteSet set{};
  for (unsigned c = 0; c < set.size(); ++c) set[c] = rule(static_cast<unsigned char>(c));
  return set;
}

constexpr bool one_of(unsigned char c, std::string_view marks) {
  return c != 0 && marks.find(static_cast<char>(c)) != std::string_view::npos;
}

constexpr ByteSet kToken =
    bytes_where([](unsigned char c) { return is_alnum(c) || one_of(c, "!#$%&'*+-.^_`|~"); });
constexpr ByteSet kVisible = bytes_where([](unsigned char c) { return c > ' ' && c != 0x7f; });
constexpr ByteSet kRegName =
    bytes_where([](unsigned char c) { return is_alnum(c) || one_of(c, "-._~%!$&'()*+,;="); });
constexpr ByteSet kAddress = bytes_where([](unsigned char c) { return kRegName[c] || c == ':'; });
constexpr ByteSet kDigit = bytes_where([](unsigned char c) { return c >= '0' && c <= '9'; });

constexpr std::array<char, 256> kLower = [] {
  std::array<char, 256> lower{};
  for (unsigned c = 0; c < lower.size(); ++c) lower[c] = to_lower(static_cast<char>(c));
  return lower;
}();

bool all_in(const ByteSet& set, std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [&set](char c) { return set[static_cast<unsigned char>(c)]; });
}

}  // namespace

bool append_lower_token(std::string_view name, std::string& out) {
  if (!is_token(name)) return false;
  const std::size_t before = out.size();
  out.append(name);
  char* const at = out.data() + before;
  if (name.size() < kWord) {
    for (std::size_t i = 0; i < name.size(); ++i) at[i] = kLower[static_cast<unsigned char>(at[i])];
    return true;
  }
  const auto lower = [at](std::size_t place) {
    const std::uint64_t word = lower_word(load_word(at + place));
    std::memcpy(at + place, &word, kWord);
  };
  const std::size_t last = name.size() - kWord;
  for (std::size_t place = 0; place < last; place += kWord) lower(place);
  lower(last);  // it may overlap the word before
  return true;
}

bool is_token(std::string_view text) {
  if (text.size() >= kWord) {
    const std::size_t last = text.size() - kWord;
    bool is_name = is_name_word(load_word(text.data() + last));
    for (std::size_t at = 0; is_name && at < last; at += kWord) {
      is_name = is_name_word(load_word(text.data() + at));
    }
    if (is_name) return true;
  }
  return !text.empty() && all_in(kToken, text);
}
// Nearly all values are valid, so they are looked at by words, the last of which may overlap the
// one before. A word that has a byte below ' ' or a DEL is looked at again: a tab is valid.
bool is_field_value(std::string_view text) {
  const auto is_valid = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= ' ' && byte != 0x7f) || byte == '\t';
  };
  if (text.size() < kWord) return std::all_of(text.begin(), text.end(), is_valid);
  const auto is_plain = [&text](std::size_t at) {
    const std::uint64_t word = load_word(text.data() + at);
    const std::uint64_t del = word ^ (0x7f * kOnes);  // 0 where a DEL is
    return ((((word - ' ' * kOnes) & ~word) | ((del - kOnes) & ~del)) & kHigh) == 0;
  };
  const std::size_t last = text.size() - kWord;
  bool all = is_plain(last);
  for (std::size_t at = 0; at < last; at += kWord) all = all && is_plain(at);
  return all || std::all_of(text.begin(), text.end(), is_valid);
}
bool is_visible(std::string_view text) { return all_in(kVisible, text); }

// Whether each '%' is followed by two hex digits.
bool has_whole_escapes(std::string_view text) {
  for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
    if (text.size() - at < 3 || hex_digit(text[at + 1]) < 0 || hex_digit(text[at + 2]) < 0) {
      return false;
    }
  }
  return true;
}

bool is_authority(std::string_view text) {
  std::size_t host = std::min(text.find(':'), text.size());
  if (text.starts_with('[')) {
    host = std::min(text.find(']'), text.size() - 1);
    const std::string_view address = text.substr(1, host - 1);
    if (text[host++] != ']' || address.empty() || !all_in(kAddress, address)) return false;
  } else if (host == 0 || !all_in(kRegName, text.substr(0, host)) ||
             !has_whole_escapes(text.substr(0, host))) {
    return false;
  }
  const std::string_view port = text.substr(host);
  return port.empty() || (port[0] == ':' && all_in(kDigit, port.substr(1)));
}

// By words, of which the last may overlap the one before; shorter texts by bytes.
bool equals_ignoring_case(const char* a, const char* b, std::size_t size) {
  if (size < kWord) {
    return std::equal(a, a + size, b, [](char x, char y) { return to_lower(x) == to_lower(y); });
  }
  const std::size_t last = size - kWord;
  for (std::size_t at = 0; at < last; at += kWord) {
    if (!is_same_word(a + at, b + at)) return false;
  }
  return is_same_word(a + last, b + last);
}

std::string_view trim(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool percent_decode(std::string_view text, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    if (text.size() - i < 3) return false;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0 || (high == 0 && low == 0)) return false;
    out.push_back(static_cast<char>(high << 4 | low));
    i += 2;
  }
  return true;
}

}  // namespace bentohost::http
