// Byte ranges (RFC 9110 14): parses a Range field, and frames a response with several ranges
// (multipart/byteranges). Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bentohost::http {

inline constexpr std::size_t kMaxRanges = 16;  // in one request

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;

  bool operator==(const ByteRange&) const = default;
};

// The ranges that `field`, a whole Range field, selects from a representation of `size` bytes: in
// the field's order, clipped, none empty. An empty result: none can be satisfied, 416. No value:
// ignore the field, because it is malformed, has another unit, more than kMaxRanges members or
// overlapping ones (which cost more than the whole, RFC 9110 14.2), or because there are no bytes.
std::optional<std::vector<ByteRange>> select_ranges(std::string_view field, std::uint64_t size);

// "bytes 0-499/1234": the Content-Range of a range.
std::string content_range(const ByteRange& range, std::uint64_t size);
// "bytes */1234": the Content-Range of a 416.
std::string unsatisfied_range(std::uint64_t size);

// A piece of a body: some text, then a range of the representation.
struct BodyPiece {
  std::string text;
  ByteRange range;
};

// The body with `ranges` as parts, each with the Content-Type `part_type`. `boundary` must be at
// most 70 letters and digits (RFC 2046 5.1.1), and hard to guess.
std::vector<BodyPiece> multipart_byteranges(const std::vector<ByteRange>& ranges,
                                            std::uint64_t size, std::string_view part_type,
                                            std::string_view boundary);
// The Content-Type of that body.
std::string multipart_type(std::string_view boundary);

std::uint64_t total_length(const std::vector<BodyPiece>& pieces);

}  // namespace bentohost::http
