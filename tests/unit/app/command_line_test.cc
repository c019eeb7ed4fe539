// The command line as a whole; its parts are in config_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "app/config.h"

namespace bentohost::app {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(CommandLine, ReadsEachOption) {
  const auto line = parse_command_line({"--plugin",
                                        "liba.so",
                                        "--plugin=/b=libb.so",
                                        "--host",
                                        "::1",
                                        "--port=8080",
                                        "--threads",
                                        "9",
                                        "--runner-workers",
                                        "2",
                                        "--runner-workers",
                                        "clf=3",
                                        "--timeout",
                                        "1.5",
                                        "--max-body",
                                        "1k",
                                        "--log-level",
                                        "debug",
                                        "--log-format",
                                        "json",
                                        "--access-log",
                                        "off",
                                        "--set",
                                        "a.b=c"});
  ASSERT_TRUE(line.ok()) << line.status().message();
  const Config& config = (*line).config;
  EXPECT_EQ(config.plugins.size(), 2u);
  EXPECT_EQ(config.plugins[1].prefix, "/b");
  EXPECT_EQ(config.host, "::1");
  EXPECT_EQ(config.port, 8080);
  EXPECT_EQ(config.threads, 9u);
  EXPECT_EQ(config.runner_workers, 2u);
  EXPECT_EQ(config.runner_workers_of.at("clf"), 3u);
  EXPECT_EQ(config.timeout, 1500ms);
  EXPECT_EQ(config.limits.max_body, 1024u);
  EXPECT_EQ(config.log_level, LogLevel::kDebug);
  EXPECT_EQ(config.log_format, LogFormat::kJson);
  EXPECT_FALSE(config.access_log);
  EXPECT_EQ(config.settings.size(), 1u);
}

TEST(CommandLine, NamesTheOptionThatIsWrong) {
  const auto message = [](const std::vector<std::string>& arguments) {
    return parse_command_line(arguments).status().message();
  };
  EXPECT_THAT(message({"--port", "x"}), HasSubstr("--port x: expected a number from 0 to 65535"));
  EXPECT_THAT(message({"--bogus"}), HasSubstr("bogus"));
  EXPECT_THAT(message({"stray"}), HasSubstr("stray"));
  EXPECT_THAT(message({}), HasSubstr("nothing to serve; give a plugin, such as --plugin"));
}

TEST(CommandLine, MountsProgramsWithAndWithoutPlugins) {
  const auto line = parse_command_line(
      {"--mount-set", "/old.threads=8", "--mount", "/=asgi:fastapi_app:app",
       "--mount=/old=wsgi:flask_app:app", "--mount-set=/old.env.A=b=c",
       "--mount-set=/.folder=/srv/web", "--mount-set", "/.interpreter=venv/bin/python"});
  ASSERT_TRUE(line.ok()) << line.status().message();
  const std::vector<mount::Mount>& mounts = (*line).config.mounts;
  ASSERT_EQ(mounts.size(), 2u);
  EXPECT_EQ(mounts[0].prefix, "");
  EXPECT_EQ(mounts[0].app.folder, "/srv/web");
  EXPECT_EQ(mounts[0].app.interpreter, "/srv/web/venv/bin/python");
  EXPECT_EQ(mounts[1].prefix, "/old");
  EXPECT_EQ(mounts[1].app.threads, 8u);
  EXPECT_EQ(mounts[1].app.environment[0].second, "b=c");
  EXPECT_EQ(mounts[1].app.folder, std::filesystem::current_path()) << "the working folder";
  EXPECT_TRUE(parse_command_line({"--plugin", "x.so", "--mount", "/a=http:x"}).ok());
}

TEST(CommandLine, SaysWhichMountIsWrong) {
  const auto message = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--mount", "/old=wsgi:a:b"});
    return parse_command_line(arguments).status().message();
  };
  EXPECT_EQ(message({}), "");
  EXPECT_EQ(message({"--mount", "/old/=asgi:c:d"}),
            "--mount /old/=asgi:c:d: there is another --mount at this prefix");
  EXPECT_THAT(message({"--mount", "/x"}), HasSubstr("--mount /x: expected /PREFIX=KIND:APP"));
  EXPECT_EQ(message({"--mount-set", "/new.threads=1"}),
            "--mount-set /new.threads=1: there is no --mount at /new; they are at /old");
  EXPECT_THAT(message({"--mount-set", "/old.thread=1"}),
              HasSubstr("--mount-set /old.thread=1: an app of kind wsgi has no option thread; did "
                        "you mean threads?"));
  EXPECT_THAT(
      parse_command_line({"--plugin", "x.so", "--mount-set", "/a.threads=1"}).status().message(),
      HasSubstr("there is no --mount at /a; there are none"));
}

TEST(CommandLine, HasASupervisorUnlessToldNotTo) {
  EXPECT_TRUE(parse_command_line({"--plugin", "x.so"})->config.supervisor);
  EXPECT_FALSE(parse_command_line({"--plugin", "x.so", "--no-supervisor"})->config.supervisor);
}

TEST(CommandLine, WantsEachArgument) {
  for (const char* option : {"--plugin", "--port", "--set", "--timeout"}) {
    const Status status = parse_command_line({"--plugin", "libx.so", option}).status();
    EXPECT_EQ(status.code(), BENTO_INVALID_ARGUMENT) << option;
    EXPECT_THAT(status.message(), HasSubstr(option + 2));
  }
}

TEST(CommandLine, RefusesTwiceWhatCountsOnce) {
  const Status status =
      parse_command_line({"--plugin", "libx.so", "--port", "1", "--port", "2"}).status();
  EXPECT_THAT(status.message(), HasSubstr("port"));
}

TEST(CommandLine, HelpsWithoutAPluginAndWhateverComesAfter) {
  EXPECT_EQ((*parse_command_line({"--help", "--bogus"})).action, CommandLine::Action::kHelp);
  EXPECT_EQ((*parse_command_line({"-h"})).action, CommandLine::Action::kHelp);
  EXPECT_EQ((*parse_command_line({"--version"})).action, CommandLine::Action::kVersion);
}

TEST(CommandLine, CountsWorkersOfAllAndOfOne) {
  for (const char* wrong : {"0", "x", "clf=", "clf=0", "clf=1025"}) {
    const Status status =
        parse_command_line({"--plugin", "libx.so", "--runner-workers", wrong}).status();
    EXPECT_THAT(status.message(), HasSubstr("from 1 to 1024, or [SERVICE.]RUNNER=N")) << wrong;
  }
}

TEST(HelpText, NamesEachOptionWithItsDefault) {
  const std::string text = help_text();
  for (const char* said : {"--plugin",
                           "--set",
                           "--mount /PREFIX",
                           "--mount-set",
                           "  threads=N",
                           "--host",
                           "127.0.0.1",
                           "--port",
                           "(3000)",
                           "--threads",
                           "(512)",
                           "--runner-workers",
                           "--max-queue",
                           "(1024)",
                           "--max-queue-bytes",
                           "(256m)",
                           "--timeout",
                           "(60)",
                           "--timeout-graceful-shutdown",
                           "(30)",
                           "--max-body",
                           "(64m)",
                           "--log-level",
                           "--log-format",
                           "--access-log",
                           "--debug",
                           "--version",
                           "--help",
                           "SIGTERM"}) {
    EXPECT_THAT(text, HasSubstr(said));
  }
}

}  // namespace
}  // namespace bentohost::app
