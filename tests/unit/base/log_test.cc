#include "base/log.h"

#include <Poco/Logger.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/unique_fd.h"
#include "json/json.h"

namespace bentohost {
namespace {

using testing::EndsWith;
using testing::MatchesRegex;

constexpr char kTime[] = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z";

class Log : public testing::Test {
 protected:
  ~Log() override { configure_log(LogLevel::kInfo, LogFormat::kText, "host"); }

  template <typename Body>
  static std::string lines_of(Body body) {
    testing::internal::CaptureStderr();
    body();
    return testing::internal::GetCapturedStderr();
  }
};

template <typename Append>
std::string appended(Append append, std::string_view text) {
  std::string out;
  append(out, text);
  return out;
}

// The bytes in a pipe, without waiting for more.
std::string drain(int fd) {
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  std::string all;
  char part[4096];
  for (ssize_t n = 0; (n = ::read(fd, part, sizeof part)) > 0;) {
    all.append(part, static_cast<std::size_t>(n));
  }
  return all;
}

TEST_F(Log, LosesLinesThatNobodyReadsInsteadOfWaitingAndSaysSoLater) {
  configure_log(LogLevel::kInfo, LogFormat::kText, "host");
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]), writer(ends[1]), before(::dup(STDERR_FILENO));
  ::dup2(writer.get(), STDERR_FILENO);
  for (int i = 0; i < 3000; ++i) log_info("a line of some length, more of them than a pipe holds");
  const std::string read = drain(reader.get());
  log_info("the next");
  const std::string then = drain(reader.get());
  ::dup2(before.get(), STDERR_FILENO);
  const auto kept = std::count(read.begin(), read.end(), '\n');
  EXPECT_GT(kept, 100);
  EXPECT_THAT(then, testing::HasSubstr("the next\n"));
  EXPECT_THAT(then, EndsWith("could not be written lines=" + std::to_string(3000 - kept) + "\n"));
}

TEST_F(Log, WritesOneLineOfTextAnEvent) {
  configure_log(LogLevel::kInfo, LogFormat::kText, "host");
  const std::string line = lines_of([] {
    log_info("runner is up", {{"runner", "iris_clf"}, {"args", "-j 2"}, {"empty", ""}});
  });
  EXPECT_THAT(line, MatchesRegex(std::string(kTime) + " INFO  .host. runner is up.*\n"));
  EXPECT_THAT(line, EndsWith("[host] runner is up runner=iris_clf args=\"-j 2\" empty=\"\"\n"));
}

TEST_F(Log, WritesOneJsonObjectAnEvent) {
  configure_log(LogLevel::kInfo, LogFormat::kJson, "runner:iris_clf:0");
  const std::string line = lines_of([] {
    log_error("it \"broke\"", {{"why", "a\nb"}, {"also", "\xff"}});
  });
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto event = parse_json(line);
  ASSERT_TRUE(event.ok()) << event.status().message();
  EXPECT_THAT((*event)["time"].GetString(), MatchesRegex(kTime));
  EXPECT_STREQ((*event)["level"].GetString(), "error");
  EXPECT_STREQ((*event)["component"].GetString(), "runner:iris_clf:0");
  EXPECT_STREQ((*event)["message"].GetString(), "it \"broke\"");
  EXPECT_STREQ((*event)["why"].GetString(), "a\nb");
  EXPECT_STREQ((*event)["also"].GetString(), "\uFFFD");
  EXPECT_EQ(event->MemberCount(), 6u);
}

TEST_F(Log, WritesNumbersAsNumbers) {
  configure_log(LogLevel::kInfo, LogFormat::kJson, "host");
  const std::string line = lines_of([] {
    const std::size_t many = 18446744073709551615u;
    log_info("m", {{"status", 503}, {"lines", many}, {"below", -1}});
  });
  EXPECT_THAT(line, EndsWith("\"status\":503,\"lines\":18446744073709551615,"
                             "\"below\":-1}\n"));
  configure_log(LogLevel::kInfo, LogFormat::kText, "host");
  EXPECT_THAT(lines_of([] { log_info("m", {{"status", 503}}); }), EndsWith(" m status=503\n"));
}

TEST_F(Log, KeepsThePluginsNamesApartFromItsOwn) {
  configure_log(LogLevel::kInfo, LogFormat::kJson, "host");
  const LogField fields[] = {{"status", "fine", true}, {"request_id", "1"}, {"time", "noon", true}};
  const std::string line = lines_of([&] { log_fields(LogLevel::kInfo, "m", fields, 3); });
  EXPECT_THAT(line,
              EndsWith(R"("message":"m","request_id":"1","fields":{"status":"fine","time":"noon"}})"
                       "\n"));
}

TEST_F(Log, KeepsFieldsInTheirOrder) {
  EXPECT_THAT(lines_of([] {
                log_info("m", {{"z", "1"}, {"a", "2"}, {"k", "3"}});
              }),
              EndsWith("m z=1 a=2 k=3\n"));
}

