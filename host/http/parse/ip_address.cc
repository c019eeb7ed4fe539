#include "http/parse/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace bentohost::http {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr unsigned kV4Offset = 96;  // bits

template <typename T>
std::optional<T> parse_number(std::string_view digits) {
  T number = 0;
  const char* end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, number);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return number;
}

// Whether the first `count` bits are the same.
bool share_bits(const IpAddress& a, const IpAddress& b, unsigned count) {
  const unsigned whole = count / 8;
  if (!std::equal(a.bytes().begin(), a.bytes().begin() + whole, b.bytes().begin())) return false;
  const unsigned rest = count % 8;
  return rest == 0 || (a.bytes()[whole] ^ b.bytes()[whole]) >> (8 - rest) == 0;
}

// Whether no bit is set after the first `count`.
bool ends_with_zeros(const IpAddress& address, unsigned count) {
  for (unsigned bit = count; bit < 128; ++bit) {
    if ((address.bytes()[bit / 8] & (0x80u >> bit % 8)) != 0) return false;
  }
  return true;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  std::copy(text.begin(), text.end(), terminated.begin());
  IpAddress address;
  if (inet_pton(AF_INET6, terminated.data(), address.bytes_.data()) == 1) return address;
  std::copy(kMapped.begin(), kMapped.end(), address.bytes_.begin());
  if (inet_pton(AF_INET, terminated.data(), &address.bytes_[kMapped.size()]) == 1) return address;
  return std::nullopt;
}

bool IpAddress::is_v4() const { return std::equal(kMapped.begin(), kMapped.end(), bytes_.begin()); }

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* start = is_v4() ? &bytes_[kMapped.size()] : bytes_.data();
  inet_ntop(is_v4() ? AF_INET : AF_INET6, start, text.data(), text.size());
  return text.data();
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  return parse_number<std::uint16_t>(text);
}

std::optional<IpEndpoint> IpEndpoint::parse(std::string_view text) {
  std::string_view host = text;
  std::string_view after;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    host = text.substr(1, close - 1);
    after = text.substr(close + 1);
    if (host.find(':') == std::string_view::npos) return std::nullopt;
  } else if (const std::size_t colon = text.find(':'); colon == text.rfind(':')) {
    host = text.substr(0, colon);
    after = text.substr(std::min(colon, text.size()));
  }
  const std::optional<IpAddress> address = IpAddress::parse(host);
  if (!address) return std::nullopt;
  if (after.empty()) return IpEndpoint{*address};
  const std::optional<std::uint16_t> port = parse_port(after.substr(1));
  if (after[0] != ':' || !port) return std::nullopt;
  return IpEndpoint{*address, *port};
}

std::string IpEndpoint::text() const {
  std::string text = address.text();
  if (!address.is_v4()) text.insert(0, 1, '[').push_back(']');
  return text.append(":").append(std::to_string(port));
}

Result<IpNetwork> IpNetwork::parse(std::string_view text) {
  const auto refuse = [text](std::string_view why) {
    std::string message = "\"";
    message.append(text).append("\" ").append(why);
    return Status(BENTO_INVALID_ARGUMENT, std::move(message));
  };
  const std::size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  const std::optional<IpAddress> address = IpAddress::parse(host);
  if (!address) return refuse("is neither an IP address nor a network like 10.0.0.0/8");
  if (slash == std::string_view::npos) return IpNetwork(*address, 128);
  // The prefix counts as written: that of ::ffff:10.0.0.0/104 is of 128 bits.
  const unsigned offset = host.find(':') == std::string_view::npos ? kV4Offset : 0;
  const std::optional<unsigned> length = parse_number<unsigned>(text.substr(slash + 1));
  if (!length || *length > 128 - offset) {
    return refuse("has no prefix length from 0 to " + std::to_string(128 - offset));
  }
  const unsigned prefix = offset + *length;
  if (!ends_with_zeros(*address, prefix)) return refuse("has bits set beyond its prefix");
  return IpNetwork(*address, prefix);
}

bool IpNetwork::contains(const IpAddress& address) const {
  return address.is_v4() == first_.is_v4() && share_bits(address, first_, prefix_);
}

}  // namespace bentohost::http
