// OpenSSL's errors, in words.
#pragma once

#include <string>

namespace bentohost::http {

// Takes all errors off the calling thread's queue: "bad decrypt; wrong tag". Empty if there were
// none. Printable, one line. See ERR_get_error(3).
std::string take_tls_errors();

}  // namespace bentohost::http
