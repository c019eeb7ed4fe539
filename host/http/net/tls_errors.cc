#include "http/net/tls_errors.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <string_view>
#include <system_error>

#include "base/log.h"

namespace bentohost::http {
namespace {

std::string words_for(unsigned long error) {
  if (ERR_SYSTEM_ERROR(error)) return std::generic_category().message(ERR_GET_REASON(error));
  if (ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE) {
    return "not PEM, or PEM of something else";
  }
  const char* reason = ERR_reason_error_string(error);
  return reason == nullptr ? "error " + std::to_string(ERR_GET_REASON(error)) : reason;
}

// "PEM lib" and the like only say which library passed on the previous error.
bool is_relay(std::string_view words) { return words.ends_with(" lib"); }

}  // namespace

std::string take_tls_errors() {
  std::string all;
  std::string last;
  while (const unsigned long error = ERR_get_error()) {
    std::string words = words_for(error);
    if (ERR_SYSTEM_ERROR(error)) {  // the others are consequences
      ERR_clear_error();
      return words;
    }
    if (is_relay(words) || words == last) continue;
    if (!all.empty()) all += "; ";
    append_printable(all, words);
    last = std::move(words);
  }
  return all;
}

}  // namespace bentohost::http
