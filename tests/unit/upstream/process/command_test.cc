#include "upstream/process/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bentohost::upstream {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::IsSupersetOf;
using testing::Not;
using testing::Pair;

using Words = std::vector<std::string>;

CommandInput some_input() {
  CommandInput input;
  input.interpreter = "/usr/bin/python3";
  input.socket = "/run/x/1.sock";
  input.port = 4711;
  return input;
}

mount::Mount mount_of(mount::AppKind kind, std::string app, std::string prefix = "/old") {
  mount::Mount mount;
  mount.prefix = std::move(prefix);
  mount.app.kind = kind;
  mount.app.app = std::move(app);
  mount.app.folder = "/srv/app";
  return mount;
}

mount::Mount command_mount(Words words) {
  mount::Mount mount = mount_of(mount::AppKind::kHttp, "", "/ui");
  mount.app.command = std::move(words);
  return mount;
}

TEST(CommandTest, AnAsgiAppIsOneUvicornWithoutWorkers) {
  const AppCommand command = command_for(mount_of(mount::AppKind::kAsgi, "main:app"), some_input());
  EXPECT_THAT(command.arguments,
              ElementsAre("/usr/bin/python3", "-m", "uvicorn", "--root-path", "/old", "--uds",
                          "/run/x/1.sock", "--forwarded-allow-ips", "*", "--no-access-log",
                          "--no-server-header", "--no-date-header", "--timeout-keep-alive", "75",
                          "--lifespan", "auto", "--", "main:app"));
  EXPECT_THAT(command.addresses, ElementsAre("/run/x/1.sock"));
  EXPECT_EQ(command.ready_target, "/");
}

TEST(CommandTest, AtTheRootThereIsNoRootPath) {
  for (const auto kind : {mount::AppKind::kAsgi, mount::AppKind::kWsgi}) {
    const AppCommand command = command_for(mount_of(kind, "main:app", ""), some_input());
    EXPECT_THAT(command.arguments, Not(Contains("--root-path")));
    EXPECT_EQ(command.ready_target, "/");
  }
  const AppCommand gunicorn =
      command_for(mount_of(mount::AppKind::kWsgiGunicorn, "main:app", ""), some_input());
  EXPECT_THAT(gunicorn.environment, Not(Contains(Pair("SCRIPT_NAME", testing::_))));
}

TEST(CommandTest, UvicornIsToldOfAFactoryByAFlag) {
  const Words arguments =
      command_for(mount_of(mount::AppKind::kAsgi, "main:create()"), some_input()).arguments;
  EXPECT_THAT(arguments, Contains("--factory"));
  EXPECT_EQ(arguments.back(), "main:create");
}

TEST(CommandTest, GunicornHasThreadsAndThePrefixInItsEnvironment) {
  mount::Mount mount = mount_of(mount::AppKind::kWsgiGunicorn, "main:create()");
  mount.app.threads = 7;
  mount.app.stop_timeout = std::chrono::milliseconds(2500);
  mount.app.ready_path = "/ping";
  const AppCommand command = command_for(mount, some_input());
  EXPECT_THAT(command.arguments,
              IsSupersetOf({"gunicorn", "unix:/run/x/1.sock", "gthread", "7", "0o77", "3"}));
  EXPECT_EQ(command.arguments.back(), "main:create()");
  EXPECT_THAT(command.environment, Contains(Pair("SCRIPT_NAME", "/old")));
  EXPECT_EQ(command.ready_target, "/old/ping") << "WSGI apps are sent the whole path";
}

TEST(CommandTest, AWsgiAppRunsInOurWorker) {
  mount::Mount mount = mount_of(mount::AppKind::kWsgi, "main:app");
  mount.app.threads = 4;
  const AppCommand command = command_for(mount, some_input());
  EXPECT_THAT(command.arguments,
              ElementsAre("/usr/bin/python3", "-m", "bento_wsgi", "--app", "main:app", "--unix",
                          "/run/x/1.sock", "--threads", "4", "--root-path", "/old"));
  EXPECT_EQ(command.ready_target, "/old/");
  mount.app.processes = 2;
  EXPECT_THAT(command_for(mount, some_input()).arguments, Contains("--multiprocess"));
}

