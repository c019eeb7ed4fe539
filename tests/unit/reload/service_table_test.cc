// What the service table answers by itself, before any plugin is loaded and any process started.
#include "reload/service_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

namespace bentohost::reload {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class ServiceTableTest : public testing::Test {
 protected:
  ServiceTable& make(std::vector<ServiceSlotOptions> slots) {
    ServiceTableOptions options;
    options.slots = std::move(slots);
    options.copy_dir = testing::TempDir();
    options.plugin_folders = {testing::TempDir() + "no_such_folder"};
    return table_.emplace(std::move(options),
                          ServiceTable::Deps{deps_, dispatcher_, loops_, loops_[0], metrics_});
  }

  SteadyClock clock_;
  observe::Metrics metrics_{"test"};
  service::RequestDeps deps_{clock_, metrics_};
  service::Dispatcher dispatcher_{deps_};
  const std::vector<std::shared_ptr<EventLoop>> loops_ = {std::make_shared<EventLoop>(clock_)};
  std::optional<ServiceTable> table_;
};

TEST_F(ServiceTableTest, DoesNotBeginAReloadOfAServiceThatIsNotThere) {
  ServiceTable& table = make({});
  const ReloadResult result = table.reload("nobody", true);
  EXPECT_EQ(result.status.code(), BENTO_NOT_FOUND);
  EXPECT_THAT(result.status.message(), StartsWith("there is no service nobody"));
  EXPECT_EQ(result.result, "unknown");
  EXPECT_EQ(result.http_status(), 404);
  EXPECT_EQ(result.generation, 0u);
  EXPECT_THAT(metrics_.text(), Not(HasSubstr("nobody"))) << "no label is made of what clients send";
  EXPECT_FALSE(table.has_changed("nobody"));
}

TEST_F(ServiceTableTest, NamesThePluginThatIsNotThere) {
  ServiceTable& table = make({{"libnosuch.so", "", false, "", ""}});
  const Status status = table.start();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), AllOf(HasSubstr("libnosuch.so"), Not(HasSubstr("--use"))));
  EXPECT_TRUE(table.stop(clock_.now() + std::chrono::seconds(10), false));
}

TEST_F(ServiceTableTest, NamesTheUseWhosePluginIsNotThere) {
  ServiceTable& table = make({{"libnosuch.so", "", true, "", "nosuch"}});
  EXPECT_THAT(table.start().message(), StartsWith("--use nosuch: "));
  EXPECT_TRUE(table.stop(clock_.now() + std::chrono::seconds(10), false));
}

}  // namespace
}  // namespace bentohost::reload
