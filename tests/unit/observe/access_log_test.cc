#include "observe/access_log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "json/json.h"

namespace bentohost::observe {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;

AccessRecord classify() {
  return {"127.0.0.1:37194", "POST", "/classify", "/classify", "5f1c", 200, 19, 3, 180us};
}

std::size_t lines_in(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

// A file without a name.
UniqueFd scratch_file() {
  char name[] = "/tmp/bentohost_access_log_XXXXXX";
  UniqueFd fd(::mkostemp(name, O_CLOEXEC));
  EXPECT_TRUE(fd);
  ::unlink(name);
  return fd;
}

std::string contents(int fd) {
  ::lseek(fd, 0, SEEK_SET);
  std::string all;
  char part[4096];
  for (ssize_t n = 0; (n = ::read(fd, part, sizeof part)) > 0;) {
    all.append(part, static_cast<std::size_t>(n));
  }
  return all;
}

std::string written(LogFormat format, const AccessRecord& record) {
  const UniqueFd file = scratch_file();
  AccessLog(file.get(), format, [](std::size_t) { ADD_FAILURE() << "dropped"; }).write(record);
  return contents(file.get());
}

TEST(AccessLog, WritesALineOfTextARequest) {
  EXPECT_THAT(written(LogFormat::kText, classify()),
              MatchesRegex("[0-9T:.-]+Z 127[.]0[.]0[.]1:37194 \"POST /classify\" 200 19 3 "
                           "0[.]180ms request_id=5f1c\n"));
}

TEST(AccessLog, WritesAJsonObjectARequest) {
  const std::string line = written(LogFormat::kJson, classify());
  EXPECT_THAT(line, EndsWith("\"route\":\"/classify\",\"status\":200,\"request_bytes\":19,"
                             "\"response_bytes\":3,\"duration_ms\":0.180,"
                             "\"request_id\":\"5f1c\"}\n"));
  const auto object = parse_json(line);
  ASSERT_TRUE(object.ok()) << object.status().message();
  EXPECT_STREQ((*object)["client"].GetString(), "127.0.0.1:37194");
  EXPECT_STREQ((*object)["method"].GetString(), "POST");
  EXPECT_STREQ((*object)["path"].GetString(), "/classify");
  EXPECT_EQ(object->MemberCount(), 10u);
}

TEST(AccessLog, SaysMillisecondsWithThreeDigits) {
  AccessRecord record = classify();
  record.took = 1h + 7us + 900ns;
  EXPECT_THAT(written(LogFormat::kText, record), HasSubstr(" 3600000.007ms "));
  record.took = -1ms;
  EXPECT_THAT(written(LogFormat::kText, record), HasSubstr(" 0.000ms "));
}

TEST(AccessLog, CannotBeForgedByAClient) {
  AccessRecord record = classify();
  record.client = "evil \"client\"";
  record.method = "GET\x1b[2J";
  record.path = "/x\" 200 0 0 0.000ms request_id=1\r\n2026-11-22T21:07:02.123Z";
  record.request_id = "1 a=\"b\"\n\xff";
  const std::string text = written(LogFormat::kText, record);
  EXPECT_EQ(lines_in(text), 1u);
  EXPECT_THAT(text, HasSubstr(R"(Z "evil \"client\"" "GET\u001b[2J /x\" 200 0)"));
  EXPECT_THAT(text, HasSubstr(R"(request_id=1\r\n2026-11-22T21:07:02.123Z" 200 19)"));
  EXPECT_THAT(text, EndsWith("request_id=\"1 a=\\\"b\\\"\\n\\ufffd\"\n"));
  const std::string json = written(LogFormat::kJson, record);
  EXPECT_EQ(lines_in(json), 1u);
  const auto object = parse_json(json);
  ASSERT_TRUE(object.ok()) << object.status().message();
  EXPECT_EQ((*object)["path"].GetString(), record.path);
  EXPECT_EQ((*object)["status"].GetInt(), 200);
}

TEST(AccessLog, MarksAMissingClient) {
  AccessRecord record = classify();
  record.client = "";
  EXPECT_THAT(written(LogFormat::kText, record), HasSubstr("Z - \"POST"));
}

TEST(AccessLog, WritesWhatIsQueuedBeforeItGoes) {
  const UniqueFd file = scratch_file();
  {
    AccessLog log(file.get(), LogFormat::kText, [](std::size_t) { ADD_FAILURE() << "dropped"; });
    for (int i = 0; i < 1000; ++i) log.write(classify());
  }
  EXPECT_EQ(lines_in(contents(file.get())), 1000u);
}

TEST(AccessLog, KeepsLinesOfManyThreadsWhole) {
  const UniqueFd file = scratch_file();
  {
    AccessLog log(file.get(), LogFormat::kJson, [](std::size_t) { ADD_FAILURE() << "dropped"; });
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&log] {
        for (int n = 0; n < 250; ++n) log.write(classify());
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  const std::string all = contents(file.get());
  EXPECT_EQ(lines_in(all), 1000u);
  for (std::size_t start = 0, end = 0; start < all.size(); start = end + 1) {
    end = all.find('\n', start);
    ASSERT_TRUE(parse_json(std::string_view(all).substr(start, end - start)).ok());
  }
}

TEST(AccessLog, CountsWhatDoesNotFitInsteadOfWaiting) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  std::atomic<std::size_t> dropped = 0;
  std::optional<AccessLog> log;
  log.emplace(write_end.get(), LogFormat::kText, [&](std::size_t n) { dropped += n; });
  // Nobody reads, so at most one batch in the pipe and one in the queue can be kept.
  AccessRecord record = classify();
  const std::string path(1000, 'p');
  record.path = path;
  constexpr std::size_t kLines = 3 * AccessLog::kMaxQueuedBytes / 1000;
  for (std::size_t i = 0; i < kLines; ++i) log->write(record);
  EXPECT_GT(dropped, 0u);

  std::string received;
  std::thread reader([&] {
    char part[1 << 16];
    for (ssize_t n = 0; (n = ::read(read_end.get(), part, sizeof part)) > 0;) {
      received.append(part, static_cast<std::size_t>(n));
    }
  });
  log.reset();
  write_end.reset();
  reader.join();
  EXPECT_EQ(lines_in(received) + dropped, kLines) << "each line is either written or counted";
}

TEST(AccessLog, GoesThoughNobodyReads) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]), write_end(ends[1]);
  std::atomic<std::size_t> dropped = 0;
  testing::internal::CaptureStderr();
  {
    AccessLog log(write_end.get(), LogFormat::kText, [&](std::size_t n) { dropped += n; });
    for (int i = 0; i < 2000; ++i) log.write(classify());  // more than a pipe holds
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("nobody reads it"));
  EXPECT_GT(dropped, 0u);
  EXPECT_LT(dropped, 2000u);
}

