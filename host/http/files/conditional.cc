#include "http/files/conditional.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <string_view>

#include "http/date.h"
#include "http/syntax.h"

namespace bentohost::http {
namespace {

constexpr std::string_view kWeak = "W/";

std::time_t to_seconds(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

std::string make_etag(std::uint64_t size, WallTime modified, bool is_strong) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "\"%llx-%llx\"",
                static_cast<unsigned long long>(modified.time_since_epoch().count()),
                static_cast<unsigned long long>(size));
  return (is_strong ? "" : std::string(kWeak)) + text.data();
}

// Takes an entity-tag (RFC 9110 8.8.3) off the front of `list`; empty if none is there.
std::string_view take_tag(std::string_view& list) {
  const std::size_t open = list.starts_with(kWeak) ? kWeak.size() : 0;
  if (open >= list.size() || list[open] != '"') return {};
  const std::size_t close = list.find_first_of("\" \t", open + 1);
  if (close == std::string_view::npos || list[close] != '"') return {};
  const std::string_view tag = list.substr(0, close + 1);
  list.remove_prefix(tag.size());
  return tag;
}

bool is_weak(std::string_view tag) { return tag.starts_with(kWeak); }

// RFC 9110 8.8.3.2.
bool matches(std::string_view a, std::string_view b, bool strongly) {
  if (strongly) return a == b && !is_weak(a);
  return a.substr(is_weak(a) ? kWeak.size() : 0) == b.substr(is_weak(b) ? kWeak.size() : 0);
}

// Whether `etag` is in an If-Match or If-None-Match field, up to where that is malformed.
bool lists(std::string_view field, std::string_view etag, bool strongly) {
  if (trim(field) == "*") return true;
  while (true) {
    field.remove_prefix(std::min(field.find_first_not_of(" \t,"), field.size()));
    const std::string_view tag = take_tag(field);
    if (tag.empty()) return false;
    field = trim(field);
    if (!field.empty() && field[0] != ',') return false;
    if (matches(tag, etag, strongly)) return true;
  }
}

class Evaluation {
 public:
  Evaluation(const Headers& headers, const Validators& validators, WallTime now)
      : headers_(headers), validators_(validators), now_(to_seconds(now)) {}

  bool has(std::string_view name) const { return has_header(headers_, name); }
  std::string field(std::string_view name) const { return joined_header(headers_, name); }
  bool lists_us(std::string_view name, bool strongly) const {
    return lists(field(name), validators_.etag, strongly);
  }
  // No value: the field is missing or to be ignored.
  std::optional<bool> is_modified_since(std::string_view name) const {
    if (!has(name)) return std::nullopt;
    const std::optional<std::time_t> date = parse_http_date(field(name), now_);
    if (!date) return std::nullopt;
    return validators_.last_modified > *date;
  }
  // If-Range, RFC 9110 13.1.5: validators of both kinds must be strong.
  bool may_be_partial() const {
    if (!has("if-range")) return true;
    if (!validators_.is_strong) return false;
    const std::string value = field("if-range");
    if (value.find('"') != std::string::npos) return value == validators_.etag;
    return parse_http_date(value, now_) == validators_.last_modified;
  }

 private:
  const Headers& headers_;
  const Validators& validators_;
  std::time_t now_;
};

}  // namespace

Validators file_validators(std::uint64_t size, WallTime modified, WallTime now) {
  const bool is_strong = modified < now - kSettled;
  return {make_etag(size, modified, is_strong), to_seconds(std::min(modified, now)), is_strong};
}

Selection select(const Request& request, const Validators& validators, std::uint64_t size,
                 WallTime now) {
  const Evaluation evaluation(request.headers, validators, now);
  const bool is_get = request.method == "GET";
  const bool only_reads = is_get || request.method == "HEAD";

  if (evaluation.has("if-match")) {
    if (!evaluation.lists_us("if-match", true)) return {412, {}};
  } else if (evaluation.is_modified_since("if-unmodified-since").value_or(false)) {
    return {412, {}};
  }
  if (evaluation.has("if-none-match")) {
    if (evaluation.lists_us("if-none-match", false)) return {only_reads ? 304 : 412, {}};
  } else if (only_reads && !evaluation.is_modified_since("if-modified-since").value_or(true)) {
    return {304, {}};
  }
  if (!is_get || !evaluation.has("range") || !evaluation.may_be_partial()) return {};
  std::optional<std::vector<ByteRange>> ranges = select_ranges(evaluation.field("range"), size);
  if (!ranges) return {};
  return {ranges->empty() ? 416 : 206, *std::move(ranges)};
}

}  // namespace bentohost::http
