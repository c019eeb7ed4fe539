// IP addresses, endpoints and networks as values. An IPv4-mapped IPv6 address (RFC 4291 2.5.5.2),
// which is how a dual-stack listener sees IPv4 clients, is that IPv4 address. Pure; any thread.
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
  // "192.0.2.1" or "2001:db8::1"; neither brackets nor a port nor a zone, and no leading zeros,
  // which some read as octal.
  static std::optional<IpAddress> parse(std::string_view text);

  bool is_v4() const;
  std::string text() const;
  // Bits of it in order; an IPv4 address's are the last 32 of 128.
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

// An address and, perhaps, its port: 0 is unknown.
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
  // wrong, also of bits set beyond the prefix: "10.0.0.1/8" may be meant as either.
  static Result<IpNetwork> parse(std::string_view text);

  // Of its own family only: ::/0 has no IPv4 address in it.
  bool contains(const IpAddress& address) const;

 private:
  IpNetwork(const IpAddress& first, unsigned prefix) : first_(first), prefix_(prefix) {}

  IpAddress first_;
  unsigned prefix_;  // of 128 bits
};

}  // namespace bentohost::http
