// Errors as responses: application/problem+json (RFC 9457), as the host writes them. Part of
// <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <bento/context.hpp>
#include <bento/error.hpp>
#include <bento/testing/channel.hpp>
#include <bento/testing/state.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace bento::testing::internal {

// The HTTP statuses are those in the comments of google/rpc/code.proto.
inline std::uint32_t http_status(const Error& error) {
  if (error.http_status() != 0) return error.http_status();
  switch (error.code()) {
    case BENTO_CANCELLED:
      return 500;  // the client still waits, so it was not the one that cancelled
    case BENTO_INVALID_ARGUMENT:
    case BENTO_FAILED_PRECONDITION:
      return 400;
    case BENTO_DEADLINE_EXCEEDED:
      return 504;
    case BENTO_NOT_FOUND:
      return 404;
    case BENTO_PERMISSION_DENIED:
      return 403;
    case BENTO_RESOURCE_EXHAUSTED:
    case BENTO_UNAVAILABLE:
      return 503;
    case BENTO_UNIMPLEMENTED:
      return 501;
    case BENTO_UNAUTHENTICATED:
      return 401;
    default:
      return 500;
  }
}

// RFC 9110 15, RFC 6585.
inline std::string_view reason_phrase(std::uint32_t status) {
  static constexpr std::pair<std::uint32_t, const char*> kPhrases[] = {
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {402, "Payment Required"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {406, "Not Acceptable"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {410, "Gone"},
      {411, "Length Required"},
      {412, "Precondition Failed"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {416, "Range Not Satisfiable"},
      {417, "Expectation Failed"},
      {421, "Misdirected Request"},
      {422, "Unprocessable Content"},
      {426, "Upgrade Required"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"}};
  for (const auto& [known, phrase] : kPhrases) {
    if (known == status) return phrase;
  }
  return "Error";
}

struct Problem {
  AnswerHead head;
  std::string body;
};

// Contains the message even of a 500, as with --debug: a test needs it.
inline Problem make_problem(const Error& error, RequestState& state) {
  Problem problem{{http_status(error), {{"Content-Type", "application/problem+json"}}}, {}};
  rapidjson::StringBuffer text;
  rapidjson::Writer<rapidjson::StringBuffer> json(text);
  const auto member = [&](const char* name, std::string_view value) {
    json.Key(name);
    json.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  };
  json.StartObject();
  member("type", "about:blank");
  member("title", reason_phrase(problem.head.status));
  json.Key("status");
  json.Uint(problem.head.status);
  member("detail", error.what());
  member("instance", detail::view(state.scope->path));
  member("request_id", detail::view(state.scope->request_id));
  json.EndObject();
  problem.body = text.GetString();
  if (problem.head.status >= 500) state.log(Log::kError, error.what());
  if (problem.head.status == 503) problem.head.headers.add("Retry-After", "1");
  // The one header set by the handler that belongs to the error.
  const std::string_view own = problem.head.status == 401   ? "WWW-Authenticate"
                               : problem.head.status == 405 ? "Allow"
                                                            : "";
  for (const auto& [name, value] : state.headers) {
    if (!own.empty() && detail::same_name(name, own)) problem.head.headers.add(name, value);
  }
  if (problem.head.status == 401 && !problem.head.headers.has(own)) {
    problem.head.headers.add(own, "Bearer");
  }
  return problem;
}

// An error of the service, 500 and above, that has no answer yet: the middleware outside may give
// one; otherwise `answer` is sent.
class Failure : public Error {
 public:
  Failure(const Error& error, Problem made) : Error(error), answer(std::move(made)) {}
  Problem answer;
};

// Turns an error, before any of the answer has gone out, into an answer or a Failure.
inline void settle(const Error& error, RequestState& state, bento_channel* out) {
  if (state.is_gone && error.code() == BENTO_CANCELLED) throw Error(error);  // to nobody, no fault
  Problem problem = make_problem(error, state);
  if (problem.head.status >= 500) throw Failure(error, std::move(problem));
  Outlet(out).head(problem.head, problem.body, false);
}

}  // namespace bento::testing::internal
