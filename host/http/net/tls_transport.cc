#include "http/net/tls_transport.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "http/net/socket_bio.h"
#include "http/net/tls_errors.h"

namespace bentohost::http {
namespace {

using Record = std::array<char, SSL3_RT_MAX_PLAIN_LENGTH>;

// The first bytes of both parts, up to a full record; copied into `room` only if they are from
// both. Depends on the bytes alone and not on where the parts meet, as SSL_write() demands of a
// repeated write.
std::string_view next_record(std::string_view first, std::string_view second, Record& room) {
  if (first.empty()) return second.substr(0, room.size());
  if (second.empty() || first.size() >= room.size()) return first.substr(0, room.size());
  char* end = std::copy(first.begin(), first.end(), room.begin());
  second = second.substr(0, room.size() - first.size());
  end = std::copy(second.begin(), second.end(), end);
  return {room.data(), static_cast<std::size_t>(end - room.data())};
}

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using Ssl = std::unique_ptr<SSL, FreeSsl>;

// In words for people who have to mend it; `verdict` is one of X509_STORE_CTX_get_error(3).
std::string certificate_words(long verdict) {
  switch (verdict) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "its certificate is for another host";
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "its certificate has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "its certificate is not valid yet";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return "its certificate is not signed by a CA that this system trusts";
    default:
      return std::string("its certificate is not valid: ") + X509_verify_cert_error_string(verdict);
  }
}

// RFC 9110 4.3.4, and RFC 6066 3: an address is checked, but not sent as the server's name.
bool expect_host(SSL& ssl, const std::string& host) {
  X509_VERIFY_PARAM* const wanted = SSL_get0_param(&ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1) return true;
  ERR_clear_error();
  X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(wanted, host.data(), host.size()) == 1 &&
         SSL_set_tlsext_host_name(&ssl, host.c_str()) == 1;
}

enum class End { kServer, kClient };

class TlsTransport final : public Transport {
 public:
  TlsTransport(End end, Ssl ssl, UniqueFd fd)
      : end_(end), fd_(std::move(fd)), socket_{fd_.get()}, ssl_(std::move(ssl)) {}

  // False: no memory.
  bool open() {
    BIO* bio = new_socket_bio(socket_);
    if (bio == nullptr) return false;
    SSL_set_bio(ssl_.get(), bio, bio);  // takes ownership
    if (end_ == End::kClient) {
      SSL_set_connect_state(ssl_.get());
    } else {
      SSL_set_accept_state(ssl_.get());
    }
    return true;
  }

  Received read(char* to, std::size_t size) override;
  Sent write(std::string_view first, std::string_view second) override;
  void shutdown_writing() override;
  int fd() const override { return fd_.get(); }
  bool is_secure() const override { return true; }
  std::unique_ptr<Transport> without_tls() override {
    broken_ = true;
    return plain_transport(std::move(fd_));
  }
  bool is_established() override;
  std::string client_subject() const override;
  std::string failure() const override { return failure_; }

 private:
  // Whether a first byte has come; peeks at it. A socket that has failed is broken.
  bool has_begun();
  // Whether the call that returned `result` only has to wait. If not, the connection is broken.
  bool must_wait(int result);
  void take_failure(int reason);
  void send_close_notify();

  const End end_;
  UniqueFd fd_;
  BioSocket socket_;
  Ssl ssl_;
  std::string failure_;
  char first_ = 0;  // the peer's first byte, once it has come
  bool established_ = false;
  bool broken_ = false;
  bool refused_ = false;  // the last write() was refused: OpenSSL holds its record
  bool closing_ = false;  // close_notify is still to be sent
};

Received TlsTransport::read(char* to, std::size_t size) {
  using Kind = Received::Kind;
  if (closing_) send_close_notify();
  if (broken_) return {Kind::kBroken};
  // A TLS handshake begins with byte 22 (RFC 8446 5.1), a method with a letter.
  const bool may_be_plain = end_ == End::kServer && first_ == 0;
  if (may_be_plain && has_begun() && first_ >= 'A' && first_ <= 'Z') return {Kind::kPlain};
  if (broken_) return {Kind::kBroken};
  ERR_clear_error();
  // A read from OpenSSL's own memory says nothing about the socket, where bytes may have come whose
  // event is over.
  socket_.drained = false;
  std::size_t n = 0;
  const int result = SSL_read_ex(ssl_.get(), to, size, &n);
  if (result == 1) {
    return {Kind::kBytes, n, !socket_.drained || SSL_has_pending(ssl_.get()) == 1};
  }
  if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_ZERO_RETURN) return {Kind::kEnd};
  return {must_wait(result) ? Kind::kAgain : Kind::kBroken};
}

