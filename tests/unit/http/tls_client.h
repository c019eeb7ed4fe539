// TlsClient: the client's end of a TLS connection, with OpenSSL's plain functions, for tests of the
// server's end. Does not verify. Blocks or not, as its descriptor does.
#pragma once

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "http/net/tls_errors.h"
#include "unit/http/socket_pair.h"
#include "unit/http/test_certificates.h"

namespace bentohost::http {

struct TlsClientOptions {
  int min_version = TLS1_2_VERSION;
  int max_version = TLS1_3_VERSION;
  std::string protocols = {};          // for ALPN, each preceded by its length
  const Identity* identity = nullptr;  // sent when the server asks for a certificate
  SSL_SESSION* session = nullptr;      // to be resumed
};

class TlsClient {
 public:
  enum class State { kOk, kWaits, kEnded, kFailed };

  explicit TlsClient(UniqueFd fd, const TlsClientOptions& options = {})
      : fd_(std::move(fd)), ctx_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free) {
    // So that the server, not the client, refuses TLS 1.1.
    SSL_CTX_set_cipher_list(ctx_.get(), "ALL:@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(ctx_.get(), options.min_version);
    SSL_CTX_set_max_proto_version(ctx_.get(), options.max_version);
    SSL_CTX_set_alpn_protos(ctx_.get(),
                            reinterpret_cast<const unsigned char*>(options.protocols.data()),
                            static_cast<unsigned>(options.protocols.size()));
    if (options.identity != nullptr) {
      SSL_CTX_use_certificate(ctx_.get(), options.identity->certificate.get());
      SSL_CTX_use_PrivateKey(ctx_.get(), options.identity->key.get());
    }
    ssl_.reset(SSL_new(ctx_.get()), SSL_free);
    SSL_set_connect_state(ssl_.get());
    SSL_set_fd(ssl_.get(), fd_.get());
    if (options.session != nullptr) SSL_set_session(ssl_.get(), options.session);
  }

  State handshake() {
    ERR_clear_error();
    return judge(SSL_do_handshake(ssl_.get()));
  }

  // How many of `bytes` were taken.
  std::size_t send(std::string_view bytes) {
    ERR_clear_error();
    std::size_t n = 0;
    judge(SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &n));
    return n;
  }
  // The plaintext of one record, or the beginning of it; see state() when there is none.
  std::string receive(std::size_t size = SSL3_RT_MAX_PLAIN_LENGTH) {
    ERR_clear_error();
    std::string bytes(size, '\0');
    std::size_t n = 0;
    judge(SSL_read_ex(ssl_.get(), bytes.data(), size, &n));
    bytes.resize(n);
    return bytes;
  }
  // Reads until nothing more has arrived.
  std::string receive_all() {
    std::string all;
    do all += receive();
    while (state_ == State::kOk);
    return all;
  }
  void close_notify() { EXPECT_EQ(SSL_shutdown(ssl_.get()), 0); }
  void end_sending() { shutdown(fd_.get(), SHUT_WR); }
  UniqueFd take_fd() { return std::move(fd_); }

  // The state after the last call, and the reason when it is kFailed.
  State state() const { return state_; }
  const std::string& failure() const { return failure_; }

  SSL* ssl() const { return ssl_.get(); }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &length);
    return {reinterpret_cast<const char*>(name), length};
  }
  // The common name in the server's certificate.
  std::string server_name() const {
    const X509* certificate = SSL_get0_peer_certificate(ssl_.get());
    if (certificate == nullptr) return {};
    std::array<char, 256> name{};
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name.data(),
                              static_cast<int>(name.size()));
    return name.data();
  }

 private:
  State judge(int result) {
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_NONE:
        return state_ = State::kOk;
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE:
        return state_ = State::kWaits;
      case SSL_ERROR_ZERO_RETURN:
        return state_ = State::kEnded;
      default:
        failure_ = take_tls_errors();
        return state_ = State::kFailed;
    }
  }

  UniqueFd fd_;
  std::shared_ptr<SSL_CTX> ctx_;
  std::shared_ptr<SSL> ssl_;
  State state_ = State::kOk;
  std::string failure_;
};

// Runs both ends of a non-blocking connection until the handshake is done or has failed. Returns
// the result of the server's last read; kAgain or kBytes on success.
inline Received shake_hands(TlsClient& client, Transport& server) {
  Received received{};
  for (int i = 0; i < 10; ++i) {
    client.handshake();
    char byte = 0;
    received = server.read(&byte, 1);
    EXPECT_NE(received.kind, Received::Kind::kBytes);
    if (received.kind != Received::Kind::kAgain) break;
  }
  return received;
}

}  // namespace bentohost::http
