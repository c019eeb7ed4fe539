#include "base/nearest_name.h"

#include <gtest/gtest.h>

#include <array>

namespace bentohost {
namespace {

constexpr std::array<std::string_view, 4> kKnown = {"threads", "processes", "folder", "max_queue"};

TEST(DidYouMean, NamesTheNearestOfNamesThatAreNear) {
  for (const auto& [name, nearest] : {
           std::pair{"thread", "threads"},
           std::pair{"Threads", "threads"},
           std::pair{"proceses", "processes"},
           std::pair{"floder", "folder"},
           std::pair{"max-queue", "max_queue"},
           std::pair{"maxqueue", "max_queue"},
       }) {
    EXPECT_EQ(did_you_mean(name, kKnown), "; did you mean " + std::string(nearest) + "?") << name;
  }
}

TEST(DidYouMean, SaysNothingOfUnrelatedNames) {
  for (const std::string& name : {std::string(), std::string("x"), std::string("environment"),
                                  std::string("workers"), std::string(1000, 't')}) {
    EXPECT_EQ(did_you_mean(name, kKnown), "") << name;
  }
  EXPECT_EQ(did_you_mean("threads", {}), "");
}

}  // namespace
}  // namespace bentohost
