// What OpenSSL says went wrong, in words.
#pragma once

#include <string>

namespace bentohost::http {

// Empties the calling thread's error queue: "bad decrypt; wrong tag". Empty when nothing was in it.
// Printable, one line. See ERR_get_error(3).
std::string take_tls_errors();

}  // namespace bentohost::http
