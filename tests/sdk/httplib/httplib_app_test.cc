// httplib_app: what a program for cpp-httplib does behind a mount is what it does by itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp() is POSIX

#include <atomic>
#include <bento/bento.hpp>
#include <bento/httplib_app.hpp>
#include <bento/testing.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::atomic<int> released = 0;  // content providers' resources
std::filesystem::path folder;   // of the mount point

void describe_contents(httplib::Server& server) {
  server.Get("/sized", [](const httplib::Request&, httplib::Response& res) {
    res.set_content_provider(
        10, "text/plain",
        [](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
          return sink.write(&"0123456789"[offset], std::min<std::size_t>(length, 4));
        },
        [](bool) { ++released; });
  });
  server.Get("/unsized", [](const httplib::Request&, httplib::Response& res) {
    res.set_content_provider("text/plain", [](std::size_t offset, httplib::DataSink& sink) {
      if (offset < 6) return sink.write("abc", 3);
      sink.done();
      return true;
    });
  });
  server.Get("/chunked", [](const httplib::Request&, httplib::Response& res) {
    res.set_chunked_content_provider(
        "text/plain",
        [](std::size_t offset, httplib::DataSink& sink) {
          if (offset < 6) return sink.write("xyz", 3);
          sink.done();
          return true;
        },
        [](bool) { ++released; });
  });
  server.Get("/forever", [](const httplib::Request&, httplib::Response& res) {
    res.set_chunked_content_provider(
        "text/plain",
        [](std::size_t, httplib::DataSink& sink) {
          return sink.is_writable() && sink.write("tick", 4);
        },
        [](bool is_success) { released += is_success ? 100 : 1; });
  });
  server.Get("/breaks", [](const httplib::Request&, httplib::Response& res) {
    res.set_chunked_content_provider("text/plain", [](std::size_t offset, httplib::DataSink& sink) {
      return offset == 0 && sink.write("some", 4);
    });
  });
}

void describe_forms(httplib::Server& server) {
  server.Post("/echo", [](const httplib::Request& req, httplib::Response& res) {
    res.status = 201;
    res.set_header("X-Length", req.get_header_value("Content-Length"));
    res.set_content(req.body, req.get_header_value("Content-Type"));
  });
  server.Post("/form", [](const httplib::Request& req, httplib::Response& res) {
    const auto file = req.get_file_value("file");
    res.set_content(req.get_file_value("name").content + " " + file.filename + " " +
                        file.content_type + " " + file.content,
                    "text/plain");
  });
  server.Post("/fields", [](const httplib::Request& req, httplib::Response& res) {
    res.set_content(req.get_param_value("a") + "|" + req.get_param_value("b"), "text/plain");
  });
  server.Post("/pieces", [](const httplib::Request&, httplib::Response& res,
                            const httplib::ContentReader& reader) {
    std::string sizes;
    reader([&](const char*, std::size_t size) {
      sizes += std::to_string(size) + " ";
      return true;
    });
    res.set_content(sizes, "text/plain");
  });
}

std::shared_ptr<httplib::Server> make_program() {
  auto server = std::make_shared<httplib::Server>();
  server->Get(R"(/users/(\d+))", [](const httplib::Request& req, httplib::Response& res) {
    res.set_content("user " + std::string(req.matches[1]) + " " + req.get_param_value("q"),
                    "text/plain");
  });
  server->Get("/where", [](const httplib::Request& req, httplib::Response& res) {
    res.set_content(req.target + " " + req.remote_addr + " " + std::to_string(req.remote_port) +
                        " " + req.get_header_value("X-A"),
                    "text/plain");
  });
  server->Get(R"(/a b/é\+c)", [](const httplib::Request& req, httplib::Response& res) {
    res.set_content(req.path, "text/plain");
  });
  server->Get("/throws", [](const httplib::Request&, httplib::Response&) {
    throw std::runtime_error("a broken handler");
  });
  server->Get("/moved", [](const httplib::Request&, httplib::Response& res) {
    res.set_redirect("elsewhere");
  });
  describe_contents(*server);
  describe_forms(*server);
  server->set_mount_point("/static", folder.string());
  server->set_pre_routing_handler([](const httplib::Request& req, httplib::Response& res) {
    if (!req.has_header("X-Blocked")) return httplib::Server::HandlerResponse::Unhandled;
    res.status = 403;
    return httplib::Server::HandlerResponse::Handled;
  });
  server->set_error_handler([](const httplib::Request&, httplib::Response& res) {
    if (res.body.empty()) res.set_content("error " + std::to_string(res.status), "text/plain");
  });
  server->set_exception_handler(
      [](const httplib::Request&, httplib::Response& res, std::exception_ptr error) {
        try {
          std::rethrow_exception(error);
        } catch (const std::exception& e) {
          res.status = 500;
          res.set_content(e.what(), "text/plain");
        }
      });
  server->set_payload_max_length(1000);
  return server;
}

