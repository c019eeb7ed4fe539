// Decimal: a JSON number as its text says it, and its exact conversion to a tensor's element. Every
// conversion is correctly rounded; none allocates. Pure; any thread.
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
// after it, or null when there is none or it is malformed. `out.text` points into the input.
const char* scan_decimal(const char* first, const char* last, Decimal& out);

// Writes the value as one element of `dtype` (a BENTO_ number) to `element`. False, and nothing
// written, when the type cannot hold it: out of range, or a fraction for an integer. 3.0 and 3e2
// are integers; bool takes 0 and 1. Too small for a float type is zero, as everywhere.
bool store_decimal(const Decimal& decimal, std::uint32_t dtype, char* element);

}  // namespace bentohost::service