TEST_F(Log, LeavesOutWhatIsBelowTheLevel) {
  configure_log(LogLevel::kWarning, LogFormat::kText, "host");
  EXPECT_FALSE(log_enabled(LogLevel::kInfo));
  EXPECT_TRUE(log_enabled(LogLevel::kWarning));
  EXPECT_EQ(lines_of([] { log_info("quiet"); }), "");
  EXPECT_THAT(lines_of([] { log_warning("loud"); }), EndsWith(" WARN  [host] loud\n"));
}

TEST_F(Log, IsSilentWhenOff) {
  configure_log(LogLevel::kOff, LogFormat::kText, "host");
  EXPECT_FALSE(log_enabled(LogLevel::kError));
  EXPECT_FALSE(log_enabled(LogLevel::kOff));
  EXPECT_EQ(lines_of([] { log_error("nothing"); }), "");
}

TEST_F(Log, LetsNoTextBeginALineOfItsOwn) {
  const std::string line = lines_of([] {
    log_info("a\nb\x1b[2J", {{"path", "/x\r\n2026 ERROR y=\"1\""}});
  });
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_THAT(line, EndsWith(R"(a\x0ab\x1b[2J path="/x\r\n2026 ERROR y=\"1\"")"
                             "\n"));
}

TEST_F(Log, TakesWhatPocosOwnCodeLogs) {
  configure_log(LogLevel::kInfo, LogFormat::kText, "host");
  EXPECT_THAT(lines_of([] { Poco::Logger::root().fatal("from elsewhere"); }),
              EndsWith("ERROR [] from elsewhere\n"));
}

TEST_F(Log, TakesAListThatIsKnownAtRunTime) {
  const LogField fields[] = {{"a", "1"}, {"b", "2"}};
  EXPECT_THAT(lines_of([&] { log_fields(LogLevel::kInfo, "m", fields, 2); }),
              EndsWith("m a=1 b=2\n"));
}

TEST(LogOptions, ReadsItsOwnNamesAndLeavesTheRestAlone) {
  for (const LogLevel level : {LogLevel::kTrace, LogLevel::kDebug, LogLevel::kInfo,
                               LogLevel::kWarning, LogLevel::kError, LogLevel::kOff}) {
    LogLevel read = level == LogLevel::kOff ? LogLevel::kInfo : LogLevel::kOff;
    EXPECT_TRUE(parse_log_level(to_string(level), read));
    EXPECT_EQ(read, level);
  }
  LogLevel level = LogLevel::kError;
  EXPECT_FALSE(parse_log_level("loud", level));
  EXPECT_EQ(level, LogLevel::kError);
  LogFormat format = LogFormat::kText;
  EXPECT_TRUE(parse_log_format("json", format));
  EXPECT_EQ(format, LogFormat::kJson);
  EXPECT_FALSE(parse_log_format("xml", format));
  EXPECT_EQ(format, LogFormat::kJson);
}

TEST(LogText, EscapesForJson) {
  const auto escaped = [](std::string_view text) { return appended(append_json_escaped, text); };
  EXPECT_EQ(escaped("plain é 日本 😀"), "plain é 日本 😀");
  EXPECT_EQ(escaped("a\"b\\c\n\t\r"), R"(a\"b\\c\n\t\r)");
  EXPECT_EQ(escaped(std::string_view("\0\x1f\x7f", 3)), R"(\u0000\u001f\u007f)");
  EXPECT_EQ(escaped("\xff|\xc3|\xe2\x82|\xc0\xaf"), R"(\ufffd|\ufffd|\ufffd\ufffd|\ufffd\ufffd)");
  EXPECT_EQ(escaped("\xed\xa0\x80"), R"(\ufffd\ufffd\ufffd)") << "a surrogate";
  EXPECT_EQ(escaped("\xf4\x90\x80\x80"), R"(\ufffd\ufffd\ufffd\ufffd)") << "beyond U+10FFFF";
  EXPECT_EQ(escaped("\xc2\x9b"), R"(\u009b)") << "CSI, which a terminal obeys";
}

TEST(LogText, KeepsATerminalLineOneLine) {
  const auto printable = [](std::string_view text) { return appended(append_printable, text); };
  EXPECT_EQ(printable("é \"ok\""), "é \"ok\"");
  EXPECT_EQ(printable("a\n\x1b\x7f\xff"), R"(a\x0a\x1b\x7f\xff)");
  EXPECT_EQ(printable("\xc2\x9b"), R"(\xc2\x9b)");
}

TEST(LogText, QuotesAValueOnlyWhereItMust) {
  const auto value = [](std::string_view text) { return appended(append_value, text); };
  EXPECT_EQ(value("127.0.0.1:80"), "127.0.0.1:80");
  EXPECT_EQ(value("a b"), "\"a b\"");
  EXPECT_EQ(value("a=b"), "\"a=b\"");
  EXPECT_EQ(value("a\"b"), R"("a\"b")");
  EXPECT_EQ(value(""), "\"\"");
}

TEST(LogText, StampsTheTimeInUtc) {
  std::string out;
  append_timestamp(out);
  append_timestamp(out);
  EXPECT_THAT(out, MatchesRegex(std::string(kTime) + kTime));
}

}  // namespace
}  // namespace bentohost
