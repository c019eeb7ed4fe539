// Files of a service, from its description to the exchange. StaticFiles has its own
// tests.
#include "service/routing/file_mount.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes/fake_clock.h"
#include "fakes/fake_exchange.h"
#include "fakes/fake_plugin.h"
#include "fakes/local_service.h"
#include "observe/sharded.h"
#include "service/routing/dispatcher.h"
#include "unit/http/temp_folder.h"

namespace bentohost::service {
namespace {

using testing::HasSubstr;
using testing::Not;

class FileMountTest : public testing::Test {
 protected:
  FileMountTest() {
    folder_.write("a.txt", "alpha");
    folder_.write("empty.txt", "");
    folder_.write("large.bin", std::string(kLarge, 'x'));
    folder_.write("docs/index.html", "<p>docs");
    process_ = R"({"kind":"files","cache_control":"no-cache","folder":")" +
               folder_.path().string() + "\"}";
    mount_.size = sizeof mount_;
    mount_.prefix = to_bento("/files");
    plugin_.service.mounts = mounts_;
    plugin_.service.n_mounts = 1;
  }

  Status serve(const std::string& prefix = "") {
    mount_.process = to_bento(process_);
    auto instance = plugin_.instance();
    EXPECT_TRUE(instance.ok()) << instance.status().message();
    services_.push_back(fakes::start(*std::move(instance), prefix));
    return fakes::serve(dispatcher_, services_);
  }
  // The response: whole, or streamed.
  http::Response ask(std::string method, std::string path, http::Headers headers = {}) {
    fakes::FakeExchange exchange(std::move(method), std::move(path));
    exchange.request().headers = std::move(headers);
    exchange.write_status = write_status_;
    fakes::ask(dispatcher_, exchange);
    EXPECT_EQ(metrics_.in_flight().value(), 0);
    EXPECT_EQ(deps_.slots, 0u);
    was_streamed_ = exchange.started.has_value();
    EXPECT_EQ(exchange.responses.size() + (was_streamed_ ? 1 : 0), 1u);
    EXPECT_EQ(exchange.is_complete, was_streamed_);
    return was_streamed_ ? *exchange.started : exchange.response();
  }
  static std::string header(const http::Response& response, std::string_view name) {
    return std::string(http::find_header(response.headers, name));
  }

  static constexpr std::size_t kLarge = 3 * (64u << 10);  // a multiple of the piece size

  http::TempFolder folder_;
  std::string process_;
  fakes::FakeClock clock_;
  observe::Metrics metrics_{"test"};
  RequestDeps deps_{clock_, metrics_};
  fakes::FakePlugin plugin_;
  bento_mount mount_{};
  const bento_mount* mounts_[1] = {&mount_};
  std::vector<std::shared_ptr<const LiveService>> services_;
  Dispatcher dispatcher_{deps_};
  Status write_status_;
  bool was_streamed_ = false;
};

TEST_F(FileMountTest, AnswersAtOnceWithASmallFile) {
  ASSERT_TRUE(serve().ok());
  const http::Response response = ask("GET", "/files/a.txt");
  EXPECT_FALSE(was_streamed_);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "alpha");
  EXPECT_THAT(response.content_type, HasSubstr("text/plain"));
  EXPECT_EQ(header(response, "Cache-Control"), "no-cache");
  EXPECT_EQ(header(response, "Content-Length"), "") << "the front writes it";
  EXPECT_EQ(ask("GET", "/files/empty.txt").body, "");
  EXPECT_FALSE(was_streamed_);
}

TEST_F(FileMountTest, StreamsALargeFileOfAKnownLength) {
  ASSERT_TRUE(serve().ok());
  const http::Response response = ask("GET", "/files/large.bin");
  EXPECT_TRUE(was_streamed_);
  EXPECT_EQ(header(response, "Content-Length"), std::to_string(kLarge));
  EXPECT_EQ(response.body, std::string(kLarge, 'x'));
}

TEST_F(FileMountTest, TellsHeadTheLengthAndSendsNothing) {
  ASSERT_TRUE(serve().ok());
  const http::Response response = ask("HEAD", "/files/large.bin");
  EXPECT_EQ(header(response, "Content-Length"), std::to_string(kLarge));
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(header(ask("HEAD", "/files/a.txt"), "Content-Length"), "5");
  EXPECT_EQ(ask("HEAD", "/files/empty.txt").status, 200);
}

