// StartMessage: what a guardian is to start, as bytes on its stdin. Not on its command line: an
// environment holds tokens, and everybody may read command lines. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace bentohost::upstream {

struct StartMessage {
  std::string program;                   // the file to execute
  std::vector<std::string> arguments;    // with the program's name
  std::vector<std::string> environment;  // NAME=VALUE, all of it
  std::string folder;                    // the working folder
  std::string socket;                    // removed at the end, if not ""
  Duration grace{};                      // from SIGTERM to SIGKILL
};

// The first four bytes are the number of bytes that follow them. INVALID_ARGUMENT: a NUL in a text.
Result<std::string> encode(const StartMessage& message);
// Of what follows the first four bytes.
Result<StartMessage> decode_start_message(std::string_view bytes);

}  // namespace bentohost::upstream
