#include "http/parse/target.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bentohost::http {
namespace {

// The path of `target` for a GET, or "refused".
std::string path_of(std::string_view target) {
  Target out;
  const Status status = parse_target("GET", target, out);
  if (status.ok()) return out.path;
  EXPECT_EQ(status.http_status(), 400u) << target;
  EXPECT_NE(status.message(), "") << target;
  EXPECT_EQ(out.path + out.query + out.authority, "") << target;
  return "refused";
}

using Paths = std::vector<std::pair<std::string, std::string>>;

void expect(const Paths& paths) {
  for (const auto& [target, path] : paths) EXPECT_EQ(path_of(target), path) << target;
}

// RFC 9112 3.2.1

TEST(Target, SplitsTheOriginFormAtTheFirstQuestionMark) {
  Target out;
  ASSERT_TRUE(parse_target("GET", "/a/b?x=1&y=/../?z%2", out).ok());
  EXPECT_EQ(out.path, "/a/b");
  EXPECT_EQ(out.query, "x=1&y=/../?z%2");  // raw
  EXPECT_EQ(out.authority, "");
  ASSERT_TRUE(parse_target("GET", "/?", out).ok());
  EXPECT_EQ(out.path, "/");
  EXPECT_EQ(out.query, "");
}

TEST(Target, KeepsAPathAsItIsByteForByte) {
  for (const char* path :
       {"/", "//", "//x", "/x//y", "/x/", "/a+b", "/A", "/iris.v2:predict", "/a.b/c", "/a.", "/a..",
        "/...", "/.a", "/..a", "/a/...", "/.well-known/x", "/~!@$&'()*+,;=:", "/{x}", "/\\..\\"}) {
    EXPECT_EQ(path_of(path), path);
  }
}

TEST(Target, ForgetsThePreviousTargetAndKeepsItsMemory) {
  Target out;
  ASSERT_TRUE(parse_target("GET", "http://host/" + std::string(100, 'a') + "?query", out).ok());
  const std::size_t capacity = out.path.capacity();
  ASSERT_TRUE(parse_target("GET", "/x", out).ok());
  EXPECT_EQ(out.path, "/x");
  EXPECT_EQ(out.query, "");
  EXPECT_EQ(out.authority, "");
  EXPECT_EQ(out.path.capacity(), capacity);
}

// RFC 3986 2.1

TEST(Target, DecodesThePathOnce) {
  expect({{"/a%20b", "/a b"},
          {"/%61%4a%4A", "/aJJ"},
          {"/a%2fb", "/a/b"},
          {"/a%3Fb", "/a?b"},
          {"/a%23b", "/a#b"},
          {"/a%2Bb+c", "/a+b+c"},
          {"/%c3%a9", "/\xc3\xa9"},
          {"/%ff", "/\xff"},
          {"/%01%0d%0a%7F", "/\x01\r\n\x7f"},
          {"/%2561", "/%61"},
          {"/%252e%252e/x", "/%2e%2e/x"},
          {"/%25", "/%"}});
}

TEST(Target, RefusesBrokenEscapesAndNul) {
  for (const char* target : {"/%", "/%2", "/%2?x", "/%zz", "/%2g", "/%g2", "/% 1", "/%%41", "/%+1",
                             "/%00", "/a%00.txt", "/%u0041"}) {
    EXPECT_EQ(path_of(target), "refused") << target;
  }
}

TEST(Target, RefusesWhatIsNotVisibleAscii) {
  for (const std::string_view target :
       {std::string_view("/a b"), std::string_view("/a\tb"), std::string_view("/a\x7f"),
        std::string_view("/a\0b", 4), std::string_view("/\xc3\xa9"), std::string_view("/a#b"),
        std::string_view("/a?b#c"), std::string_view("/a?b c"), std::string_view("/a?\x01"),
        std::string_view("/a?\xff"), std::string_view("/?\0", 3)}) {
    EXPECT_EQ(path_of(target), "refused") << target;
  }
}

// RFC 3986 5.2.4

TEST(Target, RemovesDotSegments) {
  expect({{"/a/b/c/./../../g", "/a/g"},  // the example in the RFC
          {"/.", "/"},
          {"/./", "/"},
          {"/./x", "/x"},
          {"/a/.", "/a/"},
          {"/a/./", "/a/"},
          {"/a/..", "/"},
          {"/a/../", "/"},
          {"/a/../b", "/b"},
          {"/a/b/..", "/a/"},
          {"/a/b/../..", "/"},
          {"/a/b/../../c", "/c"},
          {"/a/.../..", "/a/"},
          {"/a.b/../c.d", "/c.d"},
          {"/././.", "/"},
          {"/a/./b/./c", "/a/b/c"}});
}

TEST(Target, CountsAnEmptySegmentAsOne) {
  expect({{"//..", "/"},
          {"//../x", "/x"},
          {"/a//..", "/a/"},
          {"/a//../b", "/a/b"},
          {"/a//../../b", "/b"},
          {"/.//x", "//x"},
          {"/a/..//x", "//x"},
          {"///../..", "/"}});
}

TEST(Target, RefusesDotsThatLeadAboveTheRoot) {
  for (const char* target :
       {"/..", "/../", "/../x", "/./..", "/a/../..", "/a/../../a", "/a/b/../../../a/b", "//../..",
        "/../../../../etc/passwd", "/a/./../.."}) {
    EXPECT_EQ(path_of(target), "refused") << target;
  }
}

TEST(Target, RemovesDotSegmentsThatWereEscaped) {
  expect({{"/a/%2e", "/a/"},
          {"/a/%2e%2e", "/"},
          {"/a/%2E.", "/"},
          {"/a/.%2e", "/"},
          {"/a/..%2fb", "/b"},
          {"/a/..%2Fb", "/b"},
          {"/a%2f..%2fb", "/b"},
          {"/a%2f%2e%2E%2fb", "/b"},
          {"/a/%2e%2f%2e/b", "/a/b"},
          {"/static/%2e%2e/metrics", "/metrics"}});
  for (const char* target : {"/%2e%2e", "/%2e%2e/x", "/%2E.", "/.%2E/", "/..%2f", "/..%2F..%2fetc",
                             "/%2f..%2f..", "/a%2f..%2f..%2f", "/a/%2e%2e%2f%2e%2e%2fb"}) {
    EXPECT_EQ(path_of(target), "refused") << target;
  }
}

TEST(Target, DoesNotDecodeTwice) {
  expect({{"/a/%252e%252e/b", "/a/%2e%2e/b"},
          {"/a/..%252fb", "/a/..%2fb"},
          {"/a/%25%32%65", "/a/%2e"},
          {"/a/%2%65", "refused"}});
}

TEST(Target, LeavesOtherSystemsSeparatorsAlone) {
  expect({{"/a/..\\b", "/a/..\\b"},
          {"/a/..%5cb", "/a/..\\b"},
          {"/a/..;/b", "/a/..;/b"},
          {"/a/%c0%ae%c0%ae/b", "/a/\xc0\xae\xc0\xae/b"}});
}

// RFC 9112 3.2.2

TEST(Target, TakesTheAbsoluteFormApart) {
  Target out;
  ASSERT_TRUE(parse_target("GET", "http://example.org:8080/a%20b?c", out).ok());
  EXPECT_EQ(out.path, "/a b");
  EXPECT_EQ(out.query, "c");
  EXPECT_EQ(out.authority, "example.org:8080");
  for (const char* target : {"HTTP://x/y", "hTTp://x/y", "https://x/y", "HttpS://x/y"}) {
    ASSERT_TRUE(parse_target("GET", target, out).ok()) << target;
    EXPECT_EQ(out.path, "/y") << target;
    EXPECT_EQ(out.authority, "x") << target;
  }
}

TEST(Target, TakesAnEmptyPathOfTheAbsoluteFormForTheRoot) {
  Target out;
  ASSERT_TRUE(parse_target("GET", "http://x", out).ok());
  EXPECT_EQ(out.path, "/");
  ASSERT_TRUE(parse_target("GET", "http://x?y/z", out).ok());
  EXPECT_EQ(out.path, "/");
  EXPECT_EQ(out.query, "y/z");
  EXPECT_EQ(out.authority, "x");
}

TEST(Target, NormalisesThePathOfTheAbsoluteFormToo) {
  expect({{"http://x/a/%2e%2e/b", "/b"},
          {"http://x//y", "//y"},
          {"http://x/..", "refused"},
          {"http://x/%2e%2e/", "refused"},
          {"http://x/%00", "refused"}});
}

TEST(Target, TakesEveryKindOfHost) {
  Target out;
  for (const char* host : {"x", "a_b.example", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:3000",
                           "[fe80::1%25eth0]", "[v1.x:y]", "x:", "%41"}) {
    ASSERT_TRUE(parse_target("GET", "http://" + std::string(host) + "/", out).ok()) << host;
    EXPECT_EQ(out.authority, host);
  }
}

TEST(Target, RefusesAnAbsoluteFormWithoutAValidHost) {
  for (const char* target :
       {"http://", "http:///x", "http://?x", "http://:80/", "http://x:y/", "http://x:1:2/",
        "http://[::1/", "http://[]/", "http://[/", "http://]/", "http://[::1]x/", "http://::1/",
        "http://user@x/", "http://u:p@x/", "http://a\"b/", "http://a\\b/", "http://\xc3\xa9/",
        "http://x#f"}) {
    EXPECT_EQ(path_of(target), "refused") << target;
  }
}

TEST(Target, RefusesOtherSchemesAndWhatIsNoForm) {
  for (const char* target : {"", "x", "a/b", "?x", "../x", "%2fx", "ftp://x/", "http:/x", "http:x",
                             "httpss://x/", "ws://x/", "file:///etc/passwd", "x:80", "://x/"}) {
    EXPECT_EQ(path_of(target), "refused") << target;
  }
}

// RFC 9112 3.2.3 and 3.2.4

TEST(Target, GivesTheAuthorityFormToConnectAlone) {
  Target out;
  ASSERT_TRUE(parse_target("CONNECT", "example.org:443", out).ok());
  EXPECT_EQ(out.authority, "example.org:443");
  EXPECT_EQ(out.path, "");
  for (const char* target : {"example.org", "example.org:", ":443", "u@x:443", "x:443/y", ""}) {
    EXPECT_EQ(parse_target("CONNECT", target, out).http_status(), 400u) << target;
  }
}

TEST(Target, GivesTheAsteriskFormToOptionsAlone) {
  Target out;
  ASSERT_TRUE(parse_target("OPTIONS", "*", out).ok());
  EXPECT_EQ(out.path, "*");
  for (const char* method : {"GET", "HEAD", "POST", "options", "CONNECT"}) {
    EXPECT_EQ(parse_target(method, "*", out).http_status(), 400u) << method;
  }
  for (const char* target : {"**", "*?x", "*/"}) {
    EXPECT_EQ(parse_target("OPTIONS", target, out).http_status(), 400u) << target;
  }
}

}  // namespace
}  // namespace bentohost::http
