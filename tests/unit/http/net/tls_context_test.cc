#include "http/net/tls_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "unit/http/socket_pair.h"
#include "unit/http/test_certificates.h"
#include "unit/http/tls_client.h"
#include "unit/http/tls_fixture.h"

namespace bentohost::http {
namespace {

using Kind = Received::Kind;
using testing::HasSubstr;
using testing::StartsWith;

class TlsContextTest : public TlsFixture {
 protected:
  static std::string fault_of(const TlsOptions& options) {
    const Result<std::shared_ptr<TlsContext>> made = TlsContext::create(options);
    EXPECT_EQ(made.status().code(), BENTO_INVALID_ARGUMENT);
    EXPECT_EQ(ERR_peek_error(), 0u);
    return made.status().message();
  }
  // Replaces both files that options() names.
  void install(const Identity& identity) const {
    folder_.certificate("cert.pem", identity);
    folder_.key("key.pem", identity);
  }
};

// A connection that was accepted.
struct Connection {
  explicit Connection(const TlsContext& tls) : Connection(tls, unix_pair()) {}
  Connection(const TlsContext& tls, SocketPair pair)
      : server(tls.accept(std::move(pair.ours))), client(std::move(pair.theirs)) {
    EXPECT_EQ(shake_hands(client, *server).kind, Kind::kAgain) << server->failure();
  }
  bool works() {
    std::string bytes;
    if (client.send("ping") != 4 || server->write("pong", {}).size != 4) return false;
    read_all(*server, bytes);
    return bytes == "ping" && client.receive() == "pong";
  }

