// HttpClient, against a server of its own library and against sockets that misbehave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <bento/http_client.hpp>
#include <chrono>
#include <string>
#include <thread>

namespace {

using bento::detail::HttpUrl;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

void expect_url(const char* url, bool is_tls, const char* host, int port, const char* target) {
  const HttpUrl parsed = HttpUrl::parse(url);
  EXPECT_EQ(parsed.is_tls, is_tls) << url;
  EXPECT_EQ(parsed.host, host) << url;
  EXPECT_EQ(parsed.port, port) << url;
  EXPECT_EQ(parsed.target, target) << url;
}

TEST(HttpUrl, IsTakenApart) {
  expect_url("http://example.com", false, "example.com", 80, "/");
  expect_url("https://example.com/a%20b?c=d#e", true, "example.com", 443, "/a%20b?c=d");
  expect_url("http://127.0.0.1:8080?x", false, "127.0.0.1", 8080, "/?x");
  expect_url("http://[fe80::1]:81/", false, "fe80::1", 81, "/");
  expect_url("http://[::1]/", false, "::1", 80, "/");
}

TEST(HttpUrl, OneThatIsNoneIsRefusedWithTheReason) {
  for (const auto& [url, why] : {std::pair<const char*, const char*>{"ftp://a/", "http://"},
                                 {"example.com", "http://"},
                                 {"http://", "no host"},
                                 {"http://:80/", "no host"},
                                 {"http://a:0/", "port"},
                                 {"http://a:65536/", "port"},
                                 {"http://a:/", "port"},
                                 {"http://a:8x/", "port"},
                                 {"http://[::1/", "']'"},
                                 {"http://[::1]80/", "']'"},
                                 {"http://me@a/", "user names"},
                                 {"http://a/b c", "blank"},
                                 {"http://a/\r\nX: y", "control"}}) {
    try {
      (void)HttpUrl::parse(url);
      ADD_FAILURE() << url;
    } catch (const bento::Error& error) {
      EXPECT_EQ(error.code(), BENTO_INVALID_ARGUMENT) << url;
      EXPECT_THAT(error.what(), HasSubstr(why)) << url;
      EXPECT_THAT(error.what(), HasSubstr(url));
    }
  }
}

class HttpClientTest : public ::testing::Test {
 protected:
  HttpClientTest() {
    server_.Post("/echo", [](const httplib::Request& req, httplib::Response& res) {
      res.status = 202;
      res.set_header("X-Query", req.get_param_value("q"));
      res.set_header("X-Token", req.get_header_value("X-Token"));
      res.set_content(req.get_header_value("Content-Type") + " " + req.body, "text/plain");
    });
    server_.Get("/moved",
                [](const httplib::Request&, httplib::Response& res) { res.set_redirect("/echo"); });
    server_.Get("/long", [](const httplib::Request&, httplib::Response& res) {
      res.set_content(std::string(100'000, 'x'), "text/plain");
    });
    server_.Get("/drips", [](const httplib::Request&, httplib::Response& res) {
      res.set_chunked_content_provider("text/plain", [](std::size_t, httplib::DataSink& sink) {
        return sink.write("x", 1);  // each byte comes in good time, and there is no last one
      });
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~HttpClientTest() override {
    server_.stop();
    thread_.join();
  }

  std::string url(const std::string& target) const {
    return "http://127.0.0.1:" + std::to_string(port_) + target;
  }
  void expect_failure(const bento::HttpClient& client, const std::string& url, bento_code code,
                      const char* why) {
    try {
      (void)client.get(url);
      ADD_FAILURE() << url;
    } catch (const bento::Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(url));
      EXPECT_THAT(error.what(), HasSubstr(why));
    }
  }

  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

TEST_F(HttpClientTest, PostsJsonAndGetsTheAnswer) {
  const bento::HttpClient client{{.headers = {{"X-Token", "t"}}}};
  const bento::HttpAnswer answer = client.post_json(url("/echo?q=1%262"), "[1]");
  EXPECT_EQ(answer.status, 202);
  EXPECT_TRUE(answer.is_success());
  EXPECT_EQ(answer.body, "application/json [1]");
  EXPECT_EQ(answer.headers.get("x-query"), "1&2");
  EXPECT_EQ(answer.headers.get("x-token"), "t");
}

TEST_F(HttpClientTest, AnyStatusIsAnAnswerThatCheckThrows) {
  const bento::HttpClient client;
  EXPECT_EQ(client.get(url("/moved")).status, 302);
  const bento::HttpAnswer answer = client.get(url("/none"));
  EXPECT_EQ(answer.status, 404);
  EXPECT_THROW(answer.check(), bento::Error);
}

TEST_F(HttpClientTest, ARefusedConnectionIsUnavailable) {
  expect_failure(bento::HttpClient(), "http://127.0.0.1:1/", BENTO_UNAVAILABLE, "cannot connect");
}

TEST_F(HttpClientTest, AServerThatDoesNotAnswerIsNotWaitedForBeyondTheTimeout) {
  httplib::Server silent;  // it listens, and nobody accepts
  const int port = silent.bind_to_any_port("127.0.0.1");
  const bento::HttpClient client{{.timeout = milliseconds(50)}};
  expect_failure(client, "http://127.0.0.1:" + std::to_string(port) + "/", BENTO_DEADLINE_EXCEEDED,
                 "within 50 ms");
}

TEST_F(HttpClientTest, AnAnswerThatDripsIsNotWaitedForBeyondTheTimeout) {
  const bento::HttpClient client{{.timeout = milliseconds(100)}};
  expect_failure(client, url("/drips"), BENTO_DEADLINE_EXCEEDED, "within 100 ms");
}

TEST_F(HttpClientTest, AnAnswerIsBounded) {
  const bento::HttpClient client{{.max_answer = 50'000}};
  expect_failure(client, url("/long"), BENTO_RESOURCE_EXHAUSTED, "more than 50000 bytes");
}

}  // namespace
