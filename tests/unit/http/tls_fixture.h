// TlsFixture: one TLS server and one client at the two ends of a Unix socket pair that never
// blocks.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "http/net/tls_context.h"
#include "unit/http/socket_pair.h"
#include "unit/http/test_certificates.h"
#include "unit/http/tls_client.h"

namespace bentohost::http {

class TlsFixture : public testing::Test {
 protected:
  TlsOptions options() const {
    TlsOptions options;
    options.certfile = certfile_;
    options.keyfile = keyfile_;
    return options;
  }
  std::shared_ptr<TlsContext> context(const TlsOptions& options) const {
    Result<std::shared_ptr<TlsContext>> made = TlsContext::create(options);
    EXPECT_TRUE(made.ok()) << made.status().message();
    return *made;
  }
  void meet(const TlsOptions& server_options, const TlsClientOptions& client_options = {}) {
    SocketPair pair = unix_pair();
    server_ = context(server_options)->accept(std::move(pair.ours));
    client_.emplace(std::move(pair.theirs), client_options);
  }
  // The same, with the handshake.
  void connect(const TlsClientOptions& client_options = {}) {
    meet(options(), client_options);
    ASSERT_EQ(shake_hands(*client_, *server_).kind, Received::Kind::kAgain) << server_->failure();
    ASSERT_EQ(client_->state(), TlsClient::State::kOk) << client_->failure();
  }
  std::string server_reads() {
    std::string bytes;
    read_all(*server_, bytes);
    return bytes;
  }

  CertificateFolder folder_;
  const Identity identity_ = make_identity("server");
  const std::string certfile_ = folder_.certificate("cert.pem", identity_);
  const std::string keyfile_ = folder_.key("key.pem", identity_);
  std::unique_ptr<Transport> server_;
  std::optional<TlsClient> client_;
};

}  // namespace bentohost::http
