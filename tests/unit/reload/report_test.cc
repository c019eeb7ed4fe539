// The service table as operators read it.
#include "reload/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json/json.h"

namespace bentohost::reload {
namespace {

GenerationPtr generation(std::uint64_t number, State state) {
  auto made = std::make_shared<Generation>();
  made->service = "iris";
  made->number = number;
  made->version = "1." + std::to_string(number);
  made->build_id = "c0ffee";
  made->state = state;
  return made;
}

TEST(Report, TellsOfEachGeneration) {
  const auto doc = parse_json(
      services_json({{"iris",
                      "/x/libiris.so",
                      "/p",
                      false,
                      3,
                      1,
                      error_json("elf", "not \"ELF\""),
                      {generation(1, State::kDraining), generation(2, State::kServing)}}}));
  ASSERT_TRUE(doc.ok()) << doc.status().message();
  const auto& plugin = (*doc)["plugins"][0];
  EXPECT_STREQ(plugin["service"].GetString(), "iris");
  EXPECT_STREQ(plugin["kind"].GetString(), "service");
  EXPECT_STREQ(plugin["file"].GetString(), "/x/libiris.so");
  EXPECT_EQ(plugin["generation"].GetUint64(), 2u);
  EXPECT_EQ(plugin["reloads"].GetUint64(), 3u);
  EXPECT_EQ(plugin["failures"].GetUint64(), 1u);
  EXPECT_STREQ(plugin["last_error"]["step"].GetString(), "elf");
  EXPECT_STREQ(plugin["last_error"]["message"].GetString(), "not \"ELF\"");
  const auto& old = plugin["generations"][0];
  EXPECT_STREQ(old["state"].GetString(), "draining");
  EXPECT_STREQ(old["version"].GetString(), "1.1");
  EXPECT_STREQ(old["build_id"].GetString(), "c0ffee");
  EXPECT_EQ(old["requests"].GetUint64(), 0u) << "nobody holds it";
  EXPECT_STREQ(old["loaded_at"].GetString(), "1970-01-01T00:00:00Z");
}

TEST(Report, HasNoErrorUntilThereIsOne) {
  const auto doc = parse_json(services_json(
      {{"cors", "/x/libcors.so", "", true, 0, 0, "", {generation(1, State::kServing)}}}));
  ASSERT_TRUE(doc.ok());
  EXPECT_TRUE((*doc)["plugins"][0]["last_error"].IsNull());
  EXPECT_STREQ((*doc)["plugins"][0]["kind"].GetString(), "middleware");
}

}  // namespace
}  // namespace bentohost::reload
