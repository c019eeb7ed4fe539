// The iris service without a server: its sources are linked into this program.
#include <gtest/gtest.h>

#include <bento/testing.hpp>

TEST(Iris, ClassifiesASetosa) {
  bento::testing::Host host(bento_entry, {.plugin_dir = MODEL_DIR});
  EXPECT_EQ(host.post("/classify", "[[4.9,3.0,1.4,0.2]]").body, "[0]");
}

TEST(Iris, ClassifiesThroughItsHandlerToo) {
  bento::testing::Host host(bento_entry, {.plugin_dir = MODEL_DIR});
  const auto response =
      host.post("/v1/models/iris_classifier/predict", "[[7.0,3.2,4.7,1.4],[6.3,3.3,6.0,2.5]]");
  EXPECT_EQ(response.body, "[1,2]");
}

TEST(Iris, RefusesAFlowerOfThreeFeatures) {
  bento::testing::Host host(bento_entry, {.plugin_dir = MODEL_DIR});
  const auto response = host.post("/classify", "[[4.9,3.0,1.4]]");
  EXPECT_EQ(response.status, 400u);
  EXPECT_NE(response.body.find("expected an array of shape (n, 4)"), std::string::npos);
}

TEST(Iris, DoesNotStartWithoutItsModel) {
  EXPECT_THROW(bento::testing::Host(bento_entry, R"({"model":"none.svm"})"), bento::Error);
}