  std::unique_ptr<Transport> server;
  TlsClient client;
};

std::string name_shown_by(const TlsContext& tls) { return Connection(tls).client.server_name(); }

TEST_F(TlsContextTest, TakesCertificateAndKeyFromOneFile) {
  std::ofstream(certfile_, std::ios::app) << std::ifstream(keyfile_).rdbuf();
  TlsOptions one = options();
  one.keyfile.clear();
  EXPECT_EQ(name_shown_by(*context(one)), "server");
}

TEST_F(TlsContextTest, SendsTheChainOfItsCertificate) {
  const Identity ca = make_identity("the CA");
  const Identity leaf = make_identity("leaf", &ca);
  install(leaf);
  std::ofstream(certfile_, std::ios::app)
      << std::ifstream(folder_.certificate("ca.pem", ca)).rdbuf();
  const Connection connection(*context(options()));
  EXPECT_EQ(connection.client.server_name(), "leaf");
  EXPECT_EQ(sk_X509_num(SSL_get_peer_cert_chain(connection.client.ssl())), 2);
}

TEST_F(TlsContextTest, OpensAnEncryptedKeyWithItsPassword) {
  folder_.key("key.pem", identity_, "sesame");
  TlsOptions locked = options();
  locked.keyfile_password = "sesame";
  EXPECT_EQ(name_shown_by(*context(locked)), "server");

  locked.keyfile_password = "simsim";
  EXPECT_THAT(fault_of(locked),
              StartsWith("private key file " + keyfile_ + ": the password does not open it ("));
  locked.keyfile_password = std::string(5000, 'x');
  EXPECT_THAT(fault_of(locked), HasSubstr("the password does not open it"));
  locked.keyfile_password.clear();
  EXPECT_EQ(fault_of(locked),
            "private key file " + keyfile_ + ": it is encrypted, and there is no password");
}

TEST_F(TlsContextTest, IgnoresAPasswordThatNothingNeeds) {
  TlsOptions more = options();
  more.keyfile_password = "sesame";
  EXPECT_EQ(name_shown_by(*context(more)), "server");
}

TEST_F(TlsContextTest, NamesTheFileThatIsMissing) {
  const std::string missing = folder_.file("missing.pem");
  const std::string why = missing + ": No such file or directory";
  TlsOptions bad = options();
  bad.certfile = missing;
  EXPECT_EQ(fault_of(bad), "certificate file " + why);
  bad = options();
  bad.keyfile = missing;
  EXPECT_EQ(fault_of(bad), "private key file " + why);
  bad = options();
  bad.ca_certs = missing;
  EXPECT_EQ(fault_of(bad), "CA certificates file " + why);
  EXPECT_EQ(fault_of({}), "TLS needs a certificate file");
}

// Some of the reasons are OpenSSL's own texts, and change with its versions.
TEST_F(TlsContextTest, NamesTheFileThatIsOfNoUse) {
  const std::string text = folder_.text("text.pem", "to be done\n");
  const std::string broken =
      folder_.text("broken.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
  TlsOptions bad = options();
  for (const std::string& path : {text, keyfile_}) {
    bad.certfile = path;
    EXPECT_EQ(fault_of(bad), "certificate file " + path + ": not PEM, or PEM of something else");
  }
  bad.certfile = broken;
  EXPECT_THAT(fault_of(bad), StartsWith("certificate file " + broken + ": "));
  bad = options();
  for (const std::string& path : {text, certfile_, folder_.file("")}) {
    bad.keyfile = path;
    EXPECT_THAT(fault_of(bad),
                StartsWith("private key file " + path + ": no key can be read from it: "));
  }
  bad = options();
  for (const std::string& path : {text, broken, keyfile_, folder_.file("")}) {
    bad.ca_certs = path;
    EXPECT_THAT(fault_of(bad), StartsWith("CA certificates file " + path + ": "));
  }
}

TEST_F(TlsContextTest, NamesAKeyThatIsNotTheCertificates) {
  TlsOptions bad = options();
  bad.keyfile = folder_.key("other.pem", make_identity("other"));
  EXPECT_THAT(fault_of(bad),
              StartsWith("private key file " + bad.keyfile +
                         ": it is not the key of the certificate in " + certfile_ + " ("));
  const Identity rsa{nullptr, {EVP_RSA_gen(2048), EVP_PKEY_free}};
  bad.keyfile = folder_.key("rsa.pem", rsa);
  EXPECT_THAT(fault_of(bad), HasSubstr("it is not the key of the certificate in " + certfile_));
}

TEST_F(TlsContextTest, NamesCiphersThatThereAreNot) {
  TlsOptions bad = options();
  bad.ciphers = "ROT13";
  EXPECT_EQ(fault_of(bad),
            "cipher list \"ROT13\": no cipher match; it is for TLS 1.2, as `openssl ciphers` takes "
            "it");
  bad.ciphers = "TLSv1";  // BentoML's default
  context(bad);
}

TEST_F(TlsContextTest, CannotVerifyClientsWithoutACa) {
  TlsOptions bad = options();
  bad.cert_reqs = ClientCertificates::kOptional;
  EXPECT_EQ(fault_of(bad),
            "certificates of clients cannot be verified without a CA certificates file");
}

TEST_F(TlsContextTest, AReloadIsForNewConnections) {
  const auto tls = context(options());
  Connection before(*tls);
  install(make_identity("renewed"));
  EXPECT_EQ(name_shown_by(*tls), "server");
  const Status status = tls->reload();
  ASSERT_TRUE(status.ok()) << status.message();
  Connection after(*tls);
  EXPECT_EQ(before.client.server_name(), "server");
  EXPECT_TRUE(before.works());
  EXPECT_EQ(after.client.server_name(), "renewed");
  EXPECT_TRUE(after.works());
}

TEST_F(TlsContextTest, AReloadIsForHandshakesThatBeginAfterIt) {
  const auto tls = context(options());
  SocketPair pair = unix_pair();
  const auto server = tls->accept(std::move(pair.ours));
  install(make_identity("renewed"));
  ASSERT_TRUE(tls->reload().ok());
  TlsClient client(std::move(pair.theirs));
  EXPECT_EQ(shake_hands(client, *server).kind, Kind::kAgain);
  EXPECT_EQ(client.server_name(), "server");
}

TEST_F(TlsContextTest, AReloadThatFailsKeepsWhatWas) {
  const auto tls = context(options());
  Connection before(*tls);
  folder_.certificate("cert.pem", make_identity("renewed"));  // with the old key
  EXPECT_THAT(tls->reload().message(), HasSubstr("it is not the key of the certificate"));
  EXPECT_EQ(name_shown_by(*tls), "server");
  EXPECT_TRUE(before.works());
  std::filesystem::remove(certfile_);
  EXPECT_THAT(tls->reload().message(), HasSubstr("No such file or directory"));
  EXPECT_EQ(name_shown_by(*tls), "server");

  install(make_identity("at last"));
  EXPECT_TRUE(tls->reload().ok());
  EXPECT_EQ(name_shown_by(*tls), "at last");
}

TEST_F(TlsContextTest, ConnectionsOutliveIt) {
  auto tls = context(options());
  Connection connection(*tls);
  tls.reset();
  EXPECT_TRUE(connection.works());
}

TEST_F(TlsContextTest, AcceptsWhileItIsReloaded) {
  const auto tls = context(options());
  std::atomic<bool> done = false;
  std::thread operator_([&] {
    while (!done) EXPECT_TRUE(tls->reload().ok());
  });
  std::thread other_loop([&] {
    for (int i = 0; i < 20; ++i) EXPECT_EQ(name_shown_by(*tls), "server");
  });
  for (int i = 0; i < 20; ++i) EXPECT_EQ(name_shown_by(*tls), "server");
  other_loop.join();
  done = true;
  operator_.join();
}

TEST(TlsOptions, VersionsAreBentoMlsNumberOrNames) {
  EXPECT_EQ(*parse_tls_version("1.2"), TlsVersion::k12);
  EXPECT_EQ(*parse_tls_version("17"), TlsVersion::k12);
  EXPECT_EQ(*parse_tls_version("1.3"), TlsVersion::k13);
  EXPECT_EQ(parse_tls_version("1.1").status().message(),
            "TLS version \"1.1\": it is 1.2, 1.3, or 17 for 1.2 and later");
  EXPECT_FALSE(parse_tls_version("").ok());
}

TEST(TlsOptions, ClientCertificatesArePythonsNumbers) {
  EXPECT_EQ(*parse_client_certificates("0"), ClientCertificates::kNone);
  EXPECT_EQ(*parse_client_certificates("1"), ClientCertificates::kOptional);
  EXPECT_EQ(*parse_client_certificates("2"), ClientCertificates::kRequired);
  for (const std::string_view bad : {"", "3", "-1", "02", "required"}) {
    EXPECT_EQ(parse_client_certificates(bad).status().code(), BENTO_INVALID_ARGUMENT) << bad;
  }
}

}  // namespace
}  // namespace bentohost::http
