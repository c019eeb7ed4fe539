// The options of HTTP. Their names are those of BentoML and uvicorn where these have the option.
#include <charconv>
#include <system_error>

#include "app/options.h"

namespace bentohost::app {
namespace {

// For a repeatable option.
auto append_address(std::vector<http::Address> Config::*list) {
  return [list](CommandLine& line, std::string_view text) -> Status {
    auto address = http::parse_address(text);
    if (!address.ok()) return std::move(address).take_status();
    (line.config.*list).push_back(*std::move(address));
    return {};
  };
}

Result<std::optional<std::uint16_t>> parse_port(std::string_view text) {
  auto port = parse_count(text, 0, 65535);
  if (!port.ok()) return std::move(port).take_status();
  return std::optional<std::uint16_t>(static_cast<std::uint16_t>(*port));
}

Result<unsigned> parse_mode(std::string_view text) {
  unsigned mode = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (error == std::errc() && end == text.data() + text.size() && mode <= 0777) return mode;
  return Status(BENTO_INVALID_ARGUMENT, "expected permissions in octal, such as 660");
}

Result<http::HalfClose> parse_half_close(std::string_view text) {
  if (text == "answer") return http::HalfClose::kAnswer;
  if (text == "drop") return http::HalfClose::kDrop;
  return Status(BENTO_INVALID_ARGUMENT, "expected answer or drop");
}

std::vector<OptionEntry> socket_options() {
  return {
      {"host", "NAME", "listen on all addresses of this name (127.0.0.1)", false,
       store(
           any_text, [](Config & c) -> auto& { return c.host; })},
      {"port", "N", "port to listen on (3000); 0 picks a free one", false,
       store(
           parse_port, [](Config & c) -> auto& { return c.port; })},
      {"bind", "ADDRESS",
       "listen there, too: HOST:PORT, [IPV6]:PORT or unix:PATH. Repeatable; without --host and "
       "--port, nowhere else. Sockets that systemd passes are taken as well",
       true, append_address(&Config::bind)},
      {"unix-socket-mode", "OCTAL",
       "permissions of Unix sockets' files (660: their owner and group may connect)", false,
       store(
           parse_mode, [](Config & c) -> auto& { return c.unix_socket_mode; })},
      {"admin-bind", "ADDRESS",
       "listen there for operators only: health, metrics and reloads, no APIs. Repeatable", true,
       append_address(&Config::admin_bind)},
      {"admin-host", "NAME",
       "another name for the host of --admin-bind, beside the name given there, localhost and "
       "addresses; other names are refused, as they may be a web page's trick. Repeatable",
       true,
       [](CommandLine& line, std::string_view text) -> Status {
         line.config.admin_hosts.emplace_back(text);
         return {};
       }},
      {"forwarded-allow-ips", "LIST",
       "proxies whose X-Forwarded-For, X-Forwarded-Proto and Forwarded are believed: addresses, "
       "networks, unix, or * (nobody)",
       false,
       store(
           http::TrustedProxies::parse, [](Config & c) -> auto& { return c.forwarded_allow_ips; })},
  };
}

std::vector<OptionEntry> limit_options() {
  const auto seconds = [](Duration http::Limits::*limit) {
    return store(
        parse_seconds, [limit](Config & c) -> auto& { return c.limits.*limit; });
  };
  const auto count = [](std::size_t http::Limits::*limit, std::uint32_t least) {
    return store(
        count_between(least, 1u << 30), [limit](Config & c) -> auto& { return c.limits.*limit; });
  };
  return {
      {"max-body", "BYTES", "largest request body, as sent and as inflated (64m); else 413", false,
       store(
           parse_size, [](Config & c) -> auto& { return c.limits.max_body; })},
      {"max-body-memory", "BYTES",
       "most memory for the bodies of all requests together (1g); more are answered 503", false,
       store(
           parse_size, [](Config & c) -> auto& { return c.max_body_memory; })},
      {"max-head", "BYTES", "largest request head (64k); else 431", false,
       store(
           parse_size, [](Config & c) -> auto& { return c.limits.head.max_head; })},
      {"max-headers", "N", "most headers of a request (100); else 431", false,
       store(
           count_between(1, 100'000),
           [](Config & c) -> auto& { return c.limits.head.max_headers; })},
      {"max-request-line", "BYTES", "longest request line (8k); else 414", false,
       store(
           parse_size, [](Config & c) -> auto& { return c.limits.head.max_request_line; })},
      {"header-timeout", "SECONDS", "from a request head's first byte to its last (20); else 408",
       false, seconds(&http::Limits::header_timeout)},
      {"body-timeout", "SECONDS", "from a request's head to the end of its body (300); else 408",
       false, seconds(&http::Limits::body_timeout)},
      {"min-rate", "BYTES",
       "least bytes a second of a body that arrives, and of a response that is read, after 5 s "
       "(240; 0: any); else 408, or cut off",
       false, count(&http::Limits::min_rate, 0)},
      {"write-timeout", "SECONDS",
       "a response of which nothing is read for this long is cut off (30)", false,
       seconds(&http::Limits::write_timeout)},
      {"keep-alive-timeout", "SECONDS", "a connection idle for this long is closed (75)", false,
       seconds(&http::Limits::idle_timeout)},
      {"half-close", "answer|drop",
       "a client that has closed its side of the connection still gets its responses (answer), or "
       "counts as gone, so that its queued work is dropped at once (drop)",
       false,
       store(
           parse_half_close, [](Config & c) -> auto& { return c.limits.half_close; })},
      {"max-requests", "N", "most requests of a connection (0: any); then it is closed", false,
       count(&http::Limits::max_requests, 0)},
      {"max-connections", "N", "most open connections (16384); further ones wait", false,
       count(&http::Limits::max_connections, 1)},
      {"max-connections-per-client", "N", "most of one address (0: any); else 503", false,
       count(&http::Limits::max_connections_per_client, 0)},
  };
}

std::vector<OptionEntry> tls_options() {
  const auto text = [](std::string http::TlsOptions::*option) {
    return store(
        any_text, [option](Config & c) -> auto& { return c.tls.*option; });
  };
  return {
      {"ssl-certfile", "FILE", "serve HTTPS with this certificate and its chain, in PEM", false,
       text(&http::TlsOptions::certfile)},
      {"ssl-keyfile", "FILE", "the private key, if it is in another file", false,
       text(&http::TlsOptions::keyfile)},
      {"ssl-keyfile-password", "TEXT", "the password of the private key", false,
       text(&http::TlsOptions::keyfile_password)},
      {"ssl-ca-certs", "FILE", "authorities that may sign clients' certificates", false,
       text(&http::TlsOptions::ca_certs)},
      {"ssl-cert-reqs", "0|1|2", "clients' certificates: none (0), optional (1), required (2)",
       false,
       store(
           http::parse_client_certificates, [](Config & c) -> auto& { return c.tls.cert_reqs; })},
      {"ssl-version", "VERSION", "least TLS version: 1.2 (as is BentoML's 17) or 1.3 (1.2)", false,
       store(
           http::parse_tls_version, [](Config & c) -> auto& { return c.tls.min_version; })},
      {"ssl-ciphers", "LIST", "ciphers of TLS 1.2, as `openssl ciphers` takes them", false,
       text(&http::TlsOptions::ciphers)},
  };
}

}  // namespace

std::vector<OptionEntry> http_options() {
  std::vector<OptionEntry> all;
  for (auto section : {socket_options(), limit_options(), tls_options()}) {
    for (OptionEntry& entry : section) all.push_back(std::move(entry));
  }
  return all;
}

}  // namespace bentohost::app
