// The client's address without its port, for the stock middleware. Pure; any thread.
#pragma once

#include <string_view>

namespace bento::detail {

// "192.0.2.1:80" is "192.0.2.1", "[fe80::1%eth0]:80" is "fe80::1", "unix:..." is "unix".
inline std::string_view address_of(std::string_view client) {
  if (client.starts_with('[')) {
    client.remove_prefix(1);
    return client.substr(0, client.find_first_of("%]"));
  }
  return client.substr(0, client.find(':'));
}

}  // namespace bento::detail
