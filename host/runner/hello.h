// Hello: the first frame to a worker: what its service was loaded with in the host. A value; pure.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace bentohost::runner {

struct Hello {
  std::string options = "{}";  // a JSON object: checked, defaults filled in
  std::string instance;        // what the operator calls the service
  std::string description;     // the hash of its description; empty: not compared
};

std::string encode_hello(const Hello& hello);
// INVALID_ARGUMENT for what encode_hello() does not write.
Result<Hello> decode_hello(std::string_view text);

}  // namespace bentohost::runner
