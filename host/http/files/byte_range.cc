#include "http/files/byte_range.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "http/syntax.h"

namespace bentohost::http {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

// A number too large to hold becomes the largest one: no file is that long.
std::optional<std::uint64_t> parse_position(std::string_view digits) {
  if (digits.empty()) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    number = number > (kMax - digit) / 10 ? kMax : number * 10 + digit;
  }
  return number;
}

// Parses a range-spec; `size` is not 0. Length 0: not satisfiable. No value: malformed.
std::optional<ByteRange> parse_spec(std::string_view spec, std::uint64_t size) {
  const std::size_t dash = spec.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view last_text = spec.substr(dash + 1);
  const std::optional<std::uint64_t> last = parse_position(last_text);
  if (!last && !last_text.empty()) return std::nullopt;
  if (dash == 0) {
    if (!last) return std::nullopt;
    const std::uint64_t length = std::min(*last, size);
    return ByteRange{size - length, length};
  }
  const std::optional<std::uint64_t> first = parse_position(spec.substr(0, dash));
  if (!first || (last && *last < *first)) return std::nullopt;
  if (*first >= size) return ByteRange();
  return ByteRange{*first, std::min(last.value_or(size - 1), size - 1) - *first + 1};
}

bool overlap(std::vector<ByteRange> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const ByteRange& a, const ByteRange& b) { return a.offset < b.offset; });
  const auto hit = std::adjacent_find(
      ranges.begin(), ranges.end(),
      [](const ByteRange& a, const ByteRange& b) { return a.offset + a.length > b.offset; });
  return hit != ranges.end();
}

}  // namespace

std::optional<std::vector<ByteRange>> select_ranges(std::string_view field, std::uint64_t size) {
  const std::size_t equals = field.find('=');
  if (equals == std::string_view::npos || size == 0) return std::nullopt;
  if (!equals_ignoring_case(field.substr(0, equals), "bytes")) return std::nullopt;
  std::vector<ByteRange> ranges;
  std::size_t count = 0;
  bool is_valid = true;
  for_each_member(field.substr(equals + 1), [&](std::string_view spec) {
    is_valid = is_valid && ++count <= kMaxRanges;
    if (!is_valid) return;
    const std::optional<ByteRange> range = parse_spec(spec, size);
    is_valid = range.has_value();
    if (range && range->length > 0) ranges.push_back(*range);
  });
  if (!is_valid || count == 0 || overlap(ranges)) return std::nullopt;
  return ranges;
}

std::string content_range(const ByteRange& range, std::uint64_t size) {
  std::string text = "bytes ";
  text.append(std::to_string(range.offset)).append("-");
  text.append(std::to_string(range.offset + range.length - 1)).append("/");
  return text.append(std::to_string(size));
}

std::string unsatisfied_range(std::uint64_t size) { return "bytes */" + std::to_string(size); }

std::vector<BodyPiece> multipart_byteranges(const std::vector<ByteRange>& ranges,
                                            std::uint64_t size, std::string_view part_type,
                                            std::string_view boundary) {
  std::vector<BodyPiece> pieces;
  for (const ByteRange& range : ranges) {
    std::string text = "\r\n--";
    text.append(boundary);
    if (!part_type.empty()) text.append("\r\nContent-Type: ").append(part_type);
    text.append("\r\nContent-Range: ").append(content_range(range, size)).append("\r\n\r\n");
    pieces.push_back({std::move(text), range});
  }
  std::string end = "\r\n--";
  pieces.push_back({end.append(boundary).append("--\r\n"), {}});
  return pieces;
}

std::string multipart_type(std::string_view boundary) {
  std::string type = "multipart/byteranges; boundary=";
  return type.append(boundary);
}

std::uint64_t total_length(const std::vector<BodyPiece>& pieces) {
  std::uint64_t length = 0;
  for (const BodyPiece& piece : pieces) length += piece.text.size() + piece.range.length;
  return length;
}

}  // namespace bentohost::http
