// Which clients a TLS listener accepts, and the subject that it reports.
#include <gtest/gtest.h>

#include <algorithm>

#include "unit/http/socket_pair.h"
#include "unit/http/tls_client.h"
#include "unit/http/tls_fixture.h"

namespace bentohost::http {
namespace {

using Kind = Received::Kind;
using State = TlsClient::State;

// The server trusts one CA; a client may have a certificate from it, or from another.
class TlsClientCertificates : public TlsFixture {
 protected:
  TlsOptions asking(ClientCertificates wanted) const {
    TlsOptions with_ca = options();
    with_ca.ca_certs = folder_.certificate("ca.pem", ca_);
    with_ca.cert_reqs = wanted;
    return with_ca;
  }
  void meet_as(ClientCertificates wanted, const Identity* shown, int version = TLS1_3_VERSION) {
    meet(asking(wanted), {.min_version = version, .max_version = version, .identity = shown});
    last_ = shake_hands(*client_, *server_).kind;
  }

  const Identity ca_ = make_identity("the CA");
  const Identity other_ca_ = make_identity("another CA");
  const Identity ada_ = make_identity("Ada, or so\n", &ca_);
  const Identity mallory_ = make_identity("mallory", &other_ca_);
  Kind last_{};
};

TEST_F(TlsClientCertificates, RequiredOnesLetInWhoeverHasOne) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    meet_as(ClientCertificates::kRequired, &ada_, version);
    EXPECT_EQ(last_, Kind::kAgain) << server_->failure();
    EXPECT_EQ(server_->client_subject(), "CN=Ada\\, or so\\0A");
    meet_as(ClientCertificates::kRequired, nullptr, version);
    EXPECT_EQ(last_, Kind::kBroken);
    EXPECT_EQ(server_->failure(), "peer did not return a certificate");
    EXPECT_EQ(server_->client_subject(), "");
    client_->receive();
    EXPECT_EQ(client_->state(), State::kFailed);
    meet_as(ClientCertificates::kRequired, &mallory_, version);
    EXPECT_EQ(last_, Kind::kBroken);
    EXPECT_EQ(server_->failure(), "certificate verify failed");
    EXPECT_EQ(server_->client_subject(), "");
  }
}

TEST_F(TlsClientCertificates, OptionalOnesAreVerifiedWhenTheyAreShown) {
  meet_as(ClientCertificates::kOptional, &ada_);
  EXPECT_EQ(last_, Kind::kAgain);
  EXPECT_EQ(server_->client_subject(), "CN=Ada\\, or so\\0A");
  meet_as(ClientCertificates::kOptional, nullptr);
  EXPECT_EQ(last_, Kind::kAgain);
  EXPECT_EQ(server_->client_subject(), "");
  meet_as(ClientCertificates::kOptional, &mallory_);
  EXPECT_EQ(last_, Kind::kBroken);
}

TEST_F(TlsClientCertificates, AreNotAskedForUnlessWanted) {
  for (const Identity* shown : {&ada_, &mallory_}) {
    meet_as(ClientCertificates::kNone, shown);
    EXPECT_EQ(last_, Kind::kAgain);
    EXPECT_EQ(server_->client_subject(), "");
  }
}

TEST_F(TlsClientCertificates, SayNothingBeforeTheHandshakeIsDone) {
  SocketPair near = unix_pair();
  SocketPair far = unix_pair();
  server_ = context(asking(ClientCertificates::kRequired))->accept(std::move(near.ours));
  client_.emplace(std::move(far.ours), TlsClientOptions{.identity = &ada_});
  std::array<char, 16384> bytes{};
  const auto carry = [&bytes](const UniqueFd& from, const UniqueFd& to, std::size_t all_but) {
    const ssize_t n = recv(from.get(), bytes.data(), bytes.size(), 0);
    ASSERT_GT(n, static_cast<ssize_t>(all_but));
    const std::size_t size = static_cast<std::size_t>(n) - all_but;
    ASSERT_EQ(send(to.get(), bytes.data(), size, 0), static_cast<ssize_t>(size));
    std::copy_n(&bytes[size], all_but, bytes.data());
  };
  char byte = 0;
  client_->handshake();
  carry(far.theirs, near.theirs, 0);
  EXPECT_EQ(server_->read(&byte, 1).kind, Kind::kAgain);
  carry(near.theirs, far.theirs, 0);
  client_->handshake();
  carry(far.theirs, near.theirs, 5);  // most of the client's Finished
  EXPECT_EQ(server_->read(&byte, 1).kind, Kind::kAgain);
  EXPECT_EQ(server_->client_subject(), "");
  ASSERT_EQ(send(near.theirs.get(), bytes.data(), 5, 0), 5);
  EXPECT_EQ(server_->read(&byte, 1).kind, Kind::kAgain);
  EXPECT_EQ(server_->client_subject(), "CN=Ada\\, or so\\0A");
}

TEST_F(TlsClientCertificates, TellClientsWhichCaIsKnown) {
  meet_as(ClientCertificates::kRequired, &ada_);
  const STACK_OF(X509_NAME)* names = SSL_get_client_CA_list(client_->ssl());
  ASSERT_EQ(sk_X509_NAME_num(names), 1);
  EXPECT_EQ(
      X509_NAME_cmp(sk_X509_NAME_value(names, 0), X509_get_subject_name(ca_.certificate.get())), 0);
}

TEST_F(TlsClientCertificates, AreRememberedInASessionUntilAReload) {
  const auto tls = context(asking(ClientCertificates::kRequired));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    std::shared_ptr<SSL_SESSION> session;
    const auto resumes = [&] {
      SocketPair pair = unix_pair();
      server_ = tls->accept(std::move(pair.ours));
      client_.emplace(std::move(pair.theirs), TlsClientOptions{.min_version = version,
                                                               .max_version = version,
                                                               .identity = &ada_,
                                                               .session = session.get()});
      EXPECT_EQ(shake_hands(*client_, *server_).kind, Kind::kAgain) << server_->failure();
      client_->receive();  // TLS 1.3's tickets come after the handshake
      session.reset(SSL_get1_session(client_->ssl()), SSL_SESSION_free);
      client_->close_notify();  // without it the session could not be resumed
      EXPECT_EQ(server_->client_subject(), "CN=Ada\\, or so\\0A");
      return SSL_session_reused(client_->ssl()) == 1;
    };
    EXPECT_FALSE(resumes());
    EXPECT_TRUE(resumes());
    ASSERT_TRUE(tls->reload().ok());
    EXPECT_FALSE(resumes());
  }
}

}  // namespace
}  // namespace bentohost::http