TEST_F(FileMountTest, AnswersConditionsWithoutALength) {
  ASSERT_TRUE(serve().ok());
  const std::string etag = header(ask("GET", "/files/a.txt"), "ETag");
  const http::Response response = ask("GET", "/files/a.txt", {{"if-none-match", etag}});
  EXPECT_EQ(response.status, 304);
  EXPECT_FALSE(was_streamed_);
  EXPECT_EQ(header(response, "Content-Length"), "");
}

TEST_F(FileMountTest, RedirectsToTheFolderItself) {
  ASSERT_TRUE(serve().ok());
  for (const auto& [path, location] :
       {std::pair{"/files", "./files/"}, std::pair{"/files/docs", "./docs/"}}) {
    const http::Response response = ask("GET", path);
    EXPECT_EQ(response.status, 301);
    EXPECT_EQ(header(response, "Location"), location);
  }
  EXPECT_EQ(ask("GET", "/files/docs/").body, "<p>docs");
  EXPECT_EQ(ask("GET", "/files/").status, 404) << "it has no index";
}

TEST_F(FileMountTest, EndsWhenTheClientIsGone) {
  ASSERT_TRUE(serve().ok());
  write_status_ = Status(BENTO_CANCELLED, "the client is gone");
  EXPECT_EQ(ask("GET", "/files/large.bin").body.size(), 64u << 10) << "the first piece";
  EXPECT_TRUE(was_streamed_);
}

TEST_F(FileMountTest, AnswersOtherMethodsWithThoseOfFilesAndRoutes) {
  mount_.prefix = to_bento("/");
  ASSERT_TRUE(serve().ok());
  http::Response response = ask("POST", "/a.txt");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(header(response, "Allow"), "GET, HEAD, OPTIONS");
  response = ask("OPTIONS", "/echo");
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(header(response, "Allow"), "GET, HEAD, POST, OPTIONS");
}

TEST_F(FileMountTest, GivesWayToRoutes) {
  mount_.prefix = to_bento("/");
  ASSERT_TRUE(serve().ok());
  EXPECT_EQ(ask("GET", "/a.txt").body, "alpha");
  EXPECT_EQ(ask("GET", "/livez").body, "ok\n");
  EXPECT_EQ(ask("POST", "/echo").status, 200);
}

TEST_F(FileMountTest, IsBelowItsServicesPrefixAndOneRouteInTheMetrics) {
  mount_.prefix = to_bento("/");
  ASSERT_TRUE(serve("/p").ok());
  EXPECT_EQ(ask("GET", "/p/a.txt").body, "alpha");
  EXPECT_EQ(ask("GET", "/a.txt").status, 404);
  EXPECT_EQ(header(ask("GET", "/p"), "Location"), "./p/");
  EXPECT_THAT(metrics_.text(), HasSubstr("route=\"/p/*\""));
  EXPECT_THAT(metrics_.text(), Not(HasSubstr("a.txt")));
}

TEST_F(FileMountTest, RefusesAFolderThatIsNotThere) {
  process_ = R"({"kind":"files","folder":"nowhere"})";
  const Status status = serve();
  EXPECT_EQ(status.code(), BENTO_NOT_FOUND);
  EXPECT_THAT(status.message(),
              HasSubstr("service fake: files /files: /plugins/nowhere: No such file"));
}

TEST_F(FileMountTest, RefusesTwoServicesAtOnePrefix) {
  ASSERT_TRUE(serve().ok());
  plugin_.service.n_apis = 0;
  const Status status = serve();
  EXPECT_EQ(status.code(), BENTO_FAILED_PRECONDITION);
  EXPECT_THAT(status.message(), HasSubstr("/files is asked for by the files of fake and by the "
                                          "files of fake"));
}

TEST_F(FileMountTest, TakesNoNewWorkWhileDraining) {
  ASSERT_TRUE(serve().ok());
  deps_.draining = true;
  EXPECT_EQ(ask("GET", "/files/a.txt").status, 503);
}

}  // namespace
}  // namespace bentohost::service