TEST(CommandTest, ACommandThatNamesTheSocketIsAskedThereAlone) {
  const mount::Mount mount = command_mount({"node", "server.js", "--listen=unix:{socket}"});
  EXPECT_FALSE(takes_port(mount.app));
  const AppCommand command = command_for(mount, some_input());
  EXPECT_THAT(command.arguments, ElementsAre("node", "server.js", "--listen=unix:/run/x/1.sock"));
  EXPECT_THAT(command.addresses, ElementsAre("/run/x/1.sock"));
}

TEST(CommandTest, ACommandThatNamesThePortIsAskedThereAlone) {
  const mount::Mount mount = command_mount({"server", "127.0.0.1:{port}", "{port}/{port}"});
  EXPECT_TRUE(takes_port(mount.app));
  const AppCommand command = command_for(mount, some_input());
  EXPECT_THAT(command.arguments, ElementsAre("server", "127.0.0.1:4711", "4711/4711"));
  EXPECT_THAT(command.addresses, ElementsAre("127.0.0.1:4711"));
}

TEST(CommandTest, ACommandThatNamesNeitherMayUseEither) {
  const AppCommand command = command_for(command_mount({"node", "server.js"}), some_input());
  EXPECT_THAT(command.addresses, ElementsAre("/run/x/1.sock", "127.0.0.1:4711"));
  EXPECT_THAT(command.environment,
              IsSupersetOf(Variables{{"BENTO_SOCKET", "/run/x/1.sock"}, {"PORT", "4711"}}));
}

TEST(CommandTest, OnlyAFewOfTheHostsVariablesArePassedOn) {
  CommandInput input = some_input();
  input.host_environment = {{"PATH", "/bin"},          {"LC_ALL", "C.UTF-8"},
                            {"WEB_CONCURRENCY", "8"},  {"GUNICORN_CMD_ARGS", "--reload"},
                            {"SCRIPT_NAME", "/other"}, {"TZ", "UTC"},
                            {"PYTHONPATH", "/theirs"}, {"AWS_SECRET_ACCESS_KEY", "x"}};
  const AppCommand command = command_for(mount_of(mount::AppKind::kAsgi, "main:app"), input);
  EXPECT_THAT(command.environment, ElementsAre(Pair("BENTO_SOCKET", "/run/x/1.sock"),
                                               Pair("LC_ALL", "C.UTF-8"), Pair("PATH", "/bin"),
                                               Pair("PORT", "4711"), Pair("PYTHONPATH", "/srv/app"),
                                               Pair("PYTHONUNBUFFERED", "1"), Pair("TZ", "UTC")));
}

TEST(CommandTest, TheMountsVariablesComeLast) {
  CommandInput input = some_input();
  input.host_environment = {{"PATH", "/bin"}};
  input.extra_environment = {{"BENTO_RUNNERS", "/run/r.sock"}, {"PATH", "/extra"}};
  input.python_path = {"/lib/bento"};
  mount::Mount mount = mount_of(mount::AppKind::kAsgi, "main:app");
  mount.app.environment = {{"PATH", "/venv/bin"}, {"PYTHONPATH", "/own"}, {"MODE", "a=b"}};
  const AppCommand command = command_for(mount, input);
  EXPECT_THAT(command.environment,
              IsSupersetOf(Variables{{"PATH", "/venv/bin"},
                                     {"BENTO_RUNNERS", "/run/r.sock"},
                                     {"MODE", "a=b"},
                                     {"PYTHONPATH", "/srv/app:/lib/bento:/own"}}));
}

}  // namespace
}  // namespace bentohost::upstream
