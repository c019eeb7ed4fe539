// Writes and reads HTTP dates (RFC 9110 5.6.7), independent of the locale. Writing the same second
// again, as for each response's Date header, costs nothing. Any thread.
#pragma once

#include <ctime>
#include <optional>
#include <string_view>

namespace bentohost::http {

// `now` as "Sun, 06 Nov 1994 08:49:37 GMT" (IMF-fixdate, RFC 9110 5.6.7). Valid until the calling
// thread's next call.
std::string_view http_date(std::time_t now);

// A date in one of the three forms that recipients must know:
//   Sun, 06 Nov 1994 08:49:37 GMT    IMF-fixdate
//   Sunday, 06-Nov-94 08:49:37 GMT   RFC 850; its year is at most 50 years after `now`
//   Sun Nov  6 08:49:37 1994         asctime()
// Letter case and blanks must be exact; the day of the week may be wrong.
std::optional<std::time_t> parse_http_date(std::string_view text, std::time_t now);

}  // namespace bentohost::http
