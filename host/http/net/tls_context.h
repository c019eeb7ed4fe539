// TlsContext: a TLS listener's settings (certificate and key, which clients to let in, protocol and
// ciphers), and the factory of its connections, whose bytes tls_transport.h handles. OpenSSL 3;
// only the .cc files of TLS include its headers. Sources: RFC 8446 (TLS 1.3), RFC 9325 (how to use
// TLS), RFC 7301 (ALPN), RFC 5246 (TLS 1.2), and OpenSSL's SSL_CTX_new(3) and SSL_CTX_set_*(3).
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
  std::string certfile;          // our certificate, then intermediate certificates
  std::string keyfile;           // its private key; empty: the key is in `certfile`
  std::string keyfile_password;  // decrypts the key, if it is encrypted
  std::string ca_certs;          // the CAs that may sign client certificates
  ClientCertificates cert_reqs = ClientCertificates::kNone;
  TlsVersion min_version = TlsVersion::k12;
  // For TLS 1.2, in the syntax of `openssl ciphers`; empty: ECDHE with AES-GCM or ChaCha20, as RFC
  // 9325 advises. TLS 1.3 always has OpenSSL's default suites.
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

  // Reads the files again, for connections from now on; old sessions are not resumed. Open
  // connections go on unchanged. After an error nothing has changed, and the next reload() may
  // succeed.
  Status reload();

  // The server's end of a new connection. The handshake happens inside its read(). A client that is
  // not let in is kBroken. Null: no memory.
  std::unique_ptr<Transport> accept(UniqueFd fd) const;

 private:
  TlsContext(TlsOptions options, std::shared_ptr<ssl_ctx_st> ctx);

  const TlsOptions options_;
  Mutex reloading_;  // so that the files read last are the ones in use
  mutable Mutex mutex_;
  std::shared_ptr<ssl_ctx_st> ctx_ BENTO_GUARDED_BY(mutex_);
};

}  // namespace bentohost::http
