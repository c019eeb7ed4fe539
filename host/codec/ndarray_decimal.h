// Decimal: a JSON number as its digits, and its conversion to a tensor's element. Conversions are
// correctly rounded and do not allocate. Pure; any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace bentohost::service {

struct Decimal {
  std::string_view text;
  std::uint64_t mantissa = 0;  // all digits as one integer; meaningless unless `exact`
  std::int64_t exponent = 0;   // value = mantissa * 10^exponent
  bool negative = false;
  bool integral = false;  // neither a fraction nor an exponent was written
  bool exact = false;     // the digits fit `mantissa`
};

// Reads one number in JSON's grammar (RFC 8259, section 6) from [first, last). Returns the byte
// after it, or null if there is no well-formed number. `out.text` points into the input.
const char* scan_decimal(const char* first, const char* last, Decimal& out);

// Writes the value as one element of `dtype` (a BENTO_ number) to `element`. False, and nothing is
// written, if the type cannot hold the value: out of range, or a fraction for an integer. 3.0 and
// 3e2 are integers; bool takes 0 and 1. Values too small for a float type become zero, as usual.
bool store_decimal(const Decimal& decimal, std::uint32_t dtype, char* element);

}  // namespace bentohost::service
