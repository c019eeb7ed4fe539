#include "base/json.h"

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <cmath>

namespace bentohost {
namespace {

constexpr unsigned kParseFlags = rapidjson::kParseIterativeFlag |
                                 rapidjson::kParseValidateEncodingFlag |
                                 rapidjson::kParseFullPrecisionFlag;

// Hands every event on to the document, and stops the reader where it goes too deep.
class DepthLimit {
 public:
  explicit DepthLimit(rapidjson::Document& document) : document_(document) {}

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

std::string_view words(rapidjson::ParseErrorCode code, bool at_end) {
  using namespace rapidjson;
  switch (code) {
    case kParseErrorDocumentEmpty:
      return at_end ? "the document is empty" : "expected a value";
    case kParseErrorDocumentRootNotSingular:
      return "something follows the end of the document";
    case kParseErrorValueInvalid:
      return at_end ? "the document ends too early" : "invalid value";
    case kParseErrorObjectMissName:
      return "missing a name for an object member";
    case kParseErrorObjectMissColon:
      return "missing a colon after the name of an object member";
    case kParseErrorObjectMissCommaOrCurlyBracket:
      return "missing a comma or } after an object member";
    case kParseErrorArrayMissCommaOrSquareBracket:
      return "missing a comma or ] after an array element";
    case kParseErrorStringUnicodeEscapeInvalidHex:
      return "incorrect hex digit after \\u";
    case kParseErrorStringUnicodeSurrogateInvalid:
      return "invalid surrogate pair in a string";
    case kParseErrorStringEscapeInvalid:
      return "invalid escape character in a string";
    case kParseErrorStringMissQuotationMark:
      return "missing a closing quotation mark";
    case kParseErrorStringInvalidEncoding:
      return "invalid UTF-8 or control byte in a string";
    case kParseErrorNumberTooBig:
      return "number too big for a double";
    case kParseErrorNumberMissFraction:
      return "missing digits after the point of a number";
    case kParseErrorNumberMissExponent:
      return "missing digits in the exponent of a number";
    default:
      return "syntax error";
  }
}

// Notes where the values of the outermost object begin and end.
class MemberSpans : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, MemberSpans> {
 public:
  MemberSpans(std::string_view text, const rapidjson::MemoryStream& stream)
      : text_(text), stream_(stream) {}

  std::vector<std::pair<std::string, std::string_view>> members;

  bool Default() { return value(); }  // of all scalars
  bool String(const char*, rapidjson::SizeType, bool) { return value(); }
  bool Key(const char* name, rapidjson::SizeType size, bool) {
    if (depth_ == 1) members.emplace_back(std::string(name, size), text_.substr(stream_.Tell()));
    return true;
  }
  bool StartObject() { return ++depth_ > 0; }
  bool StartArray() { return ++depth_ > 0; }
  // RapidJSON tells of these before it has taken the bracket.
  bool EndObject(rapidjson::SizeType) { return --depth_, value(1); }
  bool EndArray(rapidjson::SizeType) { return --depth_, value(1); }

 private:
  bool value(std::size_t untaken = 0) {
    if (depth_ != 1 || members.empty()) return true;
    std::string_view& span = members.back().second;  // from behind its name on
    const auto begin = static_cast<std::size_t>(span.data() - text_.data());
    span = text_.substr(begin, stream_.Tell() + untaken - begin);
    span.remove_prefix(std::min(span.find_first_not_of(": \t\r\n"), span.size()));
    return true;
  }

  const std::string_view text_;
  const rapidjson::MemoryStream& stream_;
  int depth_ = 0;
};

// JSON has no NaN and no Infinity; Python's and JavaScript's writers say null as well.
struct FiniteWriter : rapidjson::Writer<rapidjson::StringBuffer> {
  using Writer::Writer;
  bool Double(double d) { return std::isfinite(d) ? Writer::Double(d) : Null(); }
};

}  // namespace

std::string json_position(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t last = before.rfind('\n');
  const std::size_t column = last == before.npos ? before.size() + 1 : before.size() - last;
  return "line " + std::to_string(line) + " column " + std::to_string(column);
}

Status json_error(std::string_view text, std::size_t offset, std::string_view what) {
  return {BENTO_INVALID_ARGUMENT, json_position(text, offset).append(": ").append(what)};
}

Result<rapidjson::Document> parse_json(std::string_view text) {
  // To RapidJSON's streams a NUL is the end: what follows it would be dropped without a word.
  if (const std::size_t nul = text.find('\0'); nul != text.npos) {
    return json_error(text, nul, "a NUL byte");
  }
  rapidjson::Document document;
  rapidjson::ParseResult parsed;
  bool too_deep = false;
  auto read = [&](rapidjson::Document& handler) {
    rapidjson::MemoryStream stream(text.data(), text.size());
    rapidjson::Reader reader;
    DepthLimit limit(handler);
    parsed = reader.Parse<kParseFlags>(stream, limit);
    too_deep = limit.too_deep();
    return !parsed.IsError();
  };
  document.Populate(read);
  if (too_deep) {
    return json_error(text, parsed.Offset(),
                      "nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
  }
  if (parsed.IsError()) {
    return json_error(text, parsed.Offset(), words(parsed.Code(), parsed.Offset() >= text.size()));
  }
  return document;
}

Result<std::vector<std::pair<std::string, std::string_view>>> json_members(std::string_view text) {
  auto document = parse_json(text);
  if (!document.ok()) return std::move(document).take_status();
  if (!document->IsObject()) return Status(BENTO_INVALID_ARGUMENT, "it is no JSON object");
  rapidjson::MemoryStream stream(text.data(), text.size());
  MemberSpans spans(text, stream);
  rapidjson::Reader().Parse<kParseFlags>(stream, spans);
  return std::move(spans.members);
}

Status check_json(std::string_view text) {
  if (const std::size_t nul = text.find('\0'); nul != text.npos) {
    return json_error(text, nul, "a NUL byte");
  }
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  rapidjson::BaseReaderHandler<> nobody;
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                              rapidjson::kParseValidateEncodingFlag |
                              rapidjson::kParseNumbersAsStringsFlag;
  const rapidjson::ParseResult parsed = reader.Parse<kFlags>(stream, nobody);
  if (!parsed.IsError()) return {};
  return json_error(text, parsed.Offset(), words(parsed.Code(), parsed.Offset() >= text.size()));
}

std::string write_json(const rapidjson::Value& value) {
  rapidjson::StringBuffer buffer;
  FiniteWriter writer(buffer);
  value.Accept(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace bentohost
