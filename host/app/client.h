// A question to a running server, of bentohost's own commands. cpp-httplib's client is inside.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"

namespace bentohost::http {

struct Answer {
  int status = 0;
  std::string body;
};

struct Question {
  std::string_view method;  // "GET", or "POST" with an empty body
  std::string_view origin;  // "http://HOST:PORT", "https://HOST:PORT" or "unix:PATH"
  std::string path;
  Duration timeout{};  // of each of connecting, sending and receiving
  bool verify = true;  // whether a certificate must be trusted and fit
};

// Blocks. INVALID_ARGUMENT for what is no such origin; UNAVAILABLE with the reason why there was no
// answer.
Result<Answer> ask(const Question& question);

}  // namespace bentohost::http
