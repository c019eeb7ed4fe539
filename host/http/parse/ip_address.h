// IP addresses, endpoints and networks as values. An IPv4-mapped IPv6 address (RFC 4291 2.5.5.2),
// as which a dual-stack listener sees IPv4 clients, equals that IPv4 address. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace bentohost::http {

class IpAddress {
 public:
  // "192.0.2.1" or "2001:db8::1", without brackets, port or zone, and without leading zeros, which
  // some read as octal.
  static std::optional<IpAddress> parse(std::string_view text);

  bool is_v4() const;
  std::string text() const;
  // The address's bits in order; an IPv4 address is the last 32 of 128.
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

// An address and, perhaps, its port: 0 means unknown.
struct IpEndpoint {
  IpAddress address;
  std::uint16_t port = 0;

  // "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]" or "[2001:db8::1]:80".
  static std::optional<IpEndpoint> parse(std::string_view text);
  // "192.0.2.1:80" or "[2001:db8::1]:80", always with the port.
  std::string text() const;
};

// "80": digits alone, at most 65535.
std::optional<std::uint16_t> parse_port(std::string_view text);

class IpNetwork {
 public:
  // An address, or "10.0.0.0/8" (RFC 4632 3.1), "2001:db8::/32". INVALID_ARGUMENT says what is
  // wrong. Bits beyond the prefix are an error: "10.0.0.1/8" is ambiguous.
  static Result<IpNetwork> parse(std::string_view text);

  // Only addresses of the same family: ::/0 contains no IPv4 address.
  bool contains(const IpAddress& address) const;

 private:
  IpNetwork(const IpAddress& first, unsigned prefix) : first_(first), prefix_(prefix) {}

  IpAddress first_;
  unsigned prefix_;  // of 128 bits
};

}  // namespace bentohost::http
