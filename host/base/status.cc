#include "base/status.h"

#include <algorithm>
#include <cstring>

namespace bentohost {

Status Status::from_plugin(bento_code code, const bento_error& error) {
  const std::size_t length = strnlen(error.message, sizeof error.message);
  std::string message(error.message, length);
  if (message.empty()) message = code_name(code);
  if (error.http_status != 0 && (error.http_status < 400 || error.http_status > 599)) {
    return Status(BENTO_INTERNAL, "an error cannot have the HTTP status " +
                                      std::to_string(error.http_status) + ": " + message);
  }
  return with_http(error.http_status, code, std::move(message));
}

const std::string& Status::message() const {
  static const std::string kNone;
  return ok() ? kNone : error_->message;
}

std::uint32_t Status::http_status() const {
  return !ok() && error_->http_status != 0 ? error_->http_status : http_from_code(code());
}

Status Status::as_misuse() && {
  const std::uint32_t implied = http_from_code(code());
  if (!ok() && error_->http_status == 0 &&
      (implied == 400 || implied == 401 || implied == 403 || implied == 404 || implied == 501)) {
    error_->http_status = 500;
  }
  return std::move(*this);
}

Status Status::prefixed(std::string_view context) && {
  if (!ok()) error_->message.insert(0, context);
  return std::move(*this);
}

bento_code Status::give(bento_error* error) const {
  if (error == nullptr || ok()) return code();
  error->code = error_->code;
  error->http_status = error_->http_status;
  const std::size_t length = std::min(error_->message.size(), sizeof error->message - 1);
  std::memcpy(error->message, error_->message.data(), length);
  error->message[length] = '\0';
  return error_->code;
}

std::uint32_t http_from_code(bento_code code) {
  switch (code) {
    case BENTO_OK:
      return 200;
    case BENTO_CANCELLED:
      return 499;
    case BENTO_INVALID_ARGUMENT:
      return 400;
    case BENTO_DEADLINE_EXCEEDED:
      return 504;
    case BENTO_NOT_FOUND:
      return 404;
    case BENTO_PERMISSION_DENIED:
      return 403;
    case BENTO_RESOURCE_EXHAUSTED:
      return 503;
    case BENTO_FAILED_PRECONDITION:
      return 400;
    case BENTO_UNIMPLEMENTED:
      return 501;
    case BENTO_UNAVAILABLE:
      return 503;
    case BENTO_UNAUTHENTICATED:
      return 401;
    default:
      return 500;
  }
}

std::string_view code_name(bento_code code) {
  switch (code) {
    case BENTO_OK:
      return "OK";
    case BENTO_CANCELLED:
      return "CANCELLED";
    case BENTO_INVALID_ARGUMENT:
      return "INVALID_ARGUMENT";
    case BENTO_DEADLINE_EXCEEDED:
      return "DEADLINE_EXCEEDED";
    case BENTO_NOT_FOUND:
      return "NOT_FOUND";
    case BENTO_PERMISSION_DENIED:
      return "PERMISSION_DENIED";
    case BENTO_RESOURCE_EXHAUSTED:
      return "RESOURCE_EXHAUSTED";
    case BENTO_FAILED_PRECONDITION:
      return "FAILED_PRECONDITION";
    case BENTO_UNIMPLEMENTED:
      return "UNIMPLEMENTED";
    case BENTO_INTERNAL:
      return "INTERNAL";
    case BENTO_UNAVAILABLE:
      return "UNAVAILABLE";
    case BENTO_UNAUTHENTICATED:
      return "UNAUTHENTICATED";
    default:
      return "UNKNOWN";
  }
}

}  // namespace bentohost
