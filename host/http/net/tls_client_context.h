// TlsClientContext: what the client's ends of TLS connections share: the CAs of the system, TLS 1.2
// at least, HTTP/1.1. Sources: RFC 9325, and OpenSSL's SSL_CTX_set_default_verify_paths(3).
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"
#include "http/net/transport.h"

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace bentohost::http {

// [any]
class TlsClientContext {
 public:
  // (waits) Trusts the system's CAs: the folder and the file that OpenSSL was built with, or those
  // that the environment variables SSL_CERT_DIR and SSL_CERT_FILE name. A file is read here, a
  // folder when a certificate needs it. UNAVAILABLE says what is wrong.
  static Result<std::shared_ptr<const TlsClientContext>> create();

  // The client's end of a TCP connection, which need not be complete yet. As
  // tls_client_transport().
  std::unique_ptr<Transport> connect(UniqueFd fd, const std::string& host) const;

 private:
  explicit TlsClientContext(std::shared_ptr<ssl_ctx_st> ctx) : ctx_(std::move(ctx)) {}

  const std::shared_ptr<ssl_ctx_st> ctx_;
};

}  // namespace bentohost::http
