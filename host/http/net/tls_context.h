// TlsContext: what a TLS listener is made of (certificate and key, whom it lets in, protocol and
// ciphers), and where its connections come from. Not the bytes of a connection: those are
// tls_transport.h's. OpenSSL 3; its headers are included by the .cc files of TLS alone.
// Sources: RFC 8446 (TLS 1.3), RFC 9325 (how to use TLS), RFC 7301 (ALPN), RFC 5246 (TLS 1.2), and
// OpenSSL's SSL_CTX_new(3) and SSL_CTX_set_*(3).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "http/net/transport.h"

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace bentohost::http {

enum class TlsVersion { k12, k13 };

// The numbers are those of Python's ssl.CERT_NONE, CERT_OPTIONAL and CERT_REQUIRED.
enum class ClientCertificates { kNone = 0, kOptional = 1, kRequired = 2 };

// Files are PEM.
struct TlsOptions {
  std::string certfile;          // our certificate, then what links it to a root
  std::string keyfile;           // its private key; empty: that is in `certfile`, too
  std::string keyfile_password;  // opens an encrypted key
  std::string ca_certs;          // who may sign the certificates of clients
  ClientCertificates cert_reqs = ClientCertificates::kNone;
  TlsVersion min_version = TlsVersion::k12;
  // For TLS 1.2, as `openssl ciphers` takes them; empty: ECDHE with AES-GCM or ChaCha20, which is
  // RFC 9325's advice. TLS 1.3 has OpenSSL's default suites always.
  std::string ciphers;
};

// "1.2", "1.3", or "17", which is Python's ssl.PROTOCOL_TLS_SERVER: 1.2 at least.
Result<TlsVersion> parse_tls_version(std::string_view text);
// "0", "1" or "2".
Result<ClientCertificates> parse_client_certificates(std::string_view text);

// All functions from any thread.
class TlsContext {
 public:
  // Reads the files. INVALID_ARGUMENT says which file or option is wrong, and why.
  static Result<std::shared_ptr<TlsContext>> create(TlsOptions options);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // Reads the files again, for the connections from now on; sessions of before are not resumed.
  // Those that are open go on as they are. After an error all is as it was, and the next reload()
  // may succeed.
  Status reload();

  // The server's end of a new connection. The handshake happens inside its read(); a client
  // without TLS, or one that is not let in, is kBroken. Null: no memory.
  std::unique_ptr<Transport> accept(UniqueFd fd) const;

 private:
  TlsContext(TlsOptions options, std::shared_ptr<ssl_ctx_st> ctx);

  const TlsOptions options_;
  Mutex reloading_;  // so that what was read last is what stays
  mutable Mutex mutex_;
  std::shared_ptr<ssl_ctx_st> ctx_ BENTO_GUARDED_BY(mutex_);
};

}  // namespace bentohost::http
