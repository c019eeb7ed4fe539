#include "base/recycled.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace bentohost {
namespace {

int live = 0;

struct Counted {
  explicit Counted(std::string its_text) : text(std::move(its_text)) { ++live; }
  ~Counted() { --live; }
  const std::string text;
};

TEST(Recycled, ConstructsAndDestroysEachObject) {
  for (int i = 0; i < 3; ++i) {
    auto first = make_recycled<Counted>("first");
    const std::weak_ptr<Counted> watched = first;
    EXPECT_EQ(make_recycled<Counted>("second")->text, "second");
    EXPECT_EQ(first->text, "first");
    EXPECT_EQ(live, 1);
    first.reset();
    EXPECT_EQ(live, 0);
    EXPECT_TRUE(watched.expired());
  }
}

#if BENTO_RECYCLES
TEST(Recycled, UsesTheMemoryOfTheLastOneThatEnded) {
  auto one = make_recycled<Counted>("one");
  const Counted* const place = one.get();
  one.reset();
  EXPECT_EQ(make_recycled<Counted>("two").get(), place);
}
#endif

TEST(Recycled, TakesBackMoreThanItKeeps) {
  std::array<std::shared_ptr<Counted>, 3 * RecyclingAllocator<Counted>::kMostKept> many;
  for (int round = 0; round < 2; ++round) {
    for (auto& each : many) each = make_recycled<Counted>("one of many");
    for (auto& each : many) each.reset();
  }
  EXPECT_EQ(live, 0);
}

TEST(Recycled, MayEndOnAnotherThreadAndAfterItsOwn) {
  std::shared_ptr<Counted> here = make_recycled<Counted>("made here");
  std::shared_ptr<Counted> there;
  std::thread([&] {
    here.reset();
    there = make_recycled<Counted>("made there");
  }).join();
  EXPECT_EQ(there->text, "made there");
  there.reset();
  EXPECT_EQ(live, 0);
}

}  // namespace
}  // namespace bentohost
