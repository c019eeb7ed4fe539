#include "http/net/tls_client_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <utility>

#include "http/net/tls_errors.h"
#include "http/net/tls_transport.h"

namespace bentohost::http {
namespace {

// The AEAD ciphers with forward secrecy, for TLS 1.2: RFC 9325, section 4.2.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr unsigned char kProtocols[] = "\x08http/1.1";  // RFC 7301: its length in front

}  // namespace

Result<std::shared_ptr<const TlsClientContext>> TlsClientContext::create() {
  ERR_clear_error();
  const std::shared_ptr<SSL_CTX> shared(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  SSL_CTX* const ctx = shared.get();
  const bool is_set = ctx != nullptr && SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
                      SSL_CTX_set_cipher_list(ctx, kCiphers) == 1 &&
                      SSL_CTX_set_alpn_protos(ctx, kProtocols, sizeof kProtocols - 1) == 0 &&
                      SSL_CTX_set_default_verify_paths(ctx) == 1;
  if (!is_set) return Status(BENTO_UNAVAILABLE, "TLS cannot be set up: " + take_tls_errors());
  ERR_clear_error();  // a file of CAs need not be there
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // As TlsContext has it, but for an end without close_notify: to a response that ends with its
  // connection that would be an end as good as any (RFC 9112 9.8).
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(ctx, 1);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  return std::shared_ptr<const TlsClientContext>(new TlsClientContext(shared));
}

std::unique_ptr<Transport> TlsClientContext::connect(UniqueFd fd, const std::string& host) const {
  return tls_client_transport(*ctx_, std::move(fd), host);
}

}  // namespace bentohost::http
