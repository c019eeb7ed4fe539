// From a request's body to a value and from a result to an answer, as an API's descriptors say.
// Part of <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>
#include <rapidjson/document.h>
#include <rapidjson/encodings.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/schema.h>
#include <rapidjson/stringbuffer.h>

#include <algorithm>
#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <bento/json_reader.hpp>
#include <bento/testing/ndarray.hpp>
#include <bento/testing/value.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace bento::testing::internal {

// Throws Error with `http_status` for JSON that breaks the schema.
inline void check_schema(const rapidjson::Document& json, std::string_view schema,
                         std::uint32_t http_status) {
  rapidjson::Document document;
  detail::parse_json(schema, document);
  const rapidjson::SchemaDocument compiled(document);
  rapidjson::SchemaValidator validator(compiled);
  if (json.Accept(validator)) return;
  rapidjson::StringBuffer where;
  validator.GetInvalidDocumentPointer().StringifyUriFragment(where);
  throw Error(BENTO_INVALID_ARGUMENT,
              std::string(where.GetString()) + " breaks \"" + validator.GetInvalidSchemaKeyword() +
                  "\" of the schema",
              http_status);
}

inline bool is_utf8(std::string_view text) {
  rapidjson::MemoryStream in(text.data(), text.size());
  unsigned codepoint = 0;
  while (in.Tell() < text.size()) {
    if (!rapidjson::UTF8<>::Decode(in, &codepoint)) return false;
  }
  return in.Tell() == text.size();
}

// "Image/PNG; x=y" is image/png.
inline std::string media_type(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  while (type.ends_with(' ')) type.pop_back();
  std::transform(type.begin(), type.end(), type.begin(), detail::lower);
  return type;
}

inline std::unique_ptr<Value> decode(std::string_view body, std::string_view content_type,
                                     const bento_io& io) {
  auto value = std::make_unique<Value>();
  if (io.kind == BENTO_TENSOR || io.kind == BENTO_JSON) {
    rapidjson::Document json;
    detail::parse_json(body, json);
    if (io.kind == BENTO_TENSOR) {
      NdarrayReader::read(json, io, *value);
    } else {
      const bool is_checked_here = (io.flags & BENTO_IO_SELF_CHECKED) == 0;
      if (io.schema.len > 0 && is_checked_here) check_schema(json, detail::view(io.schema), 422);
      value->set_bytes(BENTO_JSON, body, "application/json");
    }
    return value;
  }
  if (detail::view(io.descriptor) == "text") {
    if (!is_utf8(body)) throw Error(BENTO_INVALID_ARGUMENT, "the body is not valid UTF-8");
    value->set_bytes(BENTO_BYTES, body, "text/plain");
    return value;
  }
  const std::string type = media_type(content_type), wanted = media_type(detail::view(io.mime));
  if (!wanted.empty() && type != wanted) {
    throw Error(BENTO_INVALID_ARGUMENT,
                "expected a body of type " + wanted + ", got " + (type.empty() ? "none" : type),
                415);
  }
  value->set_bytes(BENTO_BYTES, body, type);
  return value;
}

struct Encoded {
  std::string content_type, body;
};

inline Encoded encode(const Values& values, const bento_io& io) {
  if (values.size() != 1) {
    throw Error(BENTO_INTERNAL, "expected one result, got " + std::to_string(values.size()));
  }
  const bento_value& value = values[0]->abi();
  if (value.kind != io.kind) {
    throw Error(BENTO_INTERNAL, "the result is of another kind than was declared");
  }
  if (value.kind == BENTO_TENSOR) return {"application/json", write_ndarray(*values[0])};
  std::string body(detail::bytes_of(value));
  if (value.kind == BENTO_JSON) return {"application/json", std::move(body)};
  if (detail::view(io.descriptor) == "text") {
    return {"text/plain; charset=utf-8", std::move(body)};
  }
  for (const bento_str mime : {value.mime, io.mime}) {
    if (mime.len > 0) return {std::string(detail::view(mime)), std::move(body)};
  }
  return {"application/octet-stream", std::move(body)};
}

}  // namespace bento::testing::internal