struct Shouter {
  std::string shout(std::string_view text) { return std::string(text) + "!"; }
};

BENTO_SERVICE(svc) {
  svc.name("legacy");
  svc.mount("/legacy", bento::httplib_app(make_program()));

  auto shouter = svc.runner<Shouter>("shouter");
  auto shout = shouter.method<&Shouter::shout>("shout");
  auto caller = std::make_shared<httplib::Server>();
  caller->Post("/shout", [=](const httplib::Request& req, httplib::Response& res) {
    bento::Context& context = bento::httplib_context();
    context.log(bento::Log::kInfo, "shouts");
    res.set_content(shout.run(context, req.body), "text/plain");
  });
  svc.mount("/caller", bento::httplib_app(caller));

  auto program = std::make_shared<httplib::Server>();
  program->Get(R"(/users/(\d+))", [](const httplib::Request& req, httplib::Response& res) {
    res.set_content("user " + std::string(req.matches[1]), "text/plain");
  });
  svc.mount("/program", bento::httplib_app(program));
}

class Legacy : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    // Of its own for each process: ctest runs the tests of this suite side by side.
    std::string name = ::testing::TempDir() + "bento_httplib_app_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder = name;
    std::ofstream(folder / "digits.txt") << "0123456789";
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder); }
  Legacy() { released = 0; }

  bento::testing::Host host{bento_entry};
};

TEST_F(Legacy, RoutesByRegexWithItsMatchesAndTheQuery) {
  const auto response = host.get("/legacy/users/42?q=a%26b&x");
  EXPECT_EQ(response.status, 200u);
  EXPECT_EQ(response.body, "user 42 a&b");
  EXPECT_EQ(response.content_type, "text/plain");
  EXPECT_EQ(host.get("/legacy/users/me").status, 404u);
  EXPECT_EQ(host.get("/program/users/42").body, "user 42");
}

TEST_F(Legacy, AHandlerGetsAtTheContextAndSoCallsRunners) {
  EXPECT_EQ(host.post("/caller/shout", "hello").body, "hello!");
  EXPECT_TRUE(host.has_logged("shouts"));
  EXPECT_THROW(bento::httplib_context(), bento::Error) << "outside of any request";
}

TEST_F(Legacy, SeesThePathBelowItsPrefixAndItsClient) {
  const auto response = host.request(
      {.target = "/legacy/where?a=1", .headers = {{"X-A", "b"}}, .client = "[::1]:4711"});
  EXPECT_EQ(response.body, "/where?a=1 ::1 4711 b");
  EXPECT_EQ(host.get("/legacy/a%20b/%C3%A9%2Bc").body, "/a b/é+c");
}

TEST_F(Legacy, ReadsAWholeBody) {
  const auto response = host.post("/legacy/echo", "some bytes", {{"Content-Type", "a/b"}});
  EXPECT_EQ(response.status, 201u);
  EXPECT_EQ(response.body, "some bytes");
  EXPECT_EQ(response.content_type, "a/b");
  EXPECT_EQ(response.headers.get("x-length"), "10");
  EXPECT_EQ(host.post("/legacy/echo", "").body, "");
}

