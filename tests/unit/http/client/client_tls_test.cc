#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <thread>

#include "http/net/tls_context.h"
#include "unit/http/client/client_fixture.h"
#include "unit/http/test_certificates.h"

namespace bentohost::http {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

void add_names(Identity& identity, const char* names) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names);
  ASSERT_NE(extension, nullptr);
  X509_add_ext(identity.certificate.get(), extension, -1);
  X509_EXTENSION_free(extension);
}

// A server with TLS that answers each request with what it was sent for.
class TlsServer {
 public:
  TlsServer(const std::string& certificate, const std::string& key) {
    TlsOptions options;
    options.certfile = certificate;
    options.keyfile = key;
    context_ = *TlsContext::create(options);
    thread_ = std::thread([this] { run(); });
  }
  ~TlsServer() {
    stops_ = true;
    thread_.join();
  }
  std::string url(const std::string& host) const {
    return "https://" + host + ":" + std::to_string(server_.port()) + "/";
  }
  std::uint16_t port() const { return server_.port(); }
  int connections() const { return connections_; }

 private:
  void run() {
    while (!stops_) {
      if (!server_.has_connection(10)) continue;
      ++connections_;
      serve(context_->accept(server_.accept().take()));
    }
  }
  void serve(std::unique_ptr<Transport> transport) {
    std::string in, out;
    // One connection at a time.
    while (!stops_ && !(in.empty() && out.empty() && server_.has_connection(0))) {
      pollfd one{transport->fd(), POLLIN, 0};
      ::poll(&one, 1, 10);
      std::array<char, 4096> buffer{};
      const Received received = transport->read(buffer.data(), buffer.size());
      if (received.kind == Received::Kind::kBytes) in.append(buffer.data(), received.size);
      if (in.ends_with("\r\n\r\n")) {
        in.clear();
        out += "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret";
      }
      out.erase(0, transport->write(out, {}).size);
      if (received.kind == Received::Kind::kEnd || received.kind == Received::Kind::kBroken) return;
    }
  }

  LocalServer server_;
  std::shared_ptr<TlsContext> context_;
  std::atomic<bool> stops_ = false;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

class ClientTlsTest : public ClientTest {
 protected:
  ClientTlsTest() {
    ca_ = make_identity("a CA of the test");
    ::setenv("SSL_CERT_FILE", folder_.certificate("ca.pem", ca_).c_str(), 1);
    ::setenv("SSL_CERT_DIR", "/nonexistent", 1);
  }
  ~ClientTlsTest() override {
    ::unsetenv("SSL_CERT_FILE");
    ::unsetenv("SSL_CERT_DIR");
  }

  // `change`: before it is signed, again.
  std::unique_ptr<TlsServer> serve(const char* names, const Identity* issuer,
                                   const std::function<void(X509*)>& change = {}) {
    Identity identity = make_identity("the server", issuer);
    add_names(identity, names);
    if (change) change(identity.certificate.get());
    const Identity& signer = issuer == nullptr ? identity : *issuer;
    EXPECT_GT(X509_sign(identity.certificate.get(), signer.key.get(), EVP_sha256()), 0);
    return std::make_unique<TlsServer>(folder_.certificate("server.pem", identity),
                                       folder_.key("server.key", identity));
  }
  std::string failure(const std::string& url) {
    const auto answer = get(url);
    answer->wait();
    EXPECT_EQ(answer->kind(), "tls");
    EXPECT_EQ(answer->status().http_status(), 502u);
    return answer->message();
  }

  CertificateFolder folder_;
  Identity ca_;
};

TEST_F(ClientTlsTest, SpeaksToAServerThatIsWhoItShouldBe) {
  const auto server = serve("DNS:localhost,IP:127.0.0.1", &ca_);
  for (int i = 0; i < 3; ++i) {
    const auto answer = get(server->url("127.0.0.1"));
    answer->wait();
    ASSERT_TRUE(answer->status().ok()) << answer->message();
    EXPECT_EQ(answer->body(), "secret");
  }
  EXPECT_EQ(server->connections(), 1);
}

TEST_F(ClientTlsTest, ChecksTheNameToo) {
  const auto server = serve("DNS:good.test", &ca_);
  client({}, [&](const std::string&, std::uint16_t) {
    return numeric_address("127.0.0.1", server->port());
  });
  EXPECT_TRUE(get(server->url("good.test"))->wait().status().ok());
  const std::string message = failure(server->url("bad.test"));
  EXPECT_THAT(message, StartsWith("https://bad.test:"));
  EXPECT_THAT(message, HasSubstr(": its certificate is for another host"));
  EXPECT_THAT(failure(server->url("127.0.0.1")), HasSubstr("for another host"));
}

TEST_F(ClientTlsTest, RefusesACertificateOfAnUnknownCa) {
  const Identity other = make_identity("another CA");
  const auto server = serve("IP:127.0.0.1", &other);
  EXPECT_THAT(failure(server->url("127.0.0.1")),
              HasSubstr("not signed by a CA that this system trusts"));
}

TEST_F(ClientTlsTest, RefusesASelfSignedCertificate) {
  const auto server = serve("IP:127.0.0.1", nullptr);
  EXPECT_THAT(failure(server->url("127.0.0.1")),
              HasSubstr("not signed by a CA that this system trusts"));
}

TEST_F(ClientTlsTest, RefusesAnExpiredCertificateAndOneThatIsNotValidYet) {
  {
    const auto server = serve("IP:127.0.0.1", &ca_, [](X509* certificate) {
      X509_gmtime_adj(X509_getm_notAfter(certificate), -60);
    });
    EXPECT_THAT(failure(server->url("127.0.0.1")), HasSubstr("its certificate has expired"));
  }
  const auto server = serve("IP:127.0.0.1", &ca_, [](X509* certificate) {
    X509_gmtime_adj(X509_getm_notBefore(certificate), 60);
  });
  EXPECT_THAT(failure(server->url("127.0.0.1")), HasSubstr("is not valid yet"));
}

TEST_F(ClientTlsTest, TellsAServerWithoutTls) {
  const LocalServer server;
  const auto answer = get("https://127.0.0.1:" + std::to_string(server.port()) + "/");
  Peer peer = server.accept();
  peer.read_some();
  peer.write("HTTP/1.1 400 Bad Request\r\n\r\n");
  answer->wait();
  EXPECT_EQ(answer->kind(), "tls");
  EXPECT_THAT(answer->message(), HasSubstr("it does not speak TLS"));
}

TEST_F(ClientTlsTest, TellsAHandshakeThatIsBrokenOff) {
  const LocalServer server;
  const auto answer = get("https://127.0.0.1:" + std::to_string(server.port()) + "/");
  Peer peer = server.accept();
  peer.read_some();
  peer.close();
  EXPECT_EQ(answer->wait().kind(), "tls");
}

TEST_F(ClientTlsTest, BoundsTheTimeOfTheHandshake) {
  const LocalServer server;
  FetchRequest asked = request("https://127.0.0.1:" + std::to_string(server.port()) + "/");
  asked.limits.connect_timeout = std::chrono::milliseconds(100);
  const auto answer = send(std::move(asked));
  Peer peer = server.accept();
  EXPECT_THAT(answer->wait().message(), HasSubstr(": no connection within 0.1 s"));
}

}  // namespace
}  // namespace bentohost::http
