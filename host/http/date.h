// The Date header: RFC 9110 wants one in each response, and formatting it is done once a second.
#pragma once

#include <ctime>
#include <string_view>

namespace bentohost::http {

// "Sun, 06 Nov 1994 08:49:37 GMT" (IMF-fixdate, RFC 9110 5.6.7), of `now`. Valid until the calling
// thread's next call.
std::string_view http_date(std::time_t now);

}  // namespace bentohost::http