TEST_F(Legacy, ReadsABodyThatNobodyKnowsTheLengthOf) {
  const auto response = host.request({.method = "POST",
                                      .target = "/legacy/pieces",
                                      .body = "0123456789",
                                      .headers = {{"Transfer-Encoding", "chunked"}},
                                      .piece_size = 4});
  EXPECT_EQ(response.body, "4 4 2 ");
}

TEST_F(Legacy, ItsOwnLimitOfABodyHolds) {
  EXPECT_EQ(host.post("/legacy/echo", std::string(1001, 'x')).status, 413u);
}

TEST_F(Legacy, ReadsForms) {
  const auto response = host.post("/legacy/form",
                                  "--XX\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n"
                                  "iris\r\n--XX\r\nContent-Disposition: form-data; name=\"file\"; "
                                  "filename=\"a.csv\"\r\nContent-Type: text/csv\r\n\r\n1,2\r\n"
                                  "--XX--\r\n",
                                  {{"Content-Type", "multipart/form-data; boundary=XX"}});
  EXPECT_EQ(response.body, "iris a.csv text/csv 1,2");
  EXPECT_EQ(host.post("/legacy/fields", "a=1&b=x+y",
                      {{"Content-Type", "application/x-www-form-urlencoded"}})
                .body,
            "1|x y");
}

TEST_F(Legacy, ContentProvidersWriteAsTheyGo) {
  const auto sized = host.get("/legacy/sized");
  EXPECT_EQ(sized.body, "0123456789");
  EXPECT_EQ(sized.headers.get("content-length"), "10");
  EXPECT_TRUE(sized.is_whole);
  EXPECT_EQ(host.get("/legacy/unsized").body, "abcabc");
  const auto chunked = host.get("/legacy/chunked");
  EXPECT_EQ(chunked.body, "xyzxyz");
  EXPECT_EQ(chunked.headers.get("transfer-encoding"), "");
  EXPECT_EQ(chunked.headers.get("connection"), "");
  EXPECT_EQ(released, 2);
}

TEST_F(Legacy, AClientThatLeavesEndsTheProvider) {
  const auto response = host.request({.target = "/legacy/forever", .takes = 3});
  EXPECT_EQ(response.body, "tickticktick");
  EXPECT_FALSE(response.is_whole);
  EXPECT_EQ(released, 1) << "told that it failed";
}

TEST_F(Legacy, AProviderThatFailsCutsTheAnswerOff) {
  const auto response = host.get("/legacy/breaks");
  EXPECT_EQ(response.body, "some");
  EXPECT_FALSE(response.is_whole);
}

TEST_F(Legacy, HeadHasTheHeadersAndNoBody) {
  const auto response = host.send("HEAD", "/legacy/sized", "");
  EXPECT_EQ(response.status, 200u);
  EXPECT_EQ(response.headers.get("content-length"), "10");
  EXPECT_EQ(response.body, "");
}

TEST_F(Legacy, Ranges) {
  const auto response = host.get("/legacy/sized", {{"Range", "bytes=2-4"}});
  EXPECT_EQ(response.status, 206u);
  EXPECT_EQ(response.body, "234");
  EXPECT_EQ(response.headers.get("content-range"), "bytes 2-4/10");
}

TEST_F(Legacy, FilesOfAMountPoint) {
  const auto response = host.get("/legacy/static/digits.txt");
  EXPECT_EQ(response.body, "0123456789");
  EXPECT_THAT(response.content_type, StartsWith("text/plain"));
  EXPECT_EQ(host.get("/legacy/static/none.txt").status, 404u);
}

TEST_F(Legacy, ItsHandlersOfErrorsAndExceptionsAnswer) {
  EXPECT_EQ(host.get("/legacy/none").body, "error 404");
  const auto response = host.get("/legacy/throws");
  EXPECT_EQ(response.status, 500u);
  EXPECT_EQ(response.body, "a broken handler");
  EXPECT_EQ(host.get("/legacy/users/1", {{"X-Blocked", "1"}}).status, 403u);
}

TEST_F(Legacy, RedirectsPass) {
  const auto response = host.get("/legacy/moved");
  EXPECT_EQ(response.status, 302u);
  EXPECT_EQ(response.headers.get("location"), "elsewhere");
}

}  // namespace
