#include "http/files/static_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "http/files/file_reader.h"
#include "unit/http/temp_folder.h"

namespace bentohost::http {
namespace {

constexpr std::time_t kChanged = 784'111'777;  // Sun, 06 Nov 1994 08:49:37 GMT
const WallTime kNow = WallTime(std::chrono::seconds(kChanged + 3600));
const std::string kText = "0123456789";

struct Got {
  std::uint32_t refused = 0;  // the HTTP status of the refusal
  int status = 0;
  Response head;
  std::uint64_t length = 0;
  std::string body;  // of the file

  std::string header(std::string_view name) const {
    return std::string(find_header(head.headers, name));
  }
};

class StaticFilesTest : public testing::Test {
 protected:
  StaticFilesTest() {
    add("a.txt", kText);
    add("docs/index.html", "<p>");
    add("docs/ä b:c/index.html", "<p>");
    add("empty", "");
    add(".git/config", "secret");
    add("docs/.htpasswd", "secret");
    std::filesystem::create_directories(folder_.path("bare/sub"));
  }

  void add(std::string_view name, std::string_view content) {
    folder_.write(name, content);
    const timespec time{kChanged, 5};
    const timespec times[2] = {time, time};
    EXPECT_EQ(utimensat(AT_FDCWD, folder_.path(name).c_str(), times, 0), 0);
  }

  Got get(std::string_view path, Headers headers = {}, const char* method = "GET") const {
    const Result<StaticFiles> files = StaticFiles::open(folder_.path().string(), options_);
    EXPECT_TRUE(files.ok()) << files.status().message();
    Request request;
    request.method = method;
    request.path = "/static/" + std::string(path);
    request.query = "v=1";
    request.headers = std::move(headers);
    Result<FileResponse> response = files->serve(path, request, kNow);
    Got got;
    if (!response.ok()) {
      got.refused = response.status().http_status();
      return got;
    }
    got.status = response->head.status;
    got.head = std::move(response->head);
    got.length = response->length;
    EXPECT_EQ(static_cast<bool>(response->file), !response->pieces.empty());
    FileReader reader(std::move(response->file), std::move(response->pieces));
    char buffer[3];
    for (Result<std::size_t> n = 1; *n > 0;) {
      n = reader.read(buffer, sizeof buffer);
      EXPECT_TRUE(n.ok());
      got.body.append(buffer, *n);
    }
    return got;
  }

  TempFolder folder_;
  StaticOptions options_{"max-age=60"};
};

TEST_F(StaticFilesTest, AreSentWithTypeAndValidators) {
  const Got got = get("a.txt");
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.body, kText);
  EXPECT_EQ(got.length, kText.size());
  EXPECT_EQ(got.head.content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(got.header("Last-Modified"), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(got.header("Accept-Ranges"), "bytes");
  EXPECT_EQ(got.header("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(got.header("Cache-Control"), "max-age=60");
  EXPECT_EQ(got.header("ETag").front(), '"');
  EXPECT_EQ(got.head.body, "");
}

TEST_F(StaticFilesTest, MayBeEmpty) {
  const Got got = get("empty", {{"range", "bytes=0-"}});
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.length, 0u);
  EXPECT_EQ(got.body, "");
  EXPECT_EQ(got.head.content_type, "application/octet-stream");
}

TEST_F(StaticFilesTest, TellHeadWhatGetWouldSend) {
  const Got got = get("a.txt", {}, "HEAD");
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.length, kText.size());
  EXPECT_EQ(got.body, "");
  EXPECT_EQ(got.header("ETag"), get("a.txt").header("ETag"));
}

TEST_F(StaticFilesTest, AreForGetAndHead) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "get"}) {
    EXPECT_EQ(get("a.txt", {}, method).refused, 405u) << method;
  }
}

TEST_F(StaticFilesTest, HaveNoCacheControlUnlessAsked) {
  options_.cache_control.clear();
  const Got got = get("a.txt");
  EXPECT_FALSE(has_header(got.head.headers, "Cache-Control"));
}

TEST_F(StaticFilesTest, AnAnswerFromTheCacheIsConfirmed) {
  const std::string etag = get("a.txt").header("ETag");
  for (const char* method : {"GET", "HEAD"}) {
    const Got got = get("a.txt", {{"if-none-match", etag}, {"range", "bytes=0-1"}}, method);
    EXPECT_EQ(got.status, 304);
    EXPECT_EQ(got.header("ETag"), etag);
    EXPECT_EQ(got.header("Cache-Control"), "max-age=60");
    EXPECT_EQ(got.head.content_type, "");
    EXPECT_EQ(got.body + got.head.body, "");
  }
  EXPECT_EQ(get("a.txt", {{"if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"}}).status, 304);
  add("a.txt", kText + "x");
  EXPECT_EQ(get("a.txt", {{"if-none-match", etag}}).status, 200);
}

TEST_F(StaticFilesTest, APreconditionThatFailsIsAProblem) {
  const Got got = get("a.txt", {{"if-match", "\"x\""}});
  EXPECT_EQ(got.status, 412);
  EXPECT_EQ(got.head.content_type, "application/problem+json");
  EXPECT_EQ(got.length, got.head.body.size());
}

