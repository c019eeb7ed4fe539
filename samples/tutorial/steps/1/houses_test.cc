#include <gtest/gtest.h>

#include <bento/testing.hpp>

TEST(Houses, EstimatesThePriceOfEach) {
  bento::testing::Host host(bento_entry, {.plugin_dir = MODEL_DIR});
  EXPECT_EQ(host.post("/estimate", "[[120,4,30],[60,2,0]]").body, "[338500.0,186000.0]");
}

TEST(Houses, RefusesAHouseWithoutAge) {
  bento::testing::Host host(bento_entry, {.plugin_dir = MODEL_DIR});
  EXPECT_EQ(host.post("/estimate", "[[120,4]]").status, 400u);
}

TEST(Houses, DoesNotStartWithoutItsModel) {
  EXPECT_THROW(bento::testing::Host(bento_entry, R"({"model":"none.txt"})"), bento::Error);
}
