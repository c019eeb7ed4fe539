#include "mount/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "mount/parse.h"

namespace bentohost::mount {
namespace {

using testing::HasSubstr;

TEST(Options, AreListedWithMeaningAndKinds) {
  const std::string help = options_help();
  for (const Option& option : options()) {
    EXPECT_THAT(help, HasSubstr("  " + std::string(option.name) + "=")) << option.name;
    EXPECT_FALSE(option.doc.empty());
  }
  EXPECT_THAT(help, HasSubstr("Only of asgi and http\n"));
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 100u) << line;
    EXPECT_TRUE(line.starts_with("  ")) << line;
  }
}

// The defaults that the docs name are those of AppSpec: setting them changes nothing.
TEST(Options, HaveTheDefaultsThatTheirDocsSay) {
  for (const Option& option : options()) {
    const std::size_t open = option.doc.find('(');
    if (open == option.doc.npos) continue;
    const std::string_view rest = option.doc.substr(open + 1);
    const std::string value(rest.substr(0, rest.find_first_of(":)")));
    if (std::holds_alternative<TextField>(option.field)) continue;  // "" stands for the default
    AppSpec app;
    app.kind = option.is_for(AppKind::kAsgi) ? AppKind::kAsgi : AppKind::kWsgi;
    const AppSpec before = app;
    ASSERT_EQ(set_option(app, option.name, value).message(), "") << option.name;
    EXPECT_EQ(app.processes, before.processes);
    EXPECT_EQ(app.threads, before.threads);
    EXPECT_EQ(app.start_timeout, before.start_timeout);
    EXPECT_EQ(app.stop_timeout, before.stop_timeout);
    EXPECT_EQ(app.max_memory, before.max_memory);
    EXPECT_EQ(app.max_requests, before.max_requests);
    EXPECT_EQ(app.max_connections, before.max_connections);
    EXPECT_EQ(app.max_queue, before.max_queue);
    EXPECT_EQ(app.connect_timeout, before.connect_timeout);
    EXPECT_EQ(app.send_timeout, before.send_timeout);
    EXPECT_EQ(app.read_timeout, before.read_timeout);
    EXPECT_EQ(app.tunnel_timeout, before.tunnel_timeout);
    EXPECT_EQ(app.prefixes_cookies, before.prefixes_cookies);
  }
}

TEST(Options, TakeValuesInTheirRange) {
  for (const auto& [name, value] : {
           std::pair{"processes", "256"},
           std::pair{"threads", "1024"},
           std::pair{"max_requests", "4000000000"},
           std::pair{"max_connections", "65536"},
           std::pair{"max_queue", "16777216"},
           std::pair{"start_timeout", "0.25"},
           std::pair{"max_memory", "0"},
           std::pair{"prefix_cookies", "off"},
           std::pair{"ready_path", "/"},
           std::pair{"folder", "."},
           std::pair{"env.A", ""},
       }) {
    AppSpec app;
    app.kind = AppKind::kWsgi;
    EXPECT_EQ(set_option(app, name, value).message(), "") << name;
  }
  for (const auto& [name, value] : {
           std::pair{"processes", "257"},
           std::pair{"processes", "-1"},
           std::pair{"threads", "1025"},
           std::pair{"max_requests", "4000000001"},
           std::pair{"max_connections", "65537"},
           std::pair{"max_queue", "16777217"},
           std::pair{"start_timeout", "86401"},
           std::pair{"start_timeout", "30s"},
           std::pair{"max_memory", "-1"},
           std::pair{"prefix_cookies", "yes"},
           std::pair{"ready_path", "/\xc3\xbc"},
           std::pair{"ready_path", "/a#b"},
           std::pair{"interpreter", ""},
       }) {
    AppSpec app;
    app.kind = AppKind::kWsgi;
    EXPECT_THAT(set_option(app, name, value).message(), HasSubstr("expected")) << name << value;
  }
}

}  // namespace
}  // namespace bentohost::mount
