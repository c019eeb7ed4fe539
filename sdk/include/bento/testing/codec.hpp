// Decodes a request's body to a value and encodes a result as a response, as an API's descriptors
// say. Part of <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>
#include <rapidjson/document.h>
#include <rapidjson/encodings.h>
#include <rapidjson/memorystream.h>

#include <algorithm>
#include <bento/detail/io_traits.hpp>
#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <bento/testing/json.hpp>
#include <bento/testing/ndarray.hpp>
#include <bento/testing/value.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace bento::testing::internal {

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

// `declared` may be a pattern, "image/" and "*", or "" for any type.
inline bool fits_media_type(std::string_view declared, std::string_view type) {
  const std::string pattern = media_type(declared);
  if (pattern.empty()) return true;
  if (pattern == "*/*") return !type.empty();
  if (!pattern.ends_with("/*")) return type == pattern;
  const std::string_view family = std::string_view(pattern).substr(0, pattern.size() - 1);
  return type.size() > family.size() && type.starts_with(family);
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
  const std::string type = media_type(content_type), wanted(detail::view(io.mime));
  if (!fits_media_type(wanted, type)) {
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

[[noreturn]] inline void refuse_output(const std::string& who, const std::string& got,
                                       const std::string& declared) {
  throw Error(BENTO_INTERNAL, who + " returned " + got + ", but declares " + declared);
}

// Checks a result against its declaration: throws 500, which says who returned what.
inline void check_output(const bento_value& value, const bento_io& io, const std::string& who) {
  if (const auto fault = difference(value, io)) {
    refuse_output(who, (fault->first.starts_with("shape ") ? "shape " : "") + fault->second,
                  fault->first);
  }
  if (value.kind == BENTO_TENSOR) return;
  const std::string_view bytes = detail::bytes_of(value);
  if (value.kind == BENTO_JSON) {
    try {
      rapidjson::Document json;
      io.schema.len > 0 ? parse_json(bytes, json) : check_json(bytes);
      if (io.schema.len > 0) check_schema(json, detail::view(io.schema), 422);
    } catch (const Error& error) {
      throw Error(BENTO_INTERNAL,
                  who +
                      (error.http_status() == 422 ? " returned JSON that violates its schema: "
                                                  : " returned invalid JSON: ") +
                      error.what());
    }
    return;
  }
  const std::string type = media_type(detail::view(value.mime)), declared(detail::view(io.mime));
  if (detail::view(io.descriptor) == "text") {
    if (!type.empty() && type != "text/plain") refuse_output(who, type, "text/plain");
    if (!is_utf8(bytes)) refuse_output(who, "text that is not UTF-8", "text");
  } else if (!type.empty() || declared.find('*') != declared.npos) {
    if (fits_media_type(declared, type)) return;
    refuse_output(who, type.empty() ? "bytes without a media type" : type, declared);
  }
}

inline Encoded encode(const Values& values, const bento_io& io, const std::string& who) {
  if (values.size() != 1) {
    throw Error(BENTO_INTERNAL,
                who + " returned " + std::to_string(values.size()) + " results, but declares one");
  }
  const bento_value& value = values[0]->abi();
  check_output(value, io, who);
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
