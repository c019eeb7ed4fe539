#include "codec/ndarray_decimal.h"

#include <bento/abi.h>

#include <charconv>
#include <concepts>
#include <cstring>
#include <limits>

#include "codec/half.h"

namespace bentohost::service {
namespace {

constexpr int kMantissaDigits = 19;                       // any 19 digits fit 64 bits
constexpr std::int64_t kExponentCap = 1'000'000'000'000;  // beyond any text's length

bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

const char* scan_digits(const char* p, const char* last, std::uint64_t& mantissa) {
  for (; p != last && is_digit(*p); ++p) mantissa = mantissa * 10 + static_cast<unsigned>(*p - '0');
  return p;
}

const char* scan_exponent(const char* p, const char* last, std::int64_t& exponent) {
  const bool negative = p != last && *p == '-';
  if (p != last && (*p == '-' || *p == '+')) ++p;
  if (p == last || !is_digit(*p)) return nullptr;
  std::int64_t value = 0;
  for (; p != last && is_digit(*p); ++p) {
    if (value < kExponentCap) value = value * 10 + (*p - '0');
  }
  exponent += negative ? -value : value;
  return p;
}

// Counts digits from the first nonzero one. `text` starts at the first digit.
int significant_digits(std::string_view text) {
  int digits = 0;
  for (const char c : text) {
    if (c == 'e' || c == 'E') break;
    if (is_digit(c) && (c != '0' || digits > 0)) ++digits;
  }
  return digits;
}

template <typename T>
struct Exact;  // powers of ten and mantissas that T holds without rounding
template <>
struct Exact<double> {
  static constexpr std::uint64_t kMantissa = std::uint64_t{1} << 53;
  static constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                       1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                       1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
};
template <>
struct Exact<float> {
  static constexpr std::uint64_t kMantissa = std::uint64_t{1} << 24;
  static constexpr float kPowers[] = {1e0F, 1e1F, 1e2F, 1e3F, 1e4F, 1e5F,
                                      1e6F, 1e7F, 1e8F, 1e9F, 1e10F};
};

template <std::floating_point T>
bool convert(const Decimal& decimal, T& out) {
  constexpr std::int64_t kMaxPower = std::size(Exact<T>::kPowers) - 1;
  // Both operands are exact, so one IEEE operation rounds once and thus correctly (Clinger 1990).
  if (decimal.exact && decimal.mantissa <= Exact<T>::kMantissa && decimal.exponent >= -kMaxPower &&
      decimal.exponent <= kMaxPower) {
    const T mantissa = static_cast<T>(decimal.mantissa);
    const T value = decimal.exponent < 0 ? mantissa / Exact<T>::kPowers[-decimal.exponent]
                                         : mantissa * Exact<T>::kPowers[decimal.exponent];
    out = decimal.negative ? -value : value;
    return true;
  }
  const std::string_view text = decimal.text;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), out);
  if (result.ec == std::errc()) return true;
  // Out of range; from_chars does not say whether too large or too small.
  const std::string_view digits = text.substr(decimal.negative ? 1 : 0);
  if (decimal.exponent + significant_digits(digits) > 0) return false;
  out = decimal.negative ? T{-0.0} : T{0.0};
  return true;
}

// |value|, if that is an integer of at most 64 bits.
bool magnitude_of(const Decimal& decimal, std::uint64_t& magnitude) {
  if (!decimal.exact) {
    if (!decimal.integral) return false;
    const std::string_view digits = decimal.text.substr(decimal.negative ? 1 : 0);
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), magnitude);
    return result.ec == std::errc();
  }
  magnitude = decimal.mantissa;
  if (magnitude == 0) return true;
  std::int64_t exponent = decimal.exponent;
  for (; exponent < 0; ++exponent, magnitude /= 10) {
    if (magnitude % 10 != 0) return false;
  }
  for (; exponent > 0; --exponent) {
    if (__builtin_mul_overflow(magnitude, std::uint64_t{10}, &magnitude)) return false;
  }
  return true;
}

template <std::integral T>
bool convert(const Decimal& decimal, T& out) {
  std::uint64_t magnitude = 0;
  if (!magnitude_of(decimal, magnitude)) return false;
  using Limits = std::numeric_limits<T>;
  const std::uint64_t limit = decimal.negative
                                  ? std::uint64_t{0} - static_cast<std::uint64_t>(Limits::min())
                                  : static_cast<std::uint64_t>(Limits::max());
  if (magnitude > limit) return false;
  out = static_cast<T>(decimal.negative ? std::uint64_t{0} - magnitude : magnitude);
  return true;
}

template <typename T>
bool store(const Decimal& decimal, char* element) {
  T value;
  if (!convert(decimal, value)) return false;
  std::memcpy(element, &value, sizeof value);
  return true;
}

bool store_half(const Decimal& decimal, char* element) {
  double value;
  if (!convert(decimal, value) || !fits_half(value)) return false;
  const std::uint16_t bits = half_from_double(value);
  std::memcpy(element, &bits, sizeof bits);
  return true;
}

}  // namespace

const char* scan_decimal(const char* first, const char* last, Decimal& out) {
  const char* p = first;
  out.negative = p != last && *p == '-';
  if (out.negative) ++p;
  const char* const digits = p;
  out.mantissa = 0;
  p = scan_digits(p, last, out.mantissa);
  if (p == digits || (*digits == '0' && p != digits + 1)) return nullptr;

  std::int64_t count = p - digits;
  out.exponent = 0;
  out.integral = true;
  if (p != last && *p == '.') {
    const char* const fraction = ++p;
    p = scan_digits(p, last, out.mantissa);
    if (p == fraction) return nullptr;
    out.exponent = fraction - p;
    out.integral = false;
    count += p - fraction;
  }
  if (p != last && (*p == 'e' || *p == 'E')) {
    p = scan_exponent(p + 1, last, out.exponent);
    if (p == nullptr) return nullptr;
    out.integral = false;
  }
  out.text = std::string_view(first, static_cast<std::size_t>(p - first));
  out.exact = count <= kMantissaDigits ||
              significant_digits({digits, static_cast<std::size_t>(p - digits)}) <= kMantissaDigits;
  return p;
}

bool store_decimal(const Decimal& decimal, std::uint32_t dtype, char* element) {
  switch (dtype) {
    case BENTO_BOOL:
      return store<bool>(decimal, element);
    case BENTO_I8:
      return store<std::int8_t>(decimal, element);
    case BENTO_I16:
      return store<std::int16_t>(decimal, element);
    case BENTO_I32:
      return store<std::int32_t>(decimal, element);
    case BENTO_I64:
      return store<std::int64_t>(decimal, element);
    case BENTO_U8:
      return store<std::uint8_t>(decimal, element);
    case BENTO_U16:
      return store<std::uint16_t>(decimal, element);
    case BENTO_U32:
      return store<std::uint32_t>(decimal, element);
    case BENTO_U64:
      return store<std::uint64_t>(decimal, element);
    case BENTO_F16:
      return store_half(decimal, element);
    case BENTO_F32:
      return store<float>(decimal, element);
    case BENTO_F64:
      return store<double>(decimal, element);
    default:
      return false;
  }
}

}  // namespace bentohost::service
