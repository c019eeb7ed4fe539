#include "json/json.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <bento/detail/json_parser.hpp>
#include <cmath>
#include <utility>

namespace bentohost {
namespace {

// Flags for reading text again that parse_json() has accepted.
constexpr unsigned kParseFlags = rapidjson::kParseIterativeFlag;

// Notes where the values of the outermost object begin and end.
class MemberSpans : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, MemberSpans> {
 public:
  MemberSpans(std::string_view text, const rapidjson::MemoryStream& stream)
      : text_(text), stream_(stream) {}

  std::vector<std::pair<std::string, std::string_view>> members;

  bool Default() { return value(); }  // for all other scalars
  bool String(const char*, rapidjson::SizeType, bool) { return value(); }
  bool Key(const char* name, rapidjson::SizeType size, bool) {
    if (depth_ == 1) members.emplace_back(std::string(name, size), text_.substr(stream_.Tell()));
    return true;
  }
  bool StartObject() { return ++depth_ > 0; }
  bool StartArray() { return ++depth_ > 0; }
  // RapidJSON calls these before it consumes the bracket.
  bool EndObject(rapidjson::SizeType) { return --depth_, value(1); }
  bool EndArray(rapidjson::SizeType) { return --depth_, value(1); }

 private:
  bool value(std::size_t untaken = 0) {
    if (depth_ != 1 || members.empty()) return true;
    std::string_view& span = members.back().second;  // starts right after its name
    const auto begin = static_cast<std::size_t>(span.data() - text_.data());
    span = text_.substr(begin, stream_.Tell() + untaken - begin);
    span.remove_prefix(std::min(span.find_first_not_of(": \t\r\n"), span.size()));
    return true;
  }

  const std::string_view text_;
  const rapidjson::MemoryStream& stream_;
  int depth_ = 0;
};

// JSON has no NaN and no Infinity; we write null, like JavaScript.
struct FiniteWriter : rapidjson::Writer<rapidjson::StringBuffer> {
  using Writer::Writer;
  bool Double(double d) { return std::isfinite(d) ? Writer::Double(d) : Null(); }
};

}  // namespace

std::string json_position(std::string_view text, std::size_t offset) {
  return bento::detail::json_position(text, offset);
}

Status json_error(std::string_view text, std::size_t offset, std::string_view what) {
  return {BENTO_INVALID_ARGUMENT, json_position(text, offset).append(": ").append(what)};
}

Result<rapidjson::Document> parse_json(std::string_view text) {
  rapidjson::Document document;
  if (auto fault = bento::detail::find_json_fault(text, document)) {
    return Status(BENTO_INVALID_ARGUMENT, *std::move(fault));
  }
  return document;
}

Result<std::vector<std::pair<std::string, std::string_view>>> json_members(std::string_view text) {
  auto document = parse_json(text);
  if (!document.ok()) return std::move(document).take_status();
  if (!document->IsObject()) return Status(BENTO_INVALID_ARGUMENT, "it is not a JSON object");
  rapidjson::MemoryStream stream(text.data(), text.size());
  MemberSpans spans(text, stream);
  rapidjson::Reader().Parse<kParseFlags>(stream, spans);
  return std::move(spans.members);
}

Status check_json(std::string_view text) {
  if (auto fault = bento::detail::find_json_fault(text)) {
    return Status(BENTO_INVALID_ARGUMENT, *std::move(fault));
  }
  return {};
}

std::string write_json(const rapidjson::Value& value) {
  rapidjson::StringBuffer buffer;
  FiniteWriter writer(buffer);
  value.Accept(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

std::string quote_json(std::string_view text) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace bentohost
