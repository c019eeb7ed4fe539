#include "http/syntax.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace bentohost::http {
namespace {

constexpr bool is_alnum(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

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

// The lower case of a token's bytes; 0 for all others.
constexpr std::array<char, 256> kLowerToken = [] {
  std::array<char, 256> lower{};
  for (unsigned c = 0; c < lower.size(); ++c) {
    if (kToken[c]) lower[c] = to_lower(static_cast<char>(c));
  }
  return lower;
}();

bool all_in(const ByteSet& set, std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [&set](char c) { return set[static_cast<unsigned char>(c)]; });
}

}  // namespace

bool append_lower_token(std::string_view name, std::string& out) {
  const std::size_t size = out.size();
  out.resize(size + name.size());
  char* at = out.data() + size;
  bool is_token = !name.empty();
  for (const char c : name) {
    const char lower = kLowerToken[static_cast<unsigned char>(c)];
    is_token = is_token && lower != 0;
    *at++ = lower;
  }
  return is_token;
}

void append_all(std::initializer_list<std::string_view> parts, std::string& out) {
  const std::size_t size = out.size();
  std::size_t more = 0;
  for (const std::string_view part : parts) more += part.size();
  out.resize(size + more);
  char* at = out.data() + size;
  for (const std::string_view part : parts) at = std::copy(part.begin(), part.end(), at);
}

void append_field(std::string_view name, std::string_view value, std::string& out) {
  const std::size_t size = out.size();
  out.resize(size + name.size() + value.size() + 4);
  char* at = std::copy(name.begin(), name.end(), out.data() + size);
  *at++ = ':';
  *at++ = ' ';
  at = std::copy(value.begin(), value.end(), at);
  *at++ = '\r';
  *at = '\n';
}

bool is_token(std::string_view text) { return !text.empty() && all_in(kToken, text); }
// Values are long, and nearly all are valid: without an early end the compiler can look at many
// bytes at a time.
bool is_field_value(std::string_view text) {
  unsigned char bad = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    bad |= static_cast<unsigned char>((byte < ' ' && byte != '\t') || byte == 0x7f);
  }
  return bad == 0;
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

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return x == y || to_lower(x) == to_lower(y); });
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
