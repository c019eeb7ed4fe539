#include "base/memory_budget.h"

#include <gtest/gtest.h>

namespace bentohost {
namespace {

TEST(MemoryBudget, GivesNoMoreThanThereIs) {
  MemoryBudget budget(10'000);
  Reservation one(&budget), other(&budget);
  EXPECT_TRUE(one.grow_to(6'000));
  EXPECT_FALSE(other.grow_to(5'000));
  EXPECT_EQ(budget.used(), 6'000u);
  EXPECT_TRUE(one.grow_to(10'000));
  EXPECT_FALSE(one.grow_to(10'001));
  EXPECT_EQ(budget.used(), 10'000u) << "what it held, it holds";
  one.release();
  EXPECT_TRUE(other.grow_to(5'000));
}

TEST(MemoryBudget, TakesBackWhatAReservationHeld) {
  MemoryBudget budget(10'000);
  { EXPECT_TRUE(Reservation(&budget).grow_to(9'000)); }
  EXPECT_EQ(budget.used(), 0u);
}

TEST(MemoryBudget, DoesNotCountWhatIsSmall) {
  MemoryBudget budget(1);
  Reservation small(&budget);
  EXPECT_TRUE(small.grow_to(Reservation::kUncounted));
  EXPECT_FALSE(small.grow_to(Reservation::kUncounted + 1));
}

TEST(MemoryBudget, NeedsNotBeThere) { EXPECT_TRUE(Reservation(nullptr).grow_to(1u << 30)); }

}  // namespace
}  // namespace bentohost