TEST(AccessLog, WarnsOfAFullDiskOnceAndCountsEachLine) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full);
  testing::internal::CaptureStderr();
  {
    std::latch first(1), second(1);
    std::atomic<std::size_t> dropped = 0;
    AccessLog log(full.get(), LogFormat::kText,
                  [&](std::size_t n) { ((dropped += n) == 1 ? first : second).count_down(); });
    log.write(classify());
    first.wait();
    log.write(classify());
    second.wait();
    EXPECT_EQ(dropped, 2u);
  }
  const std::string warnings = testing::internal::GetCapturedStderr();
  EXPECT_EQ(lines_in(warnings), 1u);
  EXPECT_THAT(warnings, HasSubstr("error=\"No space left on device\""));
}

TEST(AccessLog, SurvivesAReaderThatHasGone) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  read_end.reset();
  std::atomic<std::size_t> dropped = 0;
  testing::internal::CaptureStderr();
  {
    AccessLog log(write_end.get(), LogFormat::kText, [&](std::size_t n) { dropped += n; });
    log.write(classify());
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("Broken pipe"));
  EXPECT_EQ(dropped, 1u);
}

// A limit of the file size simulates a disk that fills up in the middle of a line.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit now{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST(AccessLog, BeginsANewLineAfterOneThatBrokeOff) {
  const UniqueFd file = scratch_file();
  testing::internal::CaptureStderr();
  {
    std::latch lost(1);
    AccessLog log(file.get(), LogFormat::kText, [&](std::size_t n) {
      EXPECT_EQ(n, 1u);
      lost.count_down();
    });
    {
      const FileSizeLimit limit(50);
      log.write(classify());
      lost.wait();
    }
    log.write(classify());
  }
  testing::internal::GetCapturedStderr();
  const std::string all = contents(file.get());
  EXPECT_EQ(all.find('\n'), 50u);
  EXPECT_EQ(lines_in(all), 2u);
  EXPECT_THAT(all, EndsWith("request_id=5f1c\n"));
}

}  // namespace
}  // namespace bentohost::observe
