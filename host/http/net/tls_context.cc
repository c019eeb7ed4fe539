#include "http/net/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cstring>

#include "http/net/tls_errors.h"
#include "http/net/tls_transport.h"

namespace bentohost::http {
namespace {

// The AEAD ciphers with forward secrecy: RFC 9325, section 4.2.
constexpr const char* kDefaultCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
// Each name follows its length; the preferred one is first: RFC 7301.
constexpr unsigned char kProtocols[] = "\x08http/1.1\x08http/1.0";
constexpr unsigned char kSessionContext[] = "bentohost";

template <auto function>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    function(object);
  }
};
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;

Status invalid(std::string message) { return {BENTO_INVALID_ARGUMENT, std::move(message)}; }

Status bad_file(std::string_view what, const std::string& path, const std::string& why) {
  return invalid(std::string(what) + " " + path + ": " + why);
}

Status failed(const char* what) { return invalid(std::string(what) + ": " + take_tls_errors()); }

// Gives OpenSSL the password, which it would otherwise ask for on the terminal.
struct Password {
  const std::string& text;
  bool asked = false;

  static int give(char* to, int size, int, void* user) {
    auto* password = static_cast<Password*>(user);
    if (password == nullptr) return -1;
    password->asked = true;
    const std::string& text = password->text;
    if (text.empty() || text.size() > static_cast<std::size_t>(size)) return -1;
    std::memcpy(to, text.data(), text.size());
    return static_cast<int>(text.size());
  }
};

Status use_certificate(SSL_CTX* ctx, const TlsOptions& options) {
  if (options.certfile.empty()) return invalid("TLS needs a certificate file");
  if (SSL_CTX_use_certificate_chain_file(ctx, options.certfile.c_str()) != 1) {
    return bad_file("certificate file", options.certfile, take_tls_errors());
  }
  return {};
}

Status use_key(SSL_CTX* ctx, const TlsOptions& options) {
  const std::string& path = options.keyfile.empty() ? options.certfile : options.keyfile;
  const Bio file(BIO_new_file(path.c_str(), "r"));
  if (file == nullptr) return bad_file("private key file", path, take_tls_errors());
  Password password{options.keyfile_password};
  const Key key(PEM_read_bio_PrivateKey(file.get(), nullptr, Password::give, &password));
  if (key == nullptr) {
    const std::string why = take_tls_errors();
    if (!password.asked)
      return bad_file("private key file", path, "no key can be read from it: " + why);
    return bad_file("private key file", path,
                    password.text.empty() ? "it is encrypted, and there is no password"
                                          : "the password does not open it (" + why + ")");
  }
  if (X509_check_private_key(SSL_CTX_get0_certificate(ctx), key.get()) != 1) {
    return bad_file("private key file", path,
                    "it is not the key of the certificate in " + options.certfile + " (" +
                        take_tls_errors() + ")");
  }
  if (SSL_CTX_use_PrivateKey(ctx, key.get()) != 1) {
    return bad_file("private key file", path, take_tls_errors());
  }
  return {};
}

Status use_client_certificates(SSL_CTX* ctx, const TlsOptions& options) {
  if (!options.ca_certs.empty()) {
    const char* path = options.ca_certs.c_str();
    // The CAs to trust, and their names, which tell clients which certificate to send.
    STACK_OF(X509_NAME)* names = nullptr;
    if (SSL_CTX_load_verify_file(ctx, path) != 1 ||
        (names = SSL_load_client_CA_file(path)) == nullptr) {
      return bad_file("CA certificates file", options.ca_certs, take_tls_errors());
    }
    SSL_CTX_set_client_CA_list(ctx, names);
  }
  if (options.cert_reqs == ClientCertificates::kNone) return {};
  if (options.ca_certs.empty()) {
    return invalid("certificates of clients cannot be verified without a CA certificates file");
  }
  int mode = SSL_VERIFY_PEER;
  if (options.cert_reqs == ClientCertificates::kRequired) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(ctx, mode, nullptr);
  return {};
}

