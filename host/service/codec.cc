#include "service/codec.h"

#include <rapidjson/encodings.h>
#include <rapidjson/memorystream.h>

#include <algorithm>
#include <utility>

#include "base/json.h"

namespace bentohost::service {
namespace {

// What may stand before a ';' in a media type: "image/png; x=y" is image/png. Letter case aside.
std::string media_type(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  std::transform(type.begin(), type.end(), type.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return type;
}

bool is_utf8(std::string_view text) {
  rapidjson::MemoryStream in(text.data(), text.size());
  unsigned codepoint = 0;
  while (in.Tell() < text.size()) {
    if (!rapidjson::UTF8<>::Decode(in, &codepoint)) return false;
  }
  return in.Tell() == text.size();
}

wire::Value bytes_value(std::uint32_t kind, std::string_view bytes, std::string mime) {
  wire::Value value;
  value.kind = kind;
  value.mime = std::move(mime);
  value.data.assign(bytes.begin(), bytes.end());
  return value;
}

std::string_view bytes_of(const bento_value& value) {
  return {static_cast<const char*>(value.bytes.ptr), value.bytes.len};
}

}  // namespace

Decoder::Decoder(const plugin::IoSpec& spec) : spec_(spec) {
  tensor_.dtype = spec.dtype;
  tensor_.any_shape = spec.any_shape;
  tensor_.shape = spec.shape;
}

Result<wire::Value> Decoder::decode(const http::Request& request) const {
  if (spec_.kind == BENTO_TENSOR) return parse_ndarray(request.body, tensor_);

  if (spec_.kind == BENTO_JSON) {
    auto document = parse_json(request.body);
    if (!document.ok()) return std::move(document).take_status();
    if (spec_.schema && !spec_.is_self_checked) {
      if (Status status = spec_.schema->validate(*document); !status.ok()) return status;
    }
    return bytes_value(BENTO_JSON, request.body, "application/json");
  }

  const std::string type = media_type(http::find_header(request.headers, "content-type"));
  if (spec_.descriptor == "text") {
    if (!is_utf8(request.body))
      return Status(BENTO_INVALID_ARGUMENT, "the body is not valid UTF-8");
    return bytes_value(BENTO_BYTES, request.body, "text/plain");
  }
  if (!spec_.mime.empty() && type != media_type(spec_.mime)) {
    return Status::with_http(415, BENTO_INVALID_ARGUMENT,
                             "expected a body of type " + spec_.mime + ", got " +
                                 (type.empty() ? std::string("none") : type));
  }
  return bytes_value(BENTO_BYTES, request.body, type);
}

Result<http::Response> encode(std::span<const bento_value> values, const plugin::IoSpec& spec) {
  if (values.size() != 1) {
    return Status(BENTO_INTERNAL, "expected one result, got " + std::to_string(values.size()));
  }
  const bento_value& value = values[0];
  if (value.kind != spec.kind)
    return Status(BENTO_INTERNAL, "the result is of another kind than was declared");
  http::Response response;
  if (value.kind == BENTO_TENSOR) {
    response.content_type = "application/json";
    if (Status status = write_ndarray(value.tensor, response.body); !status.ok()) return status;
    return response;
  }
  response.body = bytes_of(value);
  if (value.kind == BENTO_JSON) {
    response.content_type = "application/json";
  } else if (spec.descriptor == "text") {
    response.content_type = "text/plain; charset=utf-8";
  } else {
    const std::string_view mime = to_view(value.mime);
    response.content_type = !mime.empty()        ? std::string(mime)
                            : !spec.mime.empty() ? spec.mime
                                                 : "application/octet-stream";
  }
  return response;
}

}  // namespace bentohost::service