Sent TlsTransport::write(std::string_view first, std::string_view second) {
  Sent sent;
  sent.broken = broken_;
  if (broken_ || !is_established()) return sent;
  Record room;
  while (!first.empty() || !second.empty()) {
    const std::string_view record = next_record(first, second, room);
    ERR_clear_error();
    std::size_t n = 0;
    const int result = SSL_write_ex(ssl_.get(), record.data(), record.size(), &n);
    refused_ = result != 1;
    if (refused_) {
      sent.broken = !must_wait(result);
      return sent;
    }
    sent.size += n;
    const std::size_t of_first = std::min(n, first.size());
    first.remove_prefix(of_first);
    second.remove_prefix(n - of_first);
  }
  return sent;
}

bool TlsTransport::has_begun() {
  const ssize_t n = recv(fd_.get(), &first_, 1, MSG_PEEK | MSG_DONTWAIT);
  if (n < 0 && errno != EAGAIN && errno != EINTR) {  // a socket reports its error only once
    broken_ = true;
    failure_ = std::generic_category().message(errno);
  }
  return n == 1;
}

void TlsTransport::shutdown_writing() {
  if ((SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0) return;
  closing_ = is_established() && !broken_ && !refused_;
  if (closing_) {
    send_close_notify();
  } else {
    shutdown(fd_.get(), SHUT_WR);
  }
}

void TlsTransport::send_close_notify() {
  ERR_clear_error();
  const int result = SSL_shutdown(ssl_.get());
  if (result < 0 && must_wait(result)) return;
  closing_ = false;
  shutdown(fd_.get(), SHUT_WR);
}

std::string TlsTransport::client_subject() const {
  // The certificate comes some messages before the proof that the client has its key.
  if (!established_ && SSL_is_init_finished(ssl_.get()) != 1) return {};
  const X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr || SSL_get_verify_result(ssl_.get()) != X509_V_OK) return {};
  BIO* text = BIO_new(BIO_s_mem());
  if (text == nullptr) return {};
  X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  const char* data = nullptr;
  const long size = BIO_get_mem_data(text, &data);
  std::string subject(data, static_cast<std::size_t>(size));
  BIO_free(text);
  return subject;
}

// Remembered for good, because OpenSSL is in a handshake again when it changes keys.
bool TlsTransport::is_established() {
  if (!established_) established_ = SSL_is_init_finished(ssl_.get()) == 1;
  return established_;
}

bool TlsTransport::must_wait(int result) {
  const int reason = errno;
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return true;
  broken_ = true;  // no more calls: SSL_get_error(3)
  take_failure(reason);
  return false;
}

// `reason`: errno of the call that failed.
void TlsTransport::take_failure(int reason) {
  failure_ = take_tls_errors();
  const long verdict =
      end_ == End::kClient ? SSL_get_verify_result(ssl_.get()) : static_cast<long>(X509_V_OK);
  if (verdict != X509_V_OK) {
    failure_ = certificate_words(verdict);
  } else if (end_ == End::kClient && failure_ == "wrong version number") {
    failure_ = "it does not speak TLS";  // what it said was no record of TLS
  } else if (failure_.empty()) {
    failure_ = reason == 0 ? "the connection was closed in the TLS handshake"
                           : std::generic_category().message(reason);
  }
}

}  // namespace

std::unique_ptr<Transport> tls_transport(SSL_CTX& ctx, UniqueFd fd) {
  Ssl ssl(SSL_new(&ctx));
  if (ssl == nullptr) return nullptr;
  auto transport = std::make_unique<TlsTransport>(End::kServer, std::move(ssl), std::move(fd));
  return transport->open() ? std::move(transport) : nullptr;
}

std::unique_ptr<Transport> tls_client_transport(SSL_CTX& ctx, UniqueFd fd,
                                                const std::string& host) {
  Ssl ssl(SSL_new(&ctx));
  if (ssl == nullptr || !expect_host(*ssl, host)) return nullptr;
  auto transport = std::make_unique<TlsTransport>(End::kClient, std::move(ssl), std::move(fd));
  return transport->open() ? std::move(transport) : nullptr;
}

}  // namespace bentohost::http