// Refuses a client that offers only other protocols, so that none of them can be spoken here (RFC
// 7301, section 3.2). A client that offers nothing is assumed to speak HTTP/1.1.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* length,
                    const unsigned char* offered, unsigned offered_length, void*) {
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, length, kProtocols, sizeof kProtocols - 1, offered,
                            offered_length) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

Status set_protocol(SSL_CTX* ctx, const TlsOptions& options) {
  const int version = options.min_version == TlsVersion::k13 ? TLS1_3_VERSION : TLS1_2_VERSION;
  if (SSL_CTX_set_min_proto_version(ctx, version) != 1) return failed("TLS version");
  const char* ciphers = options.ciphers.empty() ? kDefaultCiphers : options.ciphers.c_str();
  if (SSL_CTX_set_cipher_list(ctx, ciphers) != 1) {
    return invalid("cipher list \"" + std::string(ciphers) + "\": " + take_tls_errors() +
                   "; it is for TLS 1.2, as `openssl ciphers` takes it");
  }
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, nullptr);
  return {};
}

void set_conduct(SSL_CTX* ctx) {
  SSL_CTX_set_default_passwd_cb(ctx, Password::give);
  // An idle connection has no buffers; the other modes fit how a Transport writes.
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(ctx, 1);  // one recv() per record, not two
  // FIN without close_notify is an end as well: HTTP's framing shows whether a message is whole.
  SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
  // Clients keep the sessions (as tickets), so they take none of our memory.
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(ctx, kSessionContext, sizeof kSessionContext - 1);
}

Result<std::shared_ptr<SSL_CTX>> make_ctx(const TlsOptions& options) {
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> ctx(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (ctx == nullptr) return failed("TLS");
  set_conduct(ctx.get());
  for (const auto step : {set_protocol, use_certificate, use_key, use_client_certificates}) {
    Status status = step(ctx.get(), options);
    if (!status.ok()) return status;
  }
  return ctx;
}

}  // namespace

Result<TlsVersion> parse_tls_version(std::string_view text) {
  if (text == "1.2" || text == "17") return TlsVersion::k12;
  if (text == "1.3") return TlsVersion::k13;
  return invalid("TLS version \"" + std::string(text) +
                 "\": it is 1.2, 1.3, or 17 for 1.2 and later");
}

Result<ClientCertificates> parse_client_certificates(std::string_view text) {
  if (text == "0") return ClientCertificates::kNone;
  if (text == "1") return ClientCertificates::kOptional;
  if (text == "2") return ClientCertificates::kRequired;
  return invalid("certificates of clients \"" + std::string(text) +
                 "\": it is 0 for none, 1 for optional, or 2 for required");
}

TlsContext::TlsContext(TlsOptions options, std::shared_ptr<SSL_CTX> ctx)
    : options_(std::move(options)), ctx_(std::move(ctx)) {}

Result<std::shared_ptr<TlsContext>> TlsContext::create(TlsOptions options) {
  Result<std::shared_ptr<SSL_CTX>> ctx = make_ctx(options);
  if (!ctx.ok()) return std::move(ctx).take_status();
  return std::shared_ptr<TlsContext>(new TlsContext(std::move(options), std::move(*ctx)));
}

Status TlsContext::reload() {
  const MutexLock one_at_a_time(reloading_);
  Result<std::shared_ptr<SSL_CTX>> ctx = make_ctx(options_);
  if (!ctx.ok()) return std::move(ctx).take_status();
  const MutexLock lock(mutex_);
  ctx_.swap(*ctx);
  return {};
}

std::unique_ptr<Transport> TlsContext::accept(UniqueFd fd) const {
  std::shared_ptr<SSL_CTX> ctx;
  {
    const MutexLock lock(mutex_);
    ctx = ctx_;
  }
  return tls_transport(*ctx, std::move(fd));
}

}  // namespace bentohost::http