TEST_F(StaticFilesTest, SendOneRange) {
  const Got got = get("a.txt", {{"range", "bytes=3-6"}});
  EXPECT_EQ(got.status, 206);
  EXPECT_EQ(got.body, "3456");
  EXPECT_EQ(got.length, 4u);
  EXPECT_EQ(got.header("Content-Range"), "bytes 3-6/10");
  EXPECT_EQ(got.head.content_type, "text/plain; charset=utf-8");
}

TEST_F(StaticFilesTest, SendSeveralRangesInParts) {
  const Got got = get("a.txt", {{"range", "bytes=8-,0-1"}});
  EXPECT_EQ(got.status, 206);
  const std::string prefix = "multipart/byteranges; boundary=";
  ASSERT_TRUE(got.head.content_type.starts_with(prefix));
  const std::string mark = "\r\n--" + got.head.content_type.substr(prefix.size());
  const std::string type = "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes ";
  EXPECT_EQ(got.body,
            mark + type + "8-9/10\r\n\r\n89" + mark + type + "0-1/10\r\n\r\n01" + mark + "--\r\n");
  EXPECT_EQ(got.length, got.body.size());
  EXPECT_FALSE(has_header(got.head.headers, "Content-Range"));
  EXPECT_NE(get("a.txt", {{"range", "bytes=8-,0-1"}}).head.content_type, got.head.content_type);
}

TEST_F(StaticFilesTest, TellTheirSizeWhenARangeIsBeyondIt) {
  const Got got = get("a.txt", {{"range", "bytes=10-"}});
  EXPECT_EQ(got.status, 416);
  EXPECT_EQ(got.header("Content-Range"), "bytes */10");
  EXPECT_EQ(got.head.content_type, "application/problem+json");
  EXPECT_EQ(got.length, got.head.body.size());
}

TEST_F(StaticFilesTest, AFolderIsItsIndex) {
  EXPECT_EQ(get("docs/").body, "<p>");
  EXPECT_EQ(get("docs/").head.content_type, "text/html; charset=utf-8");
  EXPECT_EQ(get("").refused, 404u);
  add("index.html", "root");
  EXPECT_EQ(get("").body, "root");
}

TEST_F(StaticFilesTest, AFolderWithoutItsSlashIsElsewhere) {
  const Got got = get("docs");
  EXPECT_EQ(got.status, 301);
  EXPECT_EQ(got.header("Location"), "./docs/?v=1");
  EXPECT_EQ(got.length, 0u);
  EXPECT_EQ(get("docs/ä b:c").header("Location"), "./%C3%A4%20b%3Ac/?v=1");
}

TEST_F(StaticFilesTest, NeverListAFolder) {
  add("bare/sub/index.html/x", "");
  for (const char* path : {"bare", "bare/", "bare/sub", "bare/sub/"}) {
    EXPECT_EQ(get(path).refused, 404u) << path;
  }
}

TEST_F(StaticFilesTest, HideDotFilesAndWhatIsNoFile) {
  ASSERT_EQ(mkfifo(folder_.path("fifo").c_str(), 0600), 0);
  folder_.link("null", "/dev/null");
  folder_.link("etc", "/etc");
  for (const char* path : {".git/config", ".git", "docs/.htpasswd", "..", "../a.txt",
                           "docs/../a.txt", "./a.txt", "none", "a.txt/", "a.txt/b", "/a.txt",
                           "docs//index.html", "fifo", "null", "etc/passwd", "//etc/passwd"}) {
    EXPECT_EQ(get(path).refused, 404u) << path;
  }
  EXPECT_EQ(get(std::string_view("a.txt\0.png", 10)).refused, 404u);
}

TEST(StaticFiles, NameTheFolderThatIsNone) {
  const TempFolder folder;
  folder.write("file", "");
  for (const char* name : {"file", "none"}) {
    const std::string path = folder.path(name).string();
    const Result<StaticFiles> files = StaticFiles::open(path);
    ASSERT_FALSE(files.ok());
    EXPECT_TRUE(files.status().message().starts_with(path)) << files.status().message();
  }
}

TEST(FileReader, FailsWhenTheFileBecomesShorter) {
  const TempFolder folder;
  folder.write("file", kText);
  UniqueFd fd(open(folder.path("file").c_str(), O_RDONLY | O_CLOEXEC));
  FileReader reader(std::move(fd), {{"head", {0, 10}}});
  char buffer[9];
  ASSERT_TRUE(reader.read(buffer, sizeof buffer).ok());
  EXPECT_EQ(std::string_view(buffer, 9), "head01234");
  std::filesystem::resize_file(folder.path("file"), 7);
  EXPECT_EQ(reader.read(buffer, sizeof buffer).status().code(), BENTO_INTERNAL);
}

TEST(FileReader, FillsItsBufferAcrossPieces) {
  const TempFolder folder;
  folder.write("file", kText);
  UniqueFd fd(open(folder.path("file").c_str(), O_RDONLY | O_CLOEXEC));
  FileReader reader(std::move(fd), {{"<", {5, 2}}, {"", {0, 1}}, {"", {}}, {">", {}}});
  char buffer[100];
  const Result<std::size_t> n = reader.read(buffer, sizeof buffer);
  ASSERT_TRUE(n.ok());
  EXPECT_EQ(std::string_view(buffer, *n), "<560>");
  EXPECT_EQ(*reader.read(buffer, sizeof buffer), 0u);
}

}  // namespace
}  // namespace bentohost::http
