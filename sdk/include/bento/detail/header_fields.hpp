// The parts of header field values: lists, parameters, quoted strings, credentials. For the stock
// middleware. Pure; any thread.
#pragma once

#include <algorithm>
#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <bento/middleware.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace bento::detail {

// The text without the spaces and tabs around it (RFC 9110 5.6.3).
inline std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Cuts the text before the first `mark` off `rest`, which then begins after the mark.
inline std::string_view cut(std::string_view& rest, char mark) {
  const std::size_t at = std::min(rest.find(mark), rest.size());
  const std::string_view before = rest.substr(0, at);
  rest.remove_prefix(std::min(at + 1, rest.size()));
  return before;
}

inline std::string lower(std::string_view text) {
  std::string all(text);
  for (char& c : all) c = lower(c);
  return all;
}

inline std::string joined(const auto& items) {
  std::string all;
  for (const std::string& item : items) all += (all.empty() ? "" : ", ") + item;
  return all;
}

// Whether it is a token (RFC 9110 5.6.2), as names of headers and methods must be.
inline bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

// Whether it is a valid field value as it is: no control characters except tabs (RFC 9110 5.5).
inline bool is_field_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; });
}

// Checks an option of a middleware that becomes a field value.
inline void check_field_value(std::string_view text, const std::string& option) {
  if (!is_field_value(text)) {
    throw Error(BENTO_INVALID_ARGUMENT, option + " has a control character in it");
  }
}
inline void check_header_name(std::string_view text, const std::string& option) {
  if (!is_token(text)) {
    throw Error(BENTO_INVALID_ARGUMENT,
                option + ": \"" + std::string(text) + "\" is not a header's name");
  }
}

// The text as a quoted string (RFC 9110 5.6.4).
inline std::string quoted_string(std::string_view text) {
  std::string all = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') all += '\\';
    all += c;
  }
  return all + '"';
}

// The credentials of the Authorization header if it has this scheme, in any case (RFC 9110 11.4).
inline std::optional<std::string_view> credentials(const ExchangeView& request,
                                                   std::string_view scheme) {
  std::string_view rest = request.request_header("authorization");
  if (!same_name(cut(rest, ' '), scheme)) return std::nullopt;
  rest = trimmed(rest);
  if (rest.empty()) return std::nullopt;
  return rest;
}

}  // namespace bento::detail
