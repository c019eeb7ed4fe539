#include "base/process/crash_report.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "base/loop/event_loop.h"
#include "base/loop/thread_pool.h"
#include "base/process/exits.h"
#include "base/process/plugin_call_note.h"
#include "base/process/signal_safe_line.h"
#include "base/process/signal_stack.h"
#include "sanitizers/sanitizers.h"

namespace bentohost {
namespace {

#define SKIP_UNDER_TSAN() \
  if (kThreadSanitizer) GTEST_SKIP() << "ThreadSanitizer and death tests do not go together"

// For the signals that it handles, AddressSanitizer reports after us, and exits.
auto died_of(int number) {
  return [number](int status) {
    return testing::KilledBySignal(number)(status) ||
           (kAddressSanitizer && testing::ExitedWithCode(1)(status));
  };
}

void say_goodbye() { [[maybe_unused]] const auto n = ::write(STDERR_FILENO, "goodbye\n", 8); }

PluginCallNote a_call() {
  return {"iris", "/p/libiris.so", "api classify", "POST", "/classify", "r 1"};
}

void install(LogFormat format) {
  install_crash_report(format, "host", {&say_goodbye, nullptr, nullptr});
}

TEST(CrashReport, NamesTheCallBeforeTheSignalTakesItsCourse) {
  SKIP_UNDER_TSAN();
  EXPECT_EXIT(
      {
        install(LogFormat::kText);
        const PluginCallNote call = a_call();
        (void)call_plugin(call, [](bento_error*) -> bento_code {
          ::raise(SIGABRT);
          return BENTO_OK;
        });
      },
      died_of(SIGABRT),
      "goodbye\n.* ERROR \\[host\\] crashed by SIGABRT \\(signal 6\\) in a call into the plugin "
      "service=iris plugin=/p/libiris.so call=\"api classify\" method=POST path=/classify "
      "request_id=\"r 1\"\n.*  #0 ");
}

// In a library, as user code is: the tested program is not linked to it.
bento_code exits(bento_error*) {
  std::exit(3);
  return BENTO_OK;
}

TEST(CrashReport, NamesTheCallThatExits) {
  SKIP_UNDER_TSAN();
  for (const bool is_crash : {false, true}) {
    const auto report = testing::ContainsRegex(
        "exited with code 3 in a call into the plugin: it called exit\\(\\) service=iris "
        "plugin=/p/libiris.so call=\"api classify\" method=POST path=/classify "
        "request_id=\"r 1\"\n.*  #0 .*exits");
    const auto goodbye = testing::EndsWith("goodbye\n");
    EXPECT_EXIT(
        {
          std::atexit([] { say_goodbye(); });
          install_crash_report(LogFormat::kText, "host", {nullptr, nullptr, nullptr, is_crash});
          const PluginCallNote call = a_call();
          (void)call_plugin(call, &exits);
        },
        testing::ExitedWithCode(3),
        testing::AllOf(report, testing::Conditional(is_crash, testing::Not(goodbye), goodbye)));
  }
}

TEST(CrashReport, LetsTheHostExitAsItLikes) {
  SKIP_UNDER_TSAN();
  EXPECT_EXIT(
      {
        install(LogFormat::kText);
        std::exit(4);
      },
      testing::ExitedWithCode(4), "^$");
  EXPECT_EXIT(
      {
        install(LogFormat::kText);
        const PluginCallNote call = a_call();
        const CallScope scope(call);
        end_process(5);
      },
      testing::ExitedWithCode(5), "^$");
}

TEST(CrashReport, IsJsonWhereTheLogIs) {
  SKIP_UNDER_TSAN();
  EXPECT_EXIT(
      {
        install(LogFormat::kJson);
        ::raise(SIGBUS);
      },
      died_of(SIGBUS),
      "\"level\":\"error\",\"component\":\"host\",\"message\":\"crashed by SIGBUS \\(signal 7\\), "
      "not in a call into a plugin\"}");
}

TEST(CrashReport, WorksOnTheThreadsThatTheHostMakes) {
  SKIP_UNDER_TSAN();
  EXPECT_EXIT(
      {
        install(LogFormat::kText);
        ThreadPool threads(1, 1);
        threads.run([] {
          stack_t stack{};
          ::sigaltstack(nullptr, &stack);
          if ((stack.ss_flags & SS_DISABLE) == 0) ::raise(SIGFPE);
        });
        for (;;) ::pause();
      },
      died_of(SIGFPE), "SIGFPE");
}

TEST(CallScope, IsTheInnermostAndEndsWithTheCall) {
  EXPECT_EQ(current_call, nullptr);
  const PluginCallNote outer{"a", {}, {}, {}, {}, {}}, inner{"b", {}, {}, {}, {}, {}};
  {
    const CallScope one(outer);
    {
      const CallScope two(inner);
      EXPECT_EQ(current_call->service, "b");
    }
    EXPECT_EQ(current_call->service, "a");
  }
  EXPECT_EQ(current_call, nullptr);
}

class LineOf {
 public:
  LineOf() { EXPECT_EQ(::pipe(pipe_), 0); }
  ~LineOf() {
    ::close(pipe_[0]);
    ::close(pipe_[1]);
  }
  std::string operator()(SignalSafeLine& line) {
    line.write_to(pipe_[1]);
    std::string text(16384, '\0');
    text.resize(static_cast<std::size_t>(::read(pipe_[0], text.data(), text.size())));
    return text;
  }

 private:
  int pipe_[2];
};

TEST(SignalSafeLine, IsALineOfTheLog) {
  std::string now;
  append_timestamp(now);
  SignalSafeLine line(LogFormat::kText, "host");
  line.text("it is ").number(42).text(" at ").number(255, 16);
  line.field("path", "/a b\"\n\xC3\xA4").field("none", "").field("plain", "x/y.so");
  const std::string text = LineOf()(line);
  EXPECT_EQ(text.substr(0, 17), now.substr(0, 17));  // to the minute
  EXPECT_EQ(text.size(), now.size() + text.substr(now.size()).size());
  EXPECT_EQ(text.substr(now.size()),
            " ERROR [host] it is 42 at 0xff path=\"/a b\\\"\\x0a\\xc3\\xa4\" plain=x/y.so\n");
}

TEST(SignalSafeLine, IsAnObjectOfJson) {
  SignalSafeLine line(LogFormat::kJson, "host");
  line.text("a \"b\"").field("c", "\n");
  const std::string text = LineOf()(line);
  EXPECT_NE(text.find(R"(Z","level":"error","component":"host","message":"a \"b\"","c":"\u000a"})"),
            std::string::npos)
      << text;
}

TEST(SignalSafeLine, IsForTheLogOfAParentWhereItIsRelayed) {
  SignalSafeLine line(LogFormat::kRelayed, "runner");
  line.text("it is ").number(42).field("plain", "x/y.so").field("path", "/a b");
  EXPECT_EQ(LineOf()(line), "<3>it is 42 plain=x/y.so path=\"/a b\"\n");
}

TEST(SignalSafeLine, CutsOffWhatDoesNotFit) {
  SignalSafeLine line(LogFormat::kText, "host");
  line.text(std::string(100'000, 'x'));
  const std::string text = LineOf()(line);
  EXPECT_LT(text.size(), 10'000u);
  EXPECT_TRUE(text.ends_with("xx\n"));
}

}  // namespace
}  // namespace bentohost
