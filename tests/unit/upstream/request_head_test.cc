#include "upstream/request_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "http/parse/target.h"

namespace bentohost::upstream {
namespace {

// As the proxy asks: a request without a body that arrives has one that is whole.
BodyFraming framing_of(const http::Request& request) {
  return body_framing(request,
                      request.is_arriving ? std::nullopt : std::optional(request.body.size()));
}

using testing::HasSubstr;
using testing::Not;

http::Request request_to(const std::string& target, std::string method = "GET") {
  http::Request request;
  http::Target parsed;
  EXPECT_TRUE(http::parse_target(method, target, parsed).ok()) << target;
  request.method = std::move(method);
  request.target = target;
  request.path = parsed.path;
  request.query = parsed.query;
  request.version = "HTTP/1.1";
  request.client = "192.0.2.7:51034";
  request.server = "127.0.0.1:3000";
  request.headers = {{"host", "example.com"}};
  return request;
}

UpstreamOptions mounted_at(std::string root_path, bool strips = true) {
  UpstreamOptions options;
  options.name = root_path.empty() ? "/" : root_path;
  options.root_path = std::move(root_path);
  options.strips_prefix = strips;
  return options;
}

std::string head_of(const http::Request& request, const UpstreamOptions& options) {
  std::string head;
  append_request_head(request, options, {"id-1"}, framing_of(request), head);
  return head;
}

TEST(RequestHead, StripsThePrefixFromTheRawTarget) {
  struct Row {
    std::string root_path, target, stripped;
  };
  for (const Row& row : std::vector<Row>{
           {"", "/", "/"},
           {"", "/x?y", "/x?y"},
           {"/p", "/p", "/"},
           {"/p", "/p?x=1", "/?x=1"},
           {"/p", "/p/", "/"},
           {"/p", "/p/x", "/x"},
           {"/p", "/p//x", "//x"},
           {"/p", "/p/a%2Fb%20c?d=%2F", "/a%2Fb%20c?d=%2F"},
           {"/p", "/p/%c3%a9", "/%c3%a9"},
           {"/p", "/p/x?", "/x?"},
           {"/p", "/p/x?a?b", "/x?a?b"},
           {"/p/q", "/p/q/r", "/r"},
           {"/p", "/%70/x%2fy", "/x%2fy"},
           {"/p", "http://example.com/p/x?y", "/x?y"},
           {"/p", "/px", "/px"},  // another mount's; never sent here
           // With dot segments it is the path that routing and middleware have seen.
           {"/p", "/p/a/../b%20?q", "/b%20?q"},
           {"/p", "/p/a/%2e%2e/b", "/b"},
           {"/p", "/x/../p/y", "/y"},
           {"", "/admin/../x", "/x"},
           {"", "/a/./b", "/a/b"},
           {"/p", "/p%2Fx", "/x"},
           {"/e e", "/e%20e/x", "/x"},
       }) {
    EXPECT_EQ(app_target(request_to(row.target), mounted_at(row.root_path)), row.stripped)
        << row.target;
  }
}

TEST(RequestHead, KeepsTheWholeTargetForWsgi) {
  for (const std::string target : {"/p", "/p/", "/p//x%2F?y=1", "/p?"}) {
    EXPECT_EQ(app_target(request_to(target), mounted_at("/p", false)), target);
  }
  EXPECT_EQ(app_target(request_to("/p/a/../b"), mounted_at("/p", false)), "/p/b");
}

TEST(RequestHead, MakesTheTargetAnewIfMiddlewareHasChangedThePath) {
  http::Request request = request_to("/p/old?q=%20");
  request.path = "/p/new path/%?#\xc3\xa9";
  EXPECT_EQ(app_target(request, mounted_at("/p")), "/new%20path/%25%3F%23%C3%A9?q=%20");
  EXPECT_EQ(app_target(request, mounted_at("/p", false)), "/p/new%20path/%25%3F%23%C3%A9?q=%20");
  request.path = "/p";
  EXPECT_EQ(app_target(request, mounted_at("/p")), "/?q=%20");
  request.path = "/p/old";
  request.query = "r=1";
  EXPECT_EQ(app_target(request, mounted_at("/p")), "/old?r=1");
}

TEST(RequestHead, PassesTheAsteriskOn) {
  EXPECT_EQ(app_target(request_to("*", "OPTIONS"), mounted_at("")), "*");
}

TEST(RequestHead, ReplacesWhatTheClientSaysAboutItself) {
  http::Request request = request_to("/p/x");
  request.headers = {{"host", "example.com:8080"},  {"x-forwarded-for", "evil"},
                     {"x-forwarded-proto", "evil"}, {"x-forwarded-host", "evil"},
                     {"x-forwarded-port", "evil"},  {"x-forwarded-prefix", "evil"},
                     {"x-forwarded-ssl", "evil"},   {"x-real-ip", "evil"},
                     {"forwarded", "evil"},         {"x-request-id", "evil"},
                     {"x_real_ip", "evil"},         {"script_name", "evil"},
                     {"traceparent", "00-1-2-01"},  {"cookie", "a=b"}};
  EXPECT_EQ(head_of(request, mounted_at("/p")),
            "GET /x HTTP/1.1\r\n"
            "host: example.com:8080\r\n"
            "traceparent: 00-1-2-01\r\n"
            "cookie: a=b\r\n"
            "x-forwarded-for: 192.0.2.7\r\n"
            "x-real-ip: 192.0.2.7\r\n"
            "x-forwarded-proto: http\r\n"
            "x-forwarded-host: example.com:8080\r\n"
            "x-forwarded-port: 8080\r\n"
            "x-forwarded-prefix: /p\r\n"
            "forwarded: for=192.0.2.7;host=\"example.com:8080\";proto=http\r\n"
            "x-request-id: id-1\r\n"
            "\r\n");
}

TEST(RequestHead, NamesTheClientByItsAddressAlone) {
  http::Request request = request_to("/");
  request.scheme = "https";
  request.client = "[2001:db8::1%eth0]:80";
  const std::string six = head_of(request, mounted_at(""));
  EXPECT_THAT(six, HasSubstr("\r\nx-forwarded-for: 2001:db8::1\r\n"));
  EXPECT_THAT(six, HasSubstr("\r\nforwarded: for=\"[2001:db8::1]\";host=\"example.com\";"
                             "proto=https\r\n"));
  EXPECT_THAT(six, HasSubstr("\r\nx-forwarded-port: 443\r\n"));
  EXPECT_THAT(six, Not(HasSubstr("x-forwarded-prefix")));
  request.client = "unix";
  const std::string local = head_of(request, mounted_at(""));
  EXPECT_THAT(local, Not(HasSubstr("x-forwarded-for")));
  EXPECT_THAT(local, Not(HasSubstr("x-real-ip")));
  EXPECT_THAT(local, HasSubstr("forwarded: for=unknown;"));
  request.headers[0].value = "[::1]";
  EXPECT_THAT(head_of(request, mounted_at("")), HasSubstr("x-forwarded-port: 443\r\n"));
  request.headers[0].value = "[::1]:99";
  EXPECT_THAT(head_of(request, mounted_at("")), HasSubstr("x-forwarded-port: 99\r\n"));
}

TEST(RequestHead, DropsTheFieldsOfTheClientsConnection) {
  http::Request request = request_to("/");
  request.headers.insert(request.headers.end(), {{"connection", "close, X-Named , host,te"},
                                                 {"x-named", "1"},
                                                 {"keep-alive", "5"},
                                                 {"proxy-connection", "x"},
                                                 {"te", "trailers"},
                                                 {"trailer", "x"},
                                                 {"upgrade", "h2c"},
                                                 {"expect", "100-continue"},
                                                 {"x-kept", "1"}});
  const std::string head = head_of(request, mounted_at(""));
  for (const char* name : {"connection", "x-named", "keep-alive", "te:", "trailer", "upgrade",
                           "expect", "content-length", "transfer-encoding"}) {
    EXPECT_THAT(head, Not(HasSubstr("\n" + std::string(name))));
  }
  EXPECT_THAT(head, HasSubstr("\r\nhost: example.com\r\nx-kept: 1\r\n"));
}

TEST(RequestHead, PassesOnlyWebSocketUpgradesOn) {
  const auto asks = [](const std::string& upgrade, const std::string& connection) {
    http::Request request = request_to("/");
    request.headers.push_back({"upgrade", upgrade});
    request.headers.push_back({"connection", connection});
    return request;
  };
  for (const char* upgrade : {"websocket", "WebSocket", "h2c, websocket"}) {
    const http::Request request = asks(upgrade, "keep-alive, UPGRADE");
    EXPECT_TRUE(wants_websocket(request));
    const std::string head = head_of(request, mounted_at(""));
    EXPECT_THAT(head, HasSubstr("\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n"));
    EXPECT_THAT(head, HasSubstr("\r\nx-forwarded-proto: ws\r\n"));
    EXPECT_THAT(head_of(request, mounted_at("", false)),
                HasSubstr("\r\nx-forwarded-proto: http\r\n"));
  }
  http::Request secure = asks("websocket", "upgrade");
  secure.scheme = "https";
  EXPECT_THAT(head_of(secure, mounted_at("")), HasSubstr("\r\nx-forwarded-proto: wss\r\n"));
  EXPECT_FALSE(wants_websocket(asks("h2c", "upgrade")));
  EXPECT_FALSE(wants_websocket(asks("websocket", "close")));
  http::Request posted = asks("websocket", "upgrade");
  posted.method = "POST";
  EXPECT_FALSE(wants_websocket(posted));
}

TEST(RequestHead, FramesTheBodyAnew) {
  using Kind = BodyFraming::Kind;
  http::Request request = request_to("/", "POST");
  EXPECT_EQ(framing_of(request).kind, Kind::kNone);
  request.body = "abc";
  EXPECT_EQ(framing_of(request).kind, Kind::kSized);
  EXPECT_EQ(framing_of(request).length, 3u);
  request.headers.push_back({"transfer-encoding", "chunked"});
  EXPECT_THAT(head_of(request, mounted_at("")), HasSubstr("\r\ncontent-length: 3\r\n\r\n"));

  http::Request empty = request_to("/", "POST");
  empty.headers.push_back({"content-length", "0"});
  EXPECT_THAT(head_of(empty, mounted_at("")), HasSubstr("\r\ncontent-length: 0\r\n\r\n"));

  http::Request arriving = request_to("/", "POST");
  arriving.is_arriving = true;
  EXPECT_EQ(framing_of(arriving).kind, Kind::kChunked);
  arriving.headers.push_back({"content-length", "70"});
  EXPECT_EQ(framing_of(arriving).kind, Kind::kSized);
  EXPECT_EQ(framing_of(arriving).length, 70u);
}

TEST(RequestHead, GivesAnOldClientsRequestAHost) {
  http::Request request = request_to("/");
  request.version = "HTTP/1.0";
  request.headers.clear();
  EXPECT_THAT(head_of(request, mounted_at("")), HasSubstr("\r\nhost: 127.0.0.1:3000\r\n"));
  request.server = "unix:/run/s";
  EXPECT_THAT(head_of(request, mounted_at("")), HasSubstr("\r\nhost: localhost\r\n"));
}

}  // namespace
}  // namespace bentohost::upstream
