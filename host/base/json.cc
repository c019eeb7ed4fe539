#include "base/json.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <bento/json_parser.hpp>
#include <cmath>
#include <utility>

namespace bentohost {
namespace {

// JSON has no NaN and no Infinity; Python's and JavaScript's writers say null as well.
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

std::string write_json(const rapidjson::Value& value) {
  rapidjson::StringBuffer buffer;
  FiniteWriter writer(buffer);
  value.Accept(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace bentohost
