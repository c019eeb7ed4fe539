#include "codec/codec.h"

#include <utility>

#include "base/utf8.h"
#include "json/json.h"
#include "plugin/io_check.h"

namespace bentohost::service {
namespace {

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

  const std::string type = plugin::media_type(http::find_header(request.headers, "content-type"));
  if (spec_.descriptor == "text") {
    if (!is_utf8(request.body))
      return Status(BENTO_INVALID_ARGUMENT, "the body is not valid UTF-8");
    return bytes_value(BENTO_BYTES, request.body, "text/plain");
  }
  if (!plugin::fits_media_type(spec_.mime, type)) {
    return Status::with_http(415, BENTO_INVALID_ARGUMENT,
                             "expected a body of type " + spec_.mime + ", got " +
                                 (type.empty() ? std::string("none") : type));
  }
  return bytes_value(BENTO_BYTES, request.body, type);
}

Result<http::Response> encode(std::span<const bento_value> values, const plugin::IoSpec& spec,
                              std::string_view who, bool is_checked) {
  if (values.size() != 1) {
    return Status(BENTO_INTERNAL, std::string(who) + " returned " + std::to_string(values.size()) +
                                      " results, but declares one");
  }
  const bento_value& value = values[0];
  if (!is_checked || value.kind != spec.kind) {
    if (Status status = plugin::check_output(value, spec, who); !status.ok()) return status;
  }
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
