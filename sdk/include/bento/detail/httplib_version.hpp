// Hides the differences between the versions of cpp-httplib that this SDK is built with: 0.11
// (Debian 12), 0.14 (Ubuntu 24.04) and 0.18 (Debian 13). Only httplib_app.hpp uses it.
#pragma once

#include <httplib.h>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>

namespace bento::detail {

// The second number of CPPHTTPLIB_VERSION, a text such as "0.18.7": the first has always been 0.
constexpr int httplib_minor(std::string_view version) {
  int minor = 0;
  for (std::size_t i = version.find('.') + 1; i < version.size() && version[i] != '.'; ++i) {
    minor = 10 * minor + (version[i] - '0');
  }
  return minor;
}
inline constexpr int kHttplibMinor = httplib_minor(CPPHTTPLIB_VERSION);
static_assert(httplib_minor("0.11.4") == 11 && httplib_minor("0.9") == 9);

// Gives access to protected members of httplib::Server.
struct HttplibDoor : httplib::Server {
  // Has the server answer one request on `connection`. False if the response was not fully sent.
  static bool answer(httplib::Server& server, httplib::Stream& connection) {
    return call(server, &HttplibDoor::process_request, connection);
  }
  // A Server whose socket is invalid is shutting down, and so stops all content providers.
  static void open(httplib::Server& server) {
    socket_t invalid = INVALID_SOCKET;
    (server.*&HttplibDoor::svr_sock_).compare_exchange_strong(invalid, kNoSocketButValid);
  }

 private:
  static constexpr socket_t kNoSocketButValid = INVALID_SOCKET - 1;
  using SetUp = const std::function<void(httplib::Request&)>&;
  // Later versions take more arguments beside the connection. The form of a protected member is not
  // guaranteed: a version with yet another one fails to compile here, with a clear message.
  template <typename F>
  static bool call(httplib::Server& server, F process_request, httplib::Stream& connection) {
    bool is_closed = false;
    if constexpr (kHttplibMinor < 18) {
      static_assert(std::is_invocable_v<F, httplib::Server&, httplib::Stream&, bool, bool&, SetUp>,
                    "bento/detail/httplib_version.hpp does not know this version of cpp-httplib");
      return (server.*process_request)(connection, true, is_closed, nullptr);
    } else {
      static_assert(std::is_invocable_v<F, httplib::Server&, httplib::Stream&, std::string, int,
                                        std::string, int, bool, bool&, SetUp>,
                    "bento/detail/httplib_version.hpp does not know this version of cpp-httplib");
      std::string remote_ip, local_ip;
      int remote_port = 0, local_port = 0;
      connection.get_remote_ip_and_port(remote_ip, remote_port);
      connection.get_local_ip_and_port(local_ip, local_port);
      return (server.*process_request)(connection, remote_ip, remote_port, local_ip, local_port,
                                       true, is_closed, nullptr);
    }
  }
};

}  // namespace bento::detail
