// The stock middleware refuses requests with this: in the form of the host's own errors,
// problem+json (RFC 9457).
#pragma once

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <bento/headers.hpp>
#include <bento/middleware.hpp>
#include <cstdint>
#include <string_view>

namespace bento::detail {

// `title` is the reason phrase of the status in RFC 9110 section 15.
inline void refuse(Incoming& request, std::uint32_t status, std::string_view title,
                   std::string_view detail, const Headers& headers = {}) {
  rapidjson::StringBuffer text;
  rapidjson::Writer<rapidjson::StringBuffer> json(text);
  const auto write = [&json](std::string_view part) {
    json.String(part.data(), static_cast<rapidjson::SizeType>(part.size()));
  };
  json.StartObject();
  json.Key("type");
  json.String("about:blank");
  json.Key("title");
  write(title);
  json.Key("status");
  json.Uint(status);
  json.Key("detail");
  write(detail);
  if (!request.request_id().empty()) {
    json.Key("request_id");
    write(request.request_id());
  }
  json.EndObject();
  request.answer(status, "application/problem+json", {text.GetString(), text.GetSize()}, headers);
}

}  // namespace bento::detail
