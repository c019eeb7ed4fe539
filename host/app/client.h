// ask(): sends one request to a running server, for bentohost's own commands, with cpp-httplib's
// client. It blocks, and keeps no state.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"

namespace bentohost::app {

struct Answer {
  int status = 0;
  std::string body;
};

struct Question {
  std::string_view method;  // "GET", or "POST" with an empty body
  std::string_view origin;  // "http://HOST:PORT", "https://HOST:PORT" or "unix:PATH"
  std::string path;
  Duration timeout{};  // for each of connecting, sending and receiving
  bool verify = true;  // whether a certificate must be trusted and match the host
};

// INVALID_ARGUMENT for another kind of origin; UNAVAILABLE, with the reason, without a response.
Result<Answer> ask(const Question& question);

}  // namespace bentohost::app
