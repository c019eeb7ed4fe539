#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "codec/ndarray.h"
#include "codec/ndarray_builder.h"
#include "codec/ndarray_decimal.h"
#include "json/json.h"

namespace bentohost::service {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The element type that the text of an array suggests: a fraction or exponent anywhere makes
// float64, else a digit int64, else a literal bool; an empty array is float64, as in NumPy. Any
// other text fails in the parser, whatever this returns.
std::uint32_t suggest_dtype(std::string_view json) {
  std::uint32_t dtype = BENTO_F64;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '.' || c == 'E' || (c == 'e' && i > 0 && is_digit(json[i - 1]))) return BENTO_F64;
    if (is_digit(c)) {
      dtype = BENTO_I64;
    } else if (dtype == BENTO_F64 && (c == 't' || c == 'f')) {
      dtype = BENTO_BOOL;
    }
  }
  return dtype;
}

const char* skip_space(const char* p, const char* end) {
  while (p != end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) ++p;
  return p;
}

// The fast path for nearly all requests: correct nested arrays of numbers. Returns false on
// anything else; parse_strictly() then starts again, accepts literals, and explains errors.
bool parse_plain(std::string_view json, NdarrayBuilder& builder) {
  const char* p = json.data();
  const char* const end = p + json.size();
  Decimal decimal;
  int depth = 0;
  for (;;) {
    p = skip_space(p, end);
    if (p == end) return false;
    if (*p == '[') {
      if (!builder.begin_array()) return false;
      ++depth;
      p = skip_space(p + 1, end);
      if (p == end || *p != ']') continue;
    } else {
      p = scan_decimal(p, end, decimal);
      if (p == nullptr || !builder.number(decimal)) return false;
      p = skip_space(p, end);
    }
    for (; depth > 0 && p != end && *p == ']'; --depth) {
      if (!builder.end_array()) return false;
      p = skip_space(p + 1, end);
    }
    if (depth == 0) return p == end;
    if (p == end || *p != ',') return false;
    ++p;
  }
}

// Passes RapidJSON's events to the builder. Numbers come as text, so that an int64 or a float32 is
// not rounded through double.
struct Events : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Events> {
  explicit Events(NdarrayBuilder& b) : builder(b) {}
  bool Null() { return builder.foreign("null"); }
  bool Bool(bool value) { return builder.boolean(value); }
  bool RawNumber(const char* text, rapidjson::SizeType length, bool) {
    Decimal decimal;
    return scan_decimal(text, text + length, decimal) != nullptr && builder.number(decimal);
  }
  bool String(const char*, rapidjson::SizeType, bool) { return builder.foreign("a string"); }
  bool StartObject() { return builder.foreign("an object"); }
  bool StartArray() { return builder.begin_array(); }
  bool EndArray(rapidjson::SizeType) { return builder.end_array(); }

  NdarrayBuilder& builder;
};

Status parse_strictly(std::string_view json, NdarrayBuilder& builder) {
  // RapidJSON's streams end at a NUL, and would silently drop the text after it.
  if (const std::size_t nul = json.find('\0'); nul != json.npos) {
    return json_error(json, nul, "a NUL byte");
  }
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                              rapidjson::kParseValidateEncodingFlag |
                              rapidjson::kParseNumbersAsStringsFlag;
  rapidjson::Reader reader;
  rapidjson::MemoryStream stream(json.data(), json.size());
  Events events(builder);
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, events);
  if (!builder.error().ok()) return builder.error();
  if (result.IsError()) {
    const bool at_end = result.Offset() >= json.size();
    return json_error(json, result.Offset(),
                      bento::detail::json_fault_words(result.Code(), at_end));
  }
  return {};
}

}  // namespace

Result<wire::Value> parse_ndarray(std::string_view json, const TensorSpec& spec) {
  const std::uint32_t dtype = spec.dtype != 0 ? spec.dtype : suggest_dtype(json);
  const auto commas = static_cast<std::size_t>(std::count(json.begin(), json.end(), ','));
  NdarrayBuilder plain(spec, dtype, commas + 1);
  if (parse_plain(json, plain)) return std::move(plain).finish();
  NdarrayBuilder strict(spec, dtype, commas + 1);
  Status status = parse_strictly(json, strict);
  if (!status.ok()) return status;
  return std::move(strict).finish();
}

}  // namespace bentohost::service
