// Status and Result<T>: how host code reports failure. Nothing here throws, and no room throws
// across its border. The codes are the ABI's (google.rpc.Code numbers). Values; any thread.
#pragma once

#include <bento/abi.h>

#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace bentohost {

class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  Status(bento_code code, std::string message) {
    if (code != BENTO_OK) error_ = std::make_unique<Error>(Error{code, 0, std::move(message)});
  }
  // What was moved from is OK.
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;
  Status(const Status& other) : error_(other.copy()) {}
  Status& operator=(const Status& other) {
    if (this != &other) error_ = other.copy();
    return *this;
  }

  // An error whose HTTP status differs from the one that its code implies. 0 means the implied one.
  static Status with_http(std::uint32_t http_status, bento_code code, std::string message) {
    Status status(code, std::move(message));
    if (status.error_ != nullptr) status.error_->http_status = http_status;
    return status;
  }
  // The `error` that a plugin filled in for a call that returned `code`. An HTTP status outside of
  // 400 to 599 is the plugin's mistake, and becomes 500.
  static Status from_plugin(bento_code code, const bento_error& error);

  bool ok() const { return error_ == nullptr; }
  bento_code code() const { return ok() ? BENTO_OK : error_->code; }
  const std::string& message() const;
  // The HTTP status to answer with: the explicit one, else http_from_code().
  std::uint32_t http_status() const;
  // For telling a plugin that it called the host wrongly: should the plugin pass this status on,
  // the response is 500, and the client is not blamed. Unchanged are codes about the host's state
  // (no worker, too many requests, too late) and a status with an HTTP status of its own.
  Status as_misuse() &&;
  // Puts context in front: "loading libiris.so: " + message.
  Status prefixed(std::string_view context) &&;
  // Fills a plugin's bento_error (truncating) and returns the code, for `return status.give(e)`.
  bento_code give(bento_error* error) const;

 private:
  struct Error {
    bento_code code;
    std::uint32_t http_status;  // 0: the one that the code implies
    std::string message;
  };
  std::unique_ptr<Error> copy() const { return ok() ? nullptr : std::make_unique<Error>(*error_); }

  std::unique_ptr<Error> error_;  // null: OK, which costs no more than that
};

// Calls a plugin's function: `f(&error)` returns its code.
template <typename F>
Status call_plugin(F&& f) {
  bento_error error{};
  error.size = sizeof error;
  const bento_code code = f(&error);
  return code == BENTO_OK ? Status() : Status::from_plugin(code, error);
}

// The other way round, for functions that a plugin calls. `f` returns a Status. If memory runs out,
// the plugin gets an error, since no exception may pass through a plugin's frames.
template <typename F>
bento_code answer_plugin(bento_error* error, F&& f) {
  try {
    return f().give(error);
  } catch (const std::bad_alloc&) {
    return Status::with_http(503, BENTO_RESOURCE_EXHAUSTED, "out of memory").give(error);
  }
}

// google.rpc.Code to HTTP, after the comments of google/rpc/code.proto; unknown codes are 500.
std::uint32_t http_from_code(bento_code code);
// "INVALID_ARGUMENT" and so on; "UNKNOWN" for codes that the ABI does not name.
std::string_view code_name(bento_code code);

// A T, or the Status that says why there is no T.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : state_(std::move(status)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return std::holds_alternative<T>(state_); }
  const Status& status() const {
    static const Status kOk;
    return ok() ? kOk : std::get<Status>(state_);
  }
  Status take_status() && { return ok() ? Status() : std::get<Status>(std::move(state_)); }

  T& operator*() & { return std::get<T>(state_); }
  const T& operator*() const& { return std::get<T>(state_); }
  T&& operator*() && { return std::get<T>(std::move(state_)); }
  T* operator->() { return &std::get<T>(state_); }
  const T* operator->() const { return &std::get<T>(state_); }

 private:
  std::variant<T, Status> state_;
};

inline bento_str to_bento(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view to_view(bento_str text) {
  return text.ptr == nullptr ? std::string_view() : std::string_view(text.ptr, text.len);
}

}  // namespace bentohost
