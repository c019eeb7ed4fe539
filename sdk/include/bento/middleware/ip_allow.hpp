// IPAllow: serves clients of some addresses only; others are answered 403. Behind a proxy that the
// host trusts, the client is the one that the proxy names.
//
//   svc.use(bento::middleware::IPAllow({.allow = {"10.0.0.0/8", "2001:db8::/32", "unix"}}));
//
// Its hooks are const, and any number of threads may call them at once. The constructor throws
// Error for options that it cannot use.
#pragma once

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <bento/detail/address.hpp>
#include <bento/detail/refusal.hpp>
#include <bento/error.hpp>
#include <bento/middleware.hpp>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bento::middleware {

struct IPAllowOptions {
  // Addresses, networks (RFC 4632 3.1), and "unix" for the clients of Unix sockets.
  std::vector<std::string> allow = {};  // none: all but those of `deny`
  std::vector<std::string> deny = {};   // goes before `allow`
};

class IPAllow {
 public:
  static constexpr const char* kName = "ip_allow";

  explicit IPAllow(const IPAllowOptions& options)
      : allow_("allow", options.allow), deny_("deny", options.deny) {
    if (options.allow.empty() && options.deny.empty()) {
      throw Error(BENTO_INVALID_ARGUMENT, "one of allow and deny is needed");
    }
  }

  void on_request(Incoming& request) const {
    const std::string_view client = bento::detail::address_of(request.client());
    const bool is_unix = client == "unix";
    const std::optional<Address> address = is_unix ? std::nullopt : parse(client);
    // A client whose address cannot be read is on no list; a deny list does not let it in.
    const bool is_allowed =
        is_unix ? allow_.has_unix
                : address && !deny_.has(*address) && (allow_.is_empty() || allow_.has(*address));
    if (is_allowed && !(is_unix && deny_.has_unix)) return;
    bento::detail::refuse(request, 403, "Forbidden", "this address is not served");
  }

 private:
  // IPv4 ones are mapped into IPv6 (RFC 4291 2.5.5.2), which is how a dual-stack socket has them.
  using Address = std::array<std::uint8_t, 16>;

  static std::optional<Address> parse(std::string_view text) {
    const std::string terminated(text);
    Address address{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (inet_pton(AF_INET, terminated.c_str(), &address[12]) == 1) return address;
    if (inet_pton(AF_INET6, terminated.c_str(), address.data()) == 1) return address;
    return std::nullopt;
  }

  struct Network {
    Address first;
    std::size_t prefix;  // of 128 bits

    static bool bit(const Address& address, std::size_t at) {
      return (address[at / 8] >> (7 - at % 8) & 1) != 0;
    }
    bool has(const Address& address) const {
      for (std::size_t at = 0; at < prefix; ++at) {
        if (bit(address, at) != bit(first, at)) return false;
      }
      return true;
    }
  };

  struct List {
    List(const std::string& option, const std::vector<std::string>& texts) {
      for (const std::string& text : texts) {
        if (text == "unix") {
          has_unix = true;
        } else {
          networks.push_back(network(option, text));
        }
      }
    }
    static Network network(const std::string& option, const std::string& text) {
      const auto refuse = [&](const char* why) {
        return Error(BENTO_INVALID_ARGUMENT, option + ": \"" + text + "\" " + why);
      };
      const std::size_t slash = text.find('/');
      const std::string host = text.substr(0, slash);
      const std::optional<Address> address = parse(host);
      if (!address) throw refuse("is neither an address nor a network like 10.0.0.0/8, nor unix");
      if (slash == std::string::npos) return {*address, 128};
      const std::size_t offset = host.find(':') == std::string::npos ? 96 : 0;
      std::size_t length = 0;
      const char* const end = text.data() + text.size();
      const auto [stopped, error] = std::from_chars(text.data() + slash + 1, end, length);
      if (error != std::errc() || stopped != end || length > 128 - offset) {
        throw refuse("has no prefix length that fits");
      }
      for (std::size_t at = offset + length; at < 128; ++at) {
        if (Network::bit(*address, at)) throw refuse("has bits set beyond its prefix");
      }
      return {*address, offset + length};
    }

    bool is_empty() const { return networks.empty() && !has_unix; }
    bool has(const Address& address) const {
      const bool is_v4 = is_mapped(address);
      return std::any_of(networks.begin(), networks.end(), [&](const Network& network) {
        return is_v4 == is_mapped(network.first) && network.has(address);
      });
    }
    // ::/0 has no IPv4 address in it.
    static bool is_mapped(const Address& address) {
      return Network{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}.has(address);
    }

    std::vector<Network> networks;
    bool has_unix = false;
  };

  List allow_, deny_;
};

}  // namespace bento::middleware
