#include "base/process/user_output.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <string>

namespace bentohost {
namespace {

using testing::HasSubstr;

void print(int fd, std::string_view text) {
  [[maybe_unused]] const auto n = ::write(fd, text.data(), text.size());
}

class UserOutputTest : public testing::Test {
 protected:
  // The text on stderr while `body` runs and plugins print.
  template <typename Body>
  static std::string logged(Body body) {
    testing::internal::CaptureStderr();
    {
      UserOutput output;
      configure_log(LogLevel::kInfo, LogFormat::kText, "host", output.err_fd());
      output.start();
      body(output);
      output.end();
      configure_log(LogLevel::kInfo, LogFormat::kText, "host");
    }
    return testing::internal::GetCapturedStderr();
  }
};

TEST_F(UserOutputTest, BringsLinesOfBothStreamsIntoTheLog) {
  const std::string log = logged([](UserOutput&) {
    print(1, "one\n");
    print(2, "<4>two\n");
    std::printf("three");
  });
  EXPECT_THAT(log, HasSubstr("INFO  [host] one stream=stdout\n"));
  EXPECT_THAT(log, HasSubstr("WARN  [host] two stream=stderr\n"));
  EXPECT_THAT(log, HasSubstr("INFO  [host] three stream=stdout\n"));
}

TEST_F(UserOutputTest, LeavesTheDescriptorsAsTheyWere) {
  const std::string log = logged([](UserOutput& output) {
    EXPECT_NE(output.out_fd(), 1);
    EXPECT_NE(output.err_fd(), 2);
    EXPECT_NE(::fcntl(output.out_fd(), F_GETFD) & FD_CLOEXEC, 0);
    output.end();
    print(2, "plain again\n");
  });
  EXPECT_EQ(log, "plain again\n");
}

TEST_F(UserOutputTest, TakesMoreThanAPipeHolds) {
  const std::string log = logged([](UserOutput&) {
    for (int i = 0; i < 10'000; ++i) print(1, "a line of which there are very many\n");
  });
  EXPECT_THAT(log, HasSubstr(" lines of output were left out stream=stdout\n"));
}

TEST_F(UserOutputTest, IsFlushedInACrash) {
  const std::string log = logged([](UserOutput&) {
    print(1, "whole\nhalf");
    print(2, "<7>a detail\nneighbour\n");
    UserOutput::flush_in_crash(LogFormat::kText, "host");
  });
  EXPECT_THAT(log, HasSubstr("INFO  [host] whole stream=stdout\n"));
  EXPECT_THAT(log, HasSubstr("INFO  [host] half stream=stdout\n"));
  EXPECT_THAT(log, HasSubstr("INFO  [host] neighbour stream=stderr\n"));
  EXPECT_EQ(log.find("detail"), std::string::npos);
}

}  // namespace
}  // namespace bentohost
