// Decodes a request's body to a value and encodes a result as a response, as an API's descriptors
// say. Part of <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>
#include <rapidjson/document.h>
#include <rapidjson/encodings.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <bento/detail/base64.hpp>
#include <bento/detail/io_traits.hpp>
#include <bento/detail/json_writer.hpp>
#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <bento/testing/json.hpp>
#include <bento/testing/ndarray.hpp>
#include <bento/testing/value.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

// The descriptors of a body: one, or those of the members of a JSON object.
struct IoSpan {
  std::span<const bento_io* const> ios;
  bool is_named;
};

inline void decode_json(const rapidjson::Value& json, std::string_view text, const bento_io& io,
                        Value& value) {
  const bool is_checked_here = (io.flags & BENTO_IO_SELF_CHECKED) == 0;
  if (io.schema.len > 0 && is_checked_here) check_schema(json, detail::view(io.schema), 422);
  value.set_bytes(BENTO_JSON, text, "application/json");
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
      decode_json(json, body, io, *value);
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

#if BENTO_ABI_TARGET_MINOR >= 1
inline std::string names_of(const IoSpan& io) {
  std::string names;
  for (const bento_io* one : io.ios) {
    names.append(names.empty() ? "" : ", ").append(detail::view(one->name));
    if ((one->flags & BENTO_IO_OPTIONAL) != 0) names += " (optional)";
  }
  return names;
}
[[noreturn]] inline void refuse_member(std::string_view name, const std::string& what) {
  throw Error(BENTO_INVALID_ARGUMENT, "/" + std::string(name) + ": " + what, 422);
}

inline void decode_member(const rapidjson::Value& json, const bento_io& io, Value& value) {
  const std::string_view name = detail::view(io.name);
  if (json.IsNull() && (io.flags & BENTO_IO_OPTIONAL) != 0) return;
  if (io.kind == BENTO_BYTES) {
    const bool is_text = detail::view(io.descriptor) == "text";
    if (!json.IsString()) {
      refuse_member(name, is_text ? "must be a string" : "must be a string: its bytes as Base64");
    }
    if (is_text) return value.set_bytes(BENTO_BYTES, detail::view(json), "text/plain");
    const auto bytes = detail::base64_decode(detail::view(json), detail::Base64::kPadded);
    if (!bytes) refuse_member(name, "is not Base64 with padding (RFC 4648, section 4)");
    const std::string_view mime = detail::view(io.mime);
    return value.set_bytes(BENTO_BYTES, *bytes, mime.ends_with('*') ? "" : mime);
  }
  try {
    if (io.kind == BENTO_TENSOR) return NdarrayReader::read(json, io, value);
    rapidjson::StringBuffer text;
    rapidjson::Writer<rapidjson::StringBuffer> writer(text);
    json.Accept(writer);
    decode_json(json, text.GetString(), io, value);
  } catch (const Error& error) {
    const std::string what = error.what();
    throw Error(error.code(), "/" + std::string(name) + (what.starts_with('/') ? "" : ": ") + what,
                error.http_status());
  }
}

// The body of an API with several inputs: a JSON object. A value of kind 0 was left out.
inline Values decode_members(std::string_view body, const IoSpan& io) {
  rapidjson::Document json;
  detail::parse_json(body, json);
  if (!json.IsObject()) {
    throw Error(BENTO_INVALID_ARGUMENT,
                "the body must be a JSON object with the members " + names_of(io));
  }
  std::vector<const rapidjson::Value*> found(io.ios.size());
  for (auto member = json.MemberBegin(); member < json.MemberEnd(); ++member) {
    const std::string_view name = detail::view(member->name);
    std::size_t i = 0;
    while (i < io.ios.size() && detail::view(io.ios[i]->name) != name) ++i;
    if (i == io.ios.size()) {
      refuse_member(name, "is not an input; the inputs are " + names_of(io));
    }
    if (std::exchange(found[i], &member->value) != nullptr) refuse_member(name, "is there twice");
  }
  Values values;
  for (std::size_t i = 0; i < io.ios.size(); ++i) {
    const std::string_view name = detail::view(io.ios[i]->name);
    if (found[i] == nullptr && (io.ios[i]->flags & BENTO_IO_OPTIONAL) == 0) {
      refuse_member(name, "is missing; the inputs are " + names_of(io));
    }
    values.push_back(std::make_unique<Value>());
    if (found[i] != nullptr) decode_member(*found[i], *io.ios[i], *values.back());
    values.back()->set_name(name);
  }
  return values;
}
#endif

inline Values decode(std::string_view body, std::string_view content_type, const IoSpan& io) {
  Values values;
  if (!io.is_named) {
    values.push_back(decode(body, content_type, *io.ios[0]));
    return values;
  }
#if BENTO_ABI_TARGET_MINOR >= 1
  return decode_members(body, io);
#else
  return values;
#endif
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

inline Encoded encode(const bento_value& value, const bento_io& io, const std::string& who) {
  check_output(value, io, who);
  if (value.kind == BENTO_TENSOR) return {"application/json", write_ndarray(value)};
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

inline std::string base64_encode(std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      bits = bits << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += i + k > bytes.size() ? '=' : kDigits[bits >> (18 - 6 * k) & 63u];
    }
  }
  return text;
}

// As a member of a JSON object, or as a line of JSON.
inline std::string encode_as_json(const bento_value& value, const bento_io& io,
                                  const std::string& who) {
  std::string body = encode(value, io, who).body;
  if (value.kind != BENTO_BYTES) return body;
  detail::JsonWriter json;
  json.write_text(detail::view(io.descriptor) == "text" ? body : base64_encode(body));
  return json.text();
}

inline Encoded encode(std::span<const bento_value* const> values, const IoSpan& io,
                      const std::string& who) {
  if (values.size() != io.ios.size()) {
    throw Error(BENTO_INTERNAL, who + " returned " + std::to_string(values.size()) +
                                    " results, but declares " +
                                    (io.is_named ? std::to_string(io.ios.size()) : "one"));
  }
  if (!io.is_named) return encode(*values[0], *io.ios[0], who);
  std::string body = "{";
#if BENTO_ABI_TARGET_MINOR >= 1
  for (std::size_t i = 0; i < values.size(); ++i) {
    detail::JsonWriter name;
    name.write_text(detail::view(io.ios[i]->name));
    body += (i > 0 ? "," : "") + name.text() + ":" + encode_as_json(*values[i], *io.ios[i], who);
  }
#endif
  return {"application/json", body + "}"};
}
inline Encoded encode(const Values& values, const IoSpan& io, const std::string& who) {
  std::vector<const bento_value*> pointers;
  for (const auto& value : values) pointers.push_back(&value->abi());
  return encode(std::span<const bento_value* const>(pointers), io, who);
}

// One result of a stream: the data of an event, where text is as it is, or a line of JSON.
inline std::string encode_piece(std::span<const bento_value* const> values, const IoSpan& io,
                                const std::string& who, bool is_event) {
  const bool is_one_text = values.size() == 1 && !io.is_named && values[0]->kind == BENTO_BYTES;
  if (is_one_text && !is_event) return encode_as_json(*values[0], *io.ios[0], who);
  std::string body = encode(values, io, who).body;
  return values[0]->kind == BENTO_JSON ? compact(body) : body;
}

}  // namespace bento::testing::internal
