// The service without bentohost: what it is made of, model by model.
#include <gtest/gtest.h>

#include <bento/testing.hpp>
#include <fstream>

namespace {

bento::testing::Host host_of(const std::string& model) {
  return bento::testing::Host(
      bento_entry, {.options = "{\"model\":\"" + model + "\"}", .plugin_dir = MODEL_DIR});
}

std::string file_of(const std::string& text) {
  const std::string path = testing::TempDir() + "linear_test.txt";
  std::ofstream(path) << text;
  return path;
}

std::string refusal(const std::string& text) {
  try {
    host_of(file_of(text));
  } catch (const bento::Error& error) {
    return error.what();
  }
  return "";
}

TEST(Linear, IsTheModelOfItsFile) {
  bento::testing::Host iris = host_of("linear_iris.txt");
  EXPECT_EQ(iris.get("/model").body,
            R"({"inputs":["sepal_length","sepal_width","petal_length","petal_width"],)"
            R"("labels":["setosa","versicolor","virginica"]})");
  EXPECT_EQ(iris.post("/classify", "[[5.1,3.5,1.4,0.2],[5.9,3.0,5.1,1.8]]").body,
            "setosa\nvirginica\n");
  EXPECT_EQ(iris.post("/classify", "[[1,2,3]]").status, 400u) << "it has four inputs";
}

TEST(Linear, IsAnotherServiceWithAnotherFile) {
  bento::testing::Host weather = host_of("linear_weather.txt");
  EXPECT_EQ(weather.post("/classify", "[[12,95,3],[25,40,2],[-4,60,9]]").body,
            "umbrella\nsunglasses\ncoat\n");
}

TEST(Linear, TakesAModelOfOneInput) {
  bento::testing::Host small = host_of(file_of("inputs a\nyes 1 2\n"));
  EXPECT_EQ(small.post("/scores", "[[3]]").body, "[[7.0]]");
}

TEST(Linear, SaysWhatIsWrongWithItsFile) {
  EXPECT_NE(refusal("inputs a b\nyes 1 2\n").find("line 2: expected yes, its bias, and 2 weights"),
            std::string::npos)
      << refusal("inputs a b\nyes 1 2\n");
  EXPECT_NE(refusal("inputs a\nyes 1 x\n").find("line 2"), std::string::npos);
  EXPECT_NE(refusal("").find("no weights in it"), std::string::npos);
}

}  // namespace
