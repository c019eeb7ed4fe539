#include "http/problem.h"

#include <string>

#include "base/log.h"

namespace bentohost::http {
namespace {

// Leaves out empty members. A path may not be valid UTF-8, which JSON must be: escaping repairs it.
void append_member(std::string& json, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  json.append(",\"").append(name).append("\":\"");
  append_json_escaped(json, value);
  json.push_back('"');
}

}  // namespace

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 203:
      return "Non-Authoritative Information";
    case 204:
      return "No Content";
    case 205:
      return "Reset Content";
    case 206:
      return "Partial Content";
    case 300:
      return "Multiple Choices";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 305:
      return "Use Proxy";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 407:
      return "Proxy Authentication Required";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";  // RFC 6585, like 431
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

Response problem(int status, std::string_view detail, std::string_view instance,
                 std::string_view request_id) {
  Response response;
  response.status = status;
  response.content_type = "application/problem+json";
  response.body = R"({"type":"about:blank")";
  append_member(response.body, "title", reason_phrase(status));
  response.body.append(",\"status\":").append(std::to_string(status));
  append_member(response.body, "detail", detail);
  append_member(response.body, "instance", instance);
  append_member(response.body, "request_id", request_id);
  response.body.push_back('}');
  if (status == 401) response.headers.push_back({"WWW-Authenticate", "Bearer"});
  if (status == 503) response.headers.push_back({"Retry-After", "1"});
  return response;
}

Response problem(const Refusal& refusal, std::string_view instance, std::string_view request_id) {
  Response response = problem(static_cast<int>(refusal.status.http_status()),
                              refusal.status.message(), instance, request_id);
  for (const Header& header : refusal.headers) response.headers.push_back(header);
  return response;
}

}  // namespace bentohost::http
