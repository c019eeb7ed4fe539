// Services that are described after their options: in bento::testing::Host, and by their entry.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/testing.hpp>
#include <cstddef>
#include <string>
#include <vector>

#include "sdk/testing/service_entry.h"

namespace {

using ::testing::HasSubstr;

void describe(bento::Service& svc) {
  svc.name("labels").option("labels", std::vector<std::string>{"a"}).option("file", "labels.txt");
  svc.watched("/always.txt");
  svc.configure([](bento::Service& service, const bento::Options& options) {
    service.watched(options.path("file"));
    const auto labels = options.strings("labels");
    if (labels.empty()) throw bento::Error(BENTO_INVALID_ARGUMENT, "no labels");
    for (const std::string& label : labels) {
      service.api(label, [](bento::Context& ctx) { return ctx.options().instance(); });
    }
    service.on_startup([](const bento::Options& hooked) {
      if (hooked.strings("labels")[0] == "stop") throw bento::Error(BENTO_UNAVAILABLE, "stopped");
    });
  });
}
const bento_plugin_entry& entry = bento::fakes::kEntry<describe>;

TEST(Configure, AddsWhatDependsOnTheOptions) {
  bento::testing::Host host(entry, R"({"labels":["x","y"]})");
  EXPECT_EQ(host.post("/x", "").body, "labels") << "its own name";
  EXPECT_EQ(host.post("/y", "").status, 200u);
  EXPECT_EQ(host.post("/a", "").status, 404u);
}

TEST(Configure, EndsTheStartWithWhatItThrows) {
  try {
    bento::testing::Host host(entry, R"({"labels":[]})");
    FAIL() << "it started";
  } catch (const bento::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no labels"));
    EXPECT_EQ(error.code(), BENTO_INVALID_ARGUMENT);
  }
}

TEST(Configure, MayAddHooks) {
  EXPECT_THROW(bento::testing::Host(entry, R"({"labels":["stop"]})"), bento::Error);
}

// What the entry does with a host that is just this.
class ConfigureEntryTest : public ::testing::Test {
 protected:
  ConfigureEntryTest() {
    host_.size = sizeof host_;
    host_.abi_major = BENTO_ABI_MAJOR;
    host_.abi_minor = BENTO_ABI_MINOR;
    host_.plugin_dir = bento::detail::str("/srv");
    host_.options = bento::detail::str(R"({"labels":["x"],"file":"m.txt"})");
  }
  ~ConfigureEntryTest() override { entry.close(); }

  bento_host host_{};
  bento_error error_ = bento::detail::make_error();
};

TEST_F(ConfigureEntryTest, NamesTheFilesThatItIsMadeFrom) {
  const bento_service* opened = entry.open(&host_, &error_);
  ASSERT_NE(opened, nullptr) << error_.message;
  EXPECT_EQ(opened->n_apis, 0u);
  EXPECT_EQ(opened->n_files, 1u);
  const bento_service* whole = entry.configure(&host_, &error_);
  ASSERT_NE(whole, nullptr) << error_.message;
  EXPECT_EQ(whole->n_apis, 1u);
  ASSERT_EQ(whole->n_files, 2u);
  EXPECT_EQ(bento::detail::view(whole->files[0]), "/always.txt");
  EXPECT_EQ(bento::detail::view(whole->files[1]), "/srv/m.txt");
}

TEST_F(ConfigureEntryTest, NeedsAHostThatCallsIt) {
  host_.abi_minor = 0;
  host_.size = offsetof(bento_host, instance);
  EXPECT_EQ(entry.open(&host_, &error_), nullptr);
  EXPECT_THAT(error_.message, HasSubstr("needs a bentohost of ABI 1.1"));
}

}  // namespace
