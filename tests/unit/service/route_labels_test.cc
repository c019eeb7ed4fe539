#include "service/route_labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace bentohost::service {
namespace {

class RouteLabelsTest : public testing::Test {
 protected:
  observe::Metrics metrics_{"test"};
  RouteLabels labels_{metrics_};
  const RouteLabel& mount_ = *labels_.get("/app/*");
};

TEST_F(RouteLabelsTest, AreOneForEachRoute) {
  EXPECT_EQ(labels_.get("/classify"), labels_.get("/classify"));
  EXPECT_EQ(labels_.unmatched()->route, "");
}

TEST_F(RouteLabelsTest, TellTheRoutesOfAnAppApart) {
  const RouteLabel* flowers = labels_.get_below(mount_, "/flowers/{id}");
  ASSERT_NE(flowers, nullptr);
  EXPECT_EQ(flowers->route, "/app/flowers/{id}");
  EXPECT_EQ(labels_.get_below(mount_, "/flowers/{id}"), flowers);
  EXPECT_EQ(labels_.get_below(*labels_.get("/*"), "/")->route, "/");
}

TEST_F(RouteLabelsTest, RefuseWhatIsNoRoute) {
  for (const std::string& route :
       {std::string(), std::string("flowers"), std::string("/a b"), std::string("/a\n"),
        std::string("/\xff"), "/" + std::string(RouteLabels::kMaxLength, 'x')}) {
    EXPECT_EQ(labels_.get_below(mount_, route), nullptr) << route;
  }
}

TEST_F(RouteLabelsTest, AreSoManyOfAMountAtMost) {
  const RouteLabel* first = labels_.get_below(mount_, "/0");
  for (std::size_t i = 1; i < RouteLabels::kMaxRoutesOfAMount; ++i) {
    EXPECT_NE(labels_.get_below(mount_, "/" + std::to_string(i)), &mount_);
  }
  EXPECT_EQ(labels_.get_below(mount_, "/one/more"), &mount_);
  EXPECT_EQ(labels_.get_below(mount_, "/0"), first) << "what is known stays known";
  EXPECT_NE(labels_.get_below(*labels_.get("/other/*"), "/one/more"), nullptr);
  EXPECT_EQ(labels_.get_below(*labels_.get("/other/*"), "/one/more")->route, "/other/one/more");
}

}  // namespace
}  // namespace bentohost::service
