#include "http/server/refusals.h"

#include <string>
#include <utility>

#include "http/parse/inflater.h"
#include "http/rejection_reasons.h"

namespace bentohost::http {
namespace {

std::string_view reason_of(std::uint32_t http_status) {
  switch (http_status) {
    case 413:
      return reason::kBodySize;
    case 414:
      return reason::kTargetSize;
    case 431:
      return reason::kHeadSize;
    case 400:
      return reason::kMalformed;
    case 503:
      return reason::kBodyMemory;
    default:
      return reason::kOther;
  }
}

const char* text_of(DueAction timeout) {
  switch (timeout) {
    case DueAction::kHeadTimeout:
      return "the request's head did not arrive in time";
    case DueAction::kBodyTooSlow:
      return "the request's body arrives too slowly";
    default:
      return "the request's body did not arrive in time";
  }
}

}  // namespace

Refusal refusal_of(Status status) {
  Refusal refusal{std::move(status), {}, {}};
  refusal.reason = reason_of(refusal.status.http_status());
  // RFC 9110 15.5.16.
  if (refusal.status.http_status() == 415) {
    refusal.headers.push_back({"Accept-Encoding", std::string(kAcceptedCodings)});
  }
  return refusal;
}

Refusal refusal_of(DueAction timeout) {
  return {
      Status::with_http(408, BENTO_DEADLINE_EXCEEDED, text_of(timeout)), {}, reason_of(timeout)};
}

Refusal no_thread_refusal(const Status& status) {
  return {Status::with_http(503, status.code(), status.message()), {}, reason::kHandlerQueue};
}

Refusal plain_http_refusal() {
  return {Status::with_http(400, BENTO_INVALID_ARGUMENT,
                            "this port speaks TLS: ask it by https:// in place of http://"),
          {},
          reason::kMalformed};
}

std::string_view reason_of(DueAction action) {
  switch (action) {
    case DueAction::kHeadTimeout:
      return reason::kHeaderTimeout;
    case DueAction::kBodyTimeout:
      return reason::kBodyTimeout;
    case DueAction::kBodyTooSlow:
    case DueAction::kWriteTooSlow:
      return reason::kMinRate;
    case DueAction::kWriteTimeout:
      return reason::kWriteTimeout;
    case DueAction::kNone:
    case DueAction::kEnd:
    case DueAction::kAnswerLate:
    case DueAction::kStopLingering:
      break;
  }
  return {};
}

}  // namespace bentohost::http
