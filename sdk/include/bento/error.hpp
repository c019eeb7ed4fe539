// bento::Error, what plugin code throws to answer with an error of its choice, and guard(), the
// firewall at every entry point: no exception leaves a plugin. Part of <bento/bento.hpp>.
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

// Thrown by a handler or a runner method, it becomes the HTTP answer: the status derived from the
// code (BENTO_INVALID_ARGUMENT is 400, BENTO_NOT_FOUND 404, ...) or the one given. The message of
// an answer below 500 goes to the client; from 500 on it goes to the log. Any other exception is a
// 500.
class Error : public std::runtime_error {
 public:
  Error(bento_code code, const std::string& message, std::uint32_t http_status = 0)
      : std::runtime_error(message),
        code_(code != BENTO_OK ? code : BENTO_UNKNOWN),  // what is thrown is no success
        http_status_(http_status) {}
  bento_code code() const { return code_; }
  std::uint32_t http_status() const { return http_status_; }

 private:
  bento_code code_;
  std::uint32_t http_status_;
};

namespace detail {

// Of a route that is one.
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

// Runs `f`; an exception becomes a code and a message.
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

// What the service itself has done wrong, of which its client knows nothing: 500, whatever the
// code.
[[noreturn]] inline void misuse(bento_code code, const std::string& message) {
  throw Error(code, message, 500);
}

// The other direction: what the host refused becomes an exception.
inline void check(bento_code code, const bento_error& error) {
  if (code != BENTO_OK) throw Error(code, error.message, error.http_status);
}

}  // namespace detail
}  // namespace bento
