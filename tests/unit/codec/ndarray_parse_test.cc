#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "codec/half.h"
#include "codec/ndarray.h"

namespace bentohost::service {
namespace {

using testing::ElementsAre;
using testing::StartsWith;
using Shape = std::vector<std::int64_t>;

TensorSpec of(std::uint32_t dtype) {
  TensorSpec spec;
  spec.dtype = dtype;
  return spec;
}

TensorSpec of(std::uint32_t dtype, Shape shape) {
  TensorSpec spec = of(dtype);
  spec.shape = std::move(shape);
  spec.any_shape = false;
  return spec;
}

template <typename T>
std::vector<T> elements(const wire::Value& value) {
  std::vector<T> all(value.data.size() / sizeof(T));
  if (!all.empty()) std::memcpy(all.data(), value.data.data(), value.data.size());
  return all;
}

std::string error_of(std::string_view json, const TensorSpec& spec) {
  const auto value = parse_ndarray(json, spec);
  if (value.ok()) return "no error";
  EXPECT_EQ(value.status().code(), BENTO_INVALID_ARGUMENT);
  return value.status().message();
}

TEST(NdarrayParse, ReadsRowsOfFloat64) {
  auto value =
      parse_ndarray(" [[4.9, 3.0,1.4,0.2],\n\t[6,-2.5e-1,0,1E2]\r]\n", of(BENTO_F64, {-1, 4}));
  ASSERT_TRUE(value.ok()) << value.status().message();
  EXPECT_EQ(value->kind, static_cast<std::uint32_t>(BENTO_TENSOR));
  EXPECT_EQ(value->dtype, static_cast<std::uint32_t>(BENTO_F64));
  EXPECT_THAT(value->shape, ElementsAre(2, 4));
  EXPECT_THAT(elements<double>(*value), ElementsAre(4.9, 3.0, 1.4, 0.2, 6, -0.25, 0, 100));
}

TEST(NdarrayParse, ReadsABareScalarAsZeroDimensions) {
  auto value = parse_ndarray("7", of(BENTO_I32, {}));
  ASSERT_TRUE(value.ok()) << value.status().message();
  EXPECT_TRUE(value->shape.empty());
  EXPECT_THAT(elements<std::int32_t>(*value), ElementsAre(7));
}

TEST(NdarrayParse, AlignsTheDataAsTheAbiPromises) {
  auto value = parse_ndarray("[1,2,3]", of(BENTO_F32));
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(value->data.data()) % kDataAlignment, 0U);
}

TEST(NdarrayParse, InfersTheTypeFromTheWholeText) {
  const struct {
    const char* json;
    std::uint32_t dtype;
  } cases[] = {
      {"[1, 2]", BENTO_I64},
      {"[1, 2.0]", BENTO_F64},
      {"[1.5, 2]", BENTO_F64},
      {"[1e3, 2]", BENTO_F64},
      {"[2, 1E3]", BENTO_F64},
      {"[true, false]", BENTO_BOOL},
      {"[true, 2]", BENTO_I64},
      {"[false, 0.5]", BENTO_F64},
      {"[2, true]", BENTO_I64},
      {"3", BENTO_I64},
      {"true", BENTO_BOOL},
      {"[]", BENTO_F64},
      {"[9223372036854775808, 0.5]", BENTO_F64},
  };
  for (const auto& c : cases) {
    auto value = parse_ndarray(c.json, TensorSpec());
    ASSERT_TRUE(value.ok()) << c.json << ": " << value.status().message();
    EXPECT_EQ(value->dtype, c.dtype) << c.json;
  }
  EXPECT_EQ(error_of("[9223372036854775808]", TensorSpec()),
            "expected int64, got 9223372036854775808 at [0]");
}

TEST(NdarrayParse, ReadsTheLimitsOfEveryIntegerType) {
  const struct {
    std::uint32_t dtype;
    const char *name, *lowest, *highest, *below, *above;
  } cases[] = {
      {BENTO_I8, "int8", "-128", "127", "-129", "128"},
      {BENTO_I16, "int16", "-32768", "32767", "-32769", "32768"},
      {BENTO_I32, "int32", "-2147483648", "2147483647", "-2147483649", "2147483648"},
      {BENTO_I64, "int64", "-9223372036854775808", "9223372036854775807", "-9223372036854775809",
       "9223372036854775808"},
      {BENTO_U8, "uint8", "0", "255", "-1", "256"},
      {BENTO_U16, "uint16", "0", "65535", "-1", "65536"},
      {BENTO_U32, "uint32", "0", "4294967295", "-1", "4294967296"},
      {BENTO_U64, "uint64", "0", "18446744073709551615", "-1", "18446744073709551616"},
  };
  for (const auto& c : cases) {
    const std::string limits = std::string("[") + c.lowest + ',' + c.highest + ']';
    auto value = parse_ndarray(limits, of(c.dtype));
    ASSERT_TRUE(value.ok()) << c.name << ": " << value.status().message();
    std::string text;
    ASSERT_TRUE(write_ndarray(value->view().tensor, text).ok());
    EXPECT_EQ(text, limits);
    for (const char* outside : {c.below, c.above}) {
      EXPECT_EQ(error_of(std::string("[0,") + outside + ']', of(c.dtype)),
                std::string("expected ") + c.name + ", got " + outside + " at [1]");
    }
  }
}

TEST(NdarrayParse, TakesIntegersHoweverTheyAreWritten) {
  auto value = parse_ndarray("[3.0, 3e2, 1200e-2, -0, -0.0, 0e99, 1e0]", of(BENTO_I64));
  ASSERT_TRUE(value.ok()) << value.status().message();
  EXPECT_THAT(elements<std::int64_t>(*value), ElementsAre(3, 300, 12, 0, 0, 0, 1));
  EXPECT_EQ(error_of("[[1, 3.5]]", of(BENTO_I64)), "expected int64, got 3.5 at [0][1]");
  EXPECT_EQ(error_of("5e-1", of(BENTO_I64)), "expected int64, got 5e-1");
  EXPECT_EQ(error_of("[1e19]", of(BENTO_I64)), "expected int64, got 1e19 at [0]");
  EXPECT_EQ(error_of("[1e300]", of(BENTO_U8)), "expected uint8, got 1e300 at [0]");
}

TEST(NdarrayParse, TakesLiteralsAndZeroAndOneAsEachOther) {
  auto flags = parse_ndarray("[true, false, 1, 0]", of(BENTO_BOOL));
  ASSERT_TRUE(flags.ok()) << flags.status().message();
  EXPECT_THAT(elements<std::uint8_t>(*flags), ElementsAre(1, 0, 1, 0));
  auto numbers = parse_ndarray("[true, 0.5]", of(BENTO_F64));
  ASSERT_TRUE(numbers.ok()) << numbers.status().message();
  EXPECT_THAT(elements<double>(*numbers), ElementsAre(1, 0.5));
  EXPECT_EQ(error_of("[2]", of(BENTO_BOOL)), "expected bool, got 2 at [0]");
  EXPECT_EQ(error_of("[-1]", of(BENTO_BOOL)), "expected bool, got -1 at [0]");
}

TEST(NdarrayParse, RoundsEveryDecimalCorrectly) {
  const struct {
    const char* json;
    double value;
  } cases[] = {
      {"9007199254740993", 9007199254740992.0},  // ties to even
      {"9007199254740993.0000000000000000001", 9007199254740994.0},
      {"1.7976931348623157e308", std::numeric_limits<double>::max()},
      {"4.9406564584124654e-324", 5e-324},
      {"2.2250738585072011e-308", 2.2250738585072011e-308},  // hung PHP and Java
      {"0.1000000000000000055511151231257827021181583404541015625", 0.1},
      {"7.2057594037927933e16", 72057594037927936.0},
      {"1e-400", 0.0},
      {"1e-99999999999999999999", 0.0},
      {"0e99999999999999999999", 0.0},
      {"1e23", 1e23},
      {"3.5e22", 3.5e22},
      {"0.000000000000000000000000000000000000012345", 1.2345e-38},
  };
  for (const auto& c : cases) {
    auto value = parse_ndarray(c.json, of(BENTO_F64));
    ASSERT_TRUE(value.ok()) << c.json << ": " << value.status().message();
    EXPECT_THAT(elements<double>(*value), ElementsAre(c.value)) << c.json;
  }
}

TEST(NdarrayParse, RoundsFloat32OnceAndNotThroughDouble) {
  // Halfway between two floats except for the last digit, which a double cannot hold.
  auto value = parse_ndarray("[1.00000005960464477540, 16777217, 1e-60, -1e-60]", of(BENTO_F32));
  ASSERT_TRUE(value.ok()) << value.status().message();
  EXPECT_THAT(elements<float>(*value), ElementsAre(1.00000012F, 16777216.0F, 0.0F, 0.0F));
  EXPECT_TRUE(std::signbit(elements<float>(*value)[3]));
  EXPECT_EQ(error_of("[3.5e38]", of(BENTO_F32)), "expected float32, got 3.5e38 at [0]");
}

TEST(NdarrayParse, RoundsFloat16ToNearestEven) {
  auto value =
      parse_ndarray("[1, -2, 65504, 65519.9, 0.1, 2049, 2051, 6e-8, 2e-8, 1023.75]", of(BENTO_F16));
  ASSERT_TRUE(value.ok()) << value.status().message();
  EXPECT_THAT(elements<std::uint16_t>(*value), ElementsAre(0x3c00, 0xc000, 0x7bff, 0x7bff, 0x2e66,
                                                           0x6800, 0x6802, 0x0001, 0x0000, 0x6400));
  EXPECT_EQ(error_of("[65520]", of(BENTO_F16)), "expected float16, got 65520 at [0]");
}

TEST(NdarrayParse, KeepsNegativeZero) {
  auto value = parse_ndarray("[-0.0, -0]", of(BENTO_F64));
  ASSERT_TRUE(value.ok());
  for (const double zero : elements<double>(*value)) EXPECT_TRUE(std::signbit(zero));
}

TEST(NdarrayParse, TakesEmptyExtentsAsArrays) {
  const struct {
    const char* json;
    Shape shape;
  } cases[] = {{"[]", {0}}, {"[ [ ], [ ] ]", {2, 0}}, {"[[[]]]", {1, 1, 0}}};
  for (const auto& c : cases) {
    auto value = parse_ndarray(c.json, of(BENTO_F32));
    ASSERT_TRUE(value.ok()) << c.json << ": " << value.status().message();
    EXPECT_EQ(value->shape, c.shape) << c.json;
    EXPECT_TRUE(value->data.empty());
  }
}

TEST(NdarrayParse, TakesTheExtentsThatAnEmptyArrayCannotShowFromTheDeclaration) {
  const struct {
    const char* json;
    Shape declared, shape;
  } cases[] = {
      {"[]", {-1, 4}, {0, 4}},
      {"[]", {-1, -1}, {0, 0}},
      {"[[],[]]", {-1, -1, 3}, {2, 0, 3}},
      {"[[],[]]", {2, 0, 3}, {2, 0, 3}},
  };
  for (const auto& c : cases) {
    auto value = parse_ndarray(c.json, of(BENTO_F64, c.declared));
    ASSERT_TRUE(value.ok()) << c.json << ": " << value.status().message();
    EXPECT_EQ(value->shape, c.shape) << c.json;
  }
  EXPECT_EQ(error_of("[]", of(BENTO_F64, {3, 4})), "expected an array of shape (3, 4), got (0,)");
  EXPECT_EQ(error_of("[[]]", of(BENTO_F64, {-1, 4})),
            "expected an array of shape (n, 4), got (1, 0)");
}

TEST(NdarrayParse, RefusesAnotherShape) {
  const struct {
    const char* json;
    Shape declared;
    const char* error;
  } cases[] = {
      {"[[1,2,3]]", {-1, 4}, "expected an array of shape (n, 4), got (1, 3)"},
      {"[1,2,3,4]", {-1, 4}, "expected an array of shape (n, 4), got (4,)"},
      {"[[[1,2,3,4]]]", {-1, 4}, "expected an array of shape (n, 4), got (1, 1, 4)"},
      {"5", {-1, 4}, "expected an array of shape (n, 4), got ()"},
      {"[5]", {}, "expected an array of shape (), got (1,)"},
      {"[1,2]", {3}, "expected an array of shape (3,), got (2,)"},
      {"{\"x\":[1]}", {-1, 4}, "expected an array of shape (n, 4), got an object"},
      {"null", {-1}, "expected an array of shape (n,), got null"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(error_of(c.json, of(BENTO_F64, c.declared)), c.error) << c.json;
}

TEST(NdarrayParse, RefusesARaggedArrayAndNamesBothPlaces) {
  const struct {
    const char *json, *error;
  } cases[] = {
      {"[[1,2,3,4],[1,2,3]]", "ragged array: [1] has 3 elements where [0] has 4"},
      {"[[1,2],[1,2,3]]", "ragged array: [1] has 3 elements where [0] has 2"},
      {"[[1,2],[3]]", "ragged array: [1] has 1 element where [0] has 2"},
      {"[[[1],[2]],[[3],[4,5]]]", "ragged array: [1][1] has 2 elements where [0][0] has 1"},
      {"[[[1],[2]],[[3]]]", "ragged array: [1] has 1 element where [0] has 2"},
      {"[[1],[]]", "ragged array: [1] has 0 elements where [0] has 1"},
      {"[[],[1]]", "ragged array: [1] has 1 element where [0] has 0"},
      {"[[[]],[]]", "ragged array: [1] has 0 elements where [0] has 1"},
      {"[[],[[]]]", "ragged array: [1] has elements where [0] has none"},
      {"[1,[2]]", "ragged array: [1] is an array where [0] is a number"},
      {"[[1],2]", "ragged array: [1] is a number where [0] is an array"},
      {"[[],2]", "ragged array: [1] is a number where [0] is an array"},
      {"[[[1]],[2]]", "ragged array: [1][0] is a number where [0][0] is an array"},
      {"[[1],[true,false]]", "ragged array: [1] has 2 elements where [0] has 1"},
  };
  for (const auto& c : cases) EXPECT_EQ(error_of(c.json, TensorSpec()), c.error) << c.json;
}

TEST(NdarrayParse, RefusesWhatIsNoNumber) {
  const struct {
    const char* json;
    std::uint32_t dtype;
    const char* error;
  } cases[] = {
      {"[[1,2,\"3\"]]", BENTO_F64, "expected float64, got a string at [0][2]"},
      {"[1,null]", BENTO_F32, "expected float32, got null at [1]"},
      {"[1,{\"a\":2}]", BENTO_I8, "expected int8, got an object at [1]"},
      {"[[1],\"a\"]", 0, "expected a number, got a string at [1]"},
      {"\"1\"", BENTO_F64, "expected an array of float64, got a string"},
      {"{}", 0, "expected an array of numbers, got an object"},
  };
  for (const auto& c : cases) EXPECT_EQ(error_of(c.json, of(c.dtype)), c.error) << c.json;
}

TEST(NdarrayParse, QuotesOnlyTheBeginningOfALongNumber) {
  const std::string digits(1000, '7');
  EXPECT_EQ(error_of("[0." + digits + "]", of(BENTO_I8)),
            "expected int8, got 0." + digits.substr(0, 38) + "... at [0]");
}

TEST(NdarrayParse, NamesTheLineAndColumnOfBrokenJson) {
  const struct {
    std::string_view json, error;
  } cases[] = {
      {"[1, 2 3]", "line 1 column 7: missing a comma or ] after an array element"},
      {"[[1,2],\n [3 4]]", "line 2 column 5: missing a comma or ] after an array element"},
      {"", "line 1 column 1: the document is empty"},
      {"   ", "line 1 column 4: "},
      {"[", "line 1 column 2: "},
      {"[1,", "line 1 column 4: the document ends too early"},
      {"[1,]", "line 1 column 4: "},
      {"[,1]", "line 1 column 2: "},
      {"[1]]", "line 1 column 4: "},
      {"[1] [2]", "line 1 column 5: "},
      {"[01]", "line 1 column 3: "},
      {"[1.]", "line 1 column 4: "},
      {"[.5]", "line 1 column 2: "},
      {"[+1]", "line 1 column 2: "},
      {"[-]", "line 1 column 3: "},
      {"[1e]", "line 1 column 4: "},
      {"[0x1]", "line 1 column 3: "},
      {"[NaN]", "line 1 column 2: "},
      {"[Infinity]", "line 1 column 2: "},
      {"[-Infinity]", "line 1 column 3: "},
      {"[1e400]", "line 1 column 2: "},
      {"[1] // one", "line 1 column 5: "},
      {"\xEF\xBB\xBF[1]", "line 1 column 1: "},
      {"[\"\xff\"]", "line 1 column "},
      {std::string_view("[1]\0", 4), "line 1 column 4: a NUL byte"},
      {std::string_view("[1,\0 2]", 7), "line 1 column 4: a NUL byte"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(error_of(c.json, of(BENTO_F64)), StartsWith(std::string(c.error))) << c.json;
  }
}

TEST(NdarrayParse, BoundsTheNumberOfDimensions) {
  const std::string open(wire::kMaxDims, '['), close(wire::kMaxDims, ']');
  auto value = parse_ndarray(open + "1" + close, of(BENTO_I8));
  ASSERT_TRUE(value.ok()) << value.status().message();
  EXPECT_EQ(value->shape, Shape(wire::kMaxDims, 1));
  EXPECT_EQ(error_of('[' + open + "1" + close + ']', of(BENTO_I8)),
            "an array of more than 32 dimensions");
  EXPECT_EQ(error_of(std::string(1'000'000, '['), of(BENTO_I8)),
            "an array of more than 32 dimensions");
}

// The fast reader parses the first text, RapidJSON the second, whose last element is a literal.
TEST(NdarrayParse, ReadsTheSameWithAndWithoutALiteral) {
  const std::string numbers =
      "[0.1,-7e-3,1e22,123456789012345678901234567890,0.30000000000000004,5e-324,-0.0,65504,";
  for (const std::uint32_t dtype : {BENTO_F64, BENTO_F32}) {
    auto plain = parse_ndarray(numbers + "1]", of(dtype));
    auto strict = parse_ndarray(numbers + "true]", of(dtype));
    ASSERT_TRUE(plain.ok() && strict.ok());
    EXPECT_EQ(plain->data, strict->data);
  }
}

TEST(Half, SurvivesDoubleInEveryBitPattern) {
  for (int bits = 0; bits < 0x10000; ++bits) {
    const double value = double_from_half(static_cast<std::uint16_t>(bits));
    if (!std::isfinite(value)) continue;
    ASSERT_TRUE(fits_half(value)) << bits;
    ASSERT_EQ(half_from_double(value), bits);
  }
}

}  // namespace
}  // namespace bentohost::service
