// IEEE 754 binary16 to and from double, by arithmetic: neither of our compilers has the type in
// C++. Pure; any thread.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace bentohost::service {

// Magnitudes below this round to at most the largest half (65504), others to infinity.
inline bool fits_half(double value) { return std::abs(value) < 65520.0; }

// Rounds to nearest, ties to even. `value` must fit.
inline std::uint16_t half_from_double(double value) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
  const double magnitude = std::abs(value);
  if (magnitude < 0x1p-14) {  // subnormal: a multiple of 2^-24; 1024 of these make the first normal
    return sign | static_cast<std::uint16_t>(std::nearbyint(magnitude * 0x1p24));
  }
  int exponent = 0;
  const double fraction = std::frexp(magnitude, &exponent);  // in [0.5, 1): 11 bits stay
  const auto significand = static_cast<int>(std::nearbyint(fraction * 2048));
  // A significand that rounds up to 2048 carries into the exponent, as it should.
  return sign | static_cast<std::uint16_t>(((exponent + 14) << 10) + significand - 1024);
}

inline double double_from_half(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int fraction = bits & 1023;
  double magnitude;
  if (exponent == 31) {
    magnitude = fraction == 0 ? std::numeric_limits<double>::infinity()
                              : std::numeric_limits<double>::quiet_NaN();
  } else if (exponent == 0) {
    magnitude = fraction * 0x1p-24;
  } else {
    magnitude = std::ldexp(1024 + fraction, exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

}  // namespace bentohost::service
