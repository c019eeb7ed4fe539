// parse_json(): parses JSON (RFC 8259), and reports errors in the same words as bentohost. It is
// iterative and limits the depth, because RapidJSON's recursive parser overflows the stack on deep
// input. Pure. Part of <bento/bento.hpp>.
#pragma once

#include <rapidjson/document.h>
#include <rapidjson/error/error.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bento::detail {

inline constexpr std::size_t kMaxJsonDepth = 128;  // of nested arrays and objects

// Passes every event on to the document, and stops the reader at input that is nested too deep.
class JsonDepthLimit {
 public:
  explicit JsonDepthLimit(rapidjson::Document& document) : document_(document) {}

  bool too_deep() const { return too_deep_; }

  bool Null() { return document_.Null(); }
  bool Bool(bool b) { return document_.Bool(b); }
  bool Int(int i) { return document_.Int(i); }
  bool Uint(unsigned u) { return document_.Uint(u); }
  bool Int64(std::int64_t i) { return document_.Int64(i); }
  bool Uint64(std::uint64_t u) { return document_.Uint64(u); }
  bool Double(double d) { return document_.Double(d); }
  bool RawNumber(const char* s, rapidjson::SizeType n, bool copy) {
    return document_.RawNumber(s, n, copy);
  }
  bool String(const char* s, rapidjson::SizeType n, bool copy) {
    return document_.String(s, n, copy);
  }
  bool Key(const char* s, rapidjson::SizeType n, bool copy) { return document_.Key(s, n, copy); }
  bool StartObject() { return enter() && document_.StartObject(); }
  bool EndObject(rapidjson::SizeType n) { return leave() && document_.EndObject(n); }
  bool StartArray() { return enter() && document_.StartArray(); }
  bool EndArray(rapidjson::SizeType n) { return leave() && document_.EndArray(n); }

 private:
  bool enter() {
    too_deep_ = ++depth_ > kMaxJsonDepth;
    return !too_deep_;
  }
  bool leave() {
    --depth_;
    return true;
  }

  rapidjson::Document& document_;
  std::size_t depth_ = 0;
  bool too_deep_ = false;
};

inline std::string_view json_fault_words(rapidjson::ParseErrorCode code, bool at_end) {
  switch (code) {
    case rapidjson::kParseErrorDocumentEmpty:
      return at_end ? "the document is empty" : "expected a value";
    case rapidjson::kParseErrorDocumentRootNotSingular:
      return "something follows the end of the document";
    case rapidjson::kParseErrorValueInvalid:
      return at_end ? "the document ends too early" : "invalid value";
    case rapidjson::kParseErrorObjectMissName:
      return "missing a name for an object member";
    case rapidjson::kParseErrorObjectMissColon:
      return "missing a colon after the name of an object member";
    case rapidjson::kParseErrorObjectMissCommaOrCurlyBracket:
      return "missing a comma or } after an object member";
    case rapidjson::kParseErrorArrayMissCommaOrSquareBracket:
      return "missing a comma or ] after an array element";
    case rapidjson::kParseErrorStringUnicodeEscapeInvalidHex:
      return "incorrect hex digit after \\u";
    case rapidjson::kParseErrorStringUnicodeSurrogateInvalid:
      return "invalid surrogate pair in a string";
    case rapidjson::kParseErrorStringEscapeInvalid:
      return "an escape sequence is not valid, or a control byte is not escaped, in a string";
    case rapidjson::kParseErrorStringMissQuotationMark:
      return "missing a closing quotation mark";
    case rapidjson::kParseErrorStringInvalidEncoding:
      return "invalid UTF-8 or control byte in a string";
    case rapidjson::kParseErrorNumberTooBig:
      return "number too big for a double";
    case rapidjson::kParseErrorNumberMissFraction:
      return "missing digits after the point of a number";
    case rapidjson::kParseErrorNumberMissExponent:
      return "missing digits in the exponent of a number";
    default:
      return "syntax error";
  }
}

// "line 3 column 7": where byte `offset` of `text` is; both count from 1, columns in bytes.
inline std::string json_position(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t last = before.rfind('\n');
  const std::size_t column = last == before.npos ? before.size() + 1 : before.size() - last;
  return "line " + std::to_string(line) + " column " + std::to_string(column);
}

// "line 1 column 8: missing a comma or ] after an array element", or nothing if the text is JSON,
// in UTF-8, without a NUL, and not nested deeper than kMaxJsonDepth.
inline std::optional<std::string> find_json_fault(std::string_view text,
                                                  rapidjson::Document& document) {
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                              rapidjson::kParseValidateEncodingFlag |
                              rapidjson::kParseFullPrecisionFlag;
  const auto fault = [text](std::size_t offset, std::string_view what) {
    return json_position(text, offset).append(": ").append(what);
  };
  // RapidJSON's streams end at a NUL: the text after it would be dropped silently.
  if (const std::size_t nul = text.find('\0'); nul != text.npos) return fault(nul, "a NUL byte");
  rapidjson::ParseResult parsed;
  bool too_deep = false;
  auto read = [&](rapidjson::Document& handler) {
    rapidjson::MemoryStream stream(text.data(), text.size());
    rapidjson::Reader reader;
    JsonDepthLimit limit(handler);
    parsed = reader.Parse<kFlags>(stream, limit);
    too_deep = limit.too_deep();
    return !parsed.IsError();
  };
  document.Populate(read);
  if (too_deep) {
    return fault(parsed.Offset(),
                 "nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
  }
  if (!parsed.IsError()) return std::nullopt;
  return fault(parsed.Offset(), json_fault_words(parsed.Code(), parsed.Offset() >= text.size()));
}

// The same without building a document, so at any depth.
inline std::optional<std::string> find_json_fault(std::string_view text) {
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                              rapidjson::kParseValidateEncodingFlag |
                              rapidjson::kParseNumbersAsStringsFlag;
  if (const std::size_t nul = text.find('\0'); nul != text.npos) {
    return json_position(text, nul).append(": a NUL byte");
  }
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  rapidjson::BaseReaderHandler<> nobody;
  const rapidjson::ParseResult parsed = reader.Parse<kFlags>(stream, nobody);
  if (!parsed.IsError()) return std::nullopt;
  return json_position(text, parsed.Offset())
      .append(": ")
      .append(json_fault_words(parsed.Code(), parsed.Offset() >= text.size()));
}

}  // namespace bento::detail
