// Error: what plugin code throws to answer a request with an error of its choice, and what the SDK
// throws where the host or a runner has refused something. No exception leaves a plugin:
// detail::guard() stands at every entry point. Part of <bento/bento.hpp>.
//
//   throw bento::Error(BENTO_NOT_FOUND, "there is no flower 17");
#pragma once

#include <bento/abi.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

namespace bento {

// Thrown by a handler, an app, a middleware or a runner method, it becomes the HTTP answer, as
// application/problem+json (RFC 9457) with the message as its `detail`.
//
//   INVALID_ARGUMENT, FAILED_PRECONDITION 400    RESOURCE_EXHAUSTED, UNAVAILABLE 503
//   UNAUTHENTICATED 401   PERMISSION_DENIED 403   DEADLINE_EXCEEDED 504   UNIMPLEMENTED 501
//   NOT_FOUND 404                                 all others 500
//
// The client is shown the message, unless the status is 500: that message goes to the log alone
// (with --debug, to the client as well). What is answered with any other status from 501 on goes to
// both. Any other exception counts as INTERNAL with its what(); std::bad_alloc as
// RESOURCE_EXHAUSTED. A middleware around the API sees the answer, and may change it.
class Error : public std::runtime_error {
 public:
  // `http_status`: from 400 to 599 (others are answered 500), or 0 for the one that the code
  // implies. `message` crosses to the host cut off after 499 bytes. BENTO_OK is taken as UNKNOWN.
  Error(bento_code code, const std::string& message, std::uint32_t http_status = 0)
      : std::runtime_error(message),
        code_(code != BENTO_OK ? code : BENTO_UNKNOWN),
        http_status_(http_status) {}
  bento_code code() const { return code_; }
  std::uint32_t http_status() const { return http_status_; }  // as it was given: 0 for implied

 private:
  bento_code code_;
  std::uint32_t http_status_;
};

namespace detail {

// "" stays "".
inline std::string with_leading_slash(std::string_view route) {
  std::string slashed;
  if (!route.empty() && !route.starts_with('/')) slashed += '/';
  return slashed.append(route);
}

inline bento_str str(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view view(bento_str text) {
  return text.ptr == nullptr ? std::string_view() : std::string_view(text.ptr, text.len);
}

inline bento_code fail(bento_error* error, bento_code code, std::uint32_t http_status,
                       const char* message) {
  if (error != nullptr) {
    error->code = code;
    error->http_status = http_status;
    std::snprintf(error->message, sizeof error->message, "%s", message);
  }
  return code;
}

// Runs `f`; an exception becomes a code and a message in `error`, which may be null.
template <typename F>
bento_code guard(bento_error* error, F&& f) noexcept {
  try {
    f();
    return BENTO_OK;
  } catch (const Error& e) {
    return fail(error, e.code(), e.http_status(), e.what());
  } catch (const std::bad_alloc&) {
    return fail(error, BENTO_RESOURCE_EXHAUSTED, 0, "out of memory");
  } catch (const std::exception& e) {
    return fail(error, BENTO_INTERNAL, 0, e.what());
  } catch (...) {
    return fail(error, BENTO_INTERNAL, 0, "an exception that is not a std::exception");
  }
}

inline bento_error make_error() {
  bento_error error{};
  error.size = sizeof error;
  return error;
}

// Throws for a mistake of the service's own, of which its client knows nothing: 500, whatever the
// code.
[[noreturn]] inline void misuse(bento_code code, const std::string& message) {
  throw Error(code, message, 500);
}

// The other direction: an error that the host returned becomes an exception.
inline void check(bento_code code, const bento_error& error) {
  if (code != BENTO_OK) throw Error(code, error.message, error.http_status);
}

}  // namespace detail
}  // namespace bento
