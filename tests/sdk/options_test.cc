#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/context.hpp>

#include "sdk/fake_host.h"

namespace bento {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class OptionsTest : public testing::Test {
 protected:
  fakes::FakeHost host_{
      R"({"t":"a\u0000b","n":1.5,"i":-3,"b":true,"l":["x","y"],"mixed":["x",1],"abs":"/m","rel":"m"})"};
  Options options_{&host_.table};
};

TEST_F(OptionsTest, AreWhatTheHostSays) {
  EXPECT_EQ(options_.text("t"), std::string("a\0b", 3));
  EXPECT_EQ(options_.number("n"), 1.5);
  EXPECT_EQ(options_.number("i"), -3.0) << "a whole number is a number";
  EXPECT_EQ(options_.integer("i"), -3);
  EXPECT_TRUE(options_.boolean("b"));
  EXPECT_THAT(options_.strings("l"), ElementsAre("x", "y"));
}

TEST_F(OptionsTest, MeansRelativePathsFromThePluginsFolder) {
  EXPECT_EQ(options_.path("rel"), "/plugins/m");
  EXPECT_EQ(options_.path("abs"), "/m");
}

TEST_F(OptionsTest, ThrowWhenAskedForWhatIsNotThere) {
  EXPECT_THROW((void)options_.text("none"), Error);
  EXPECT_THROW((void)options_.integer("n"), Error);
  EXPECT_THROW((void)options_.text("n"), Error);
  EXPECT_THROW((void)options_.strings("mixed"), Error);
  try {
    (void)options_.boolean("t");
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "option t is not a boolean");
    EXPECT_EQ(e.code(), BENTO_INVALID_ARGUMENT);
  }
}

TEST(Options, AreNoneWithoutAny) {
  fakes::FakeHost host("");
  const Options options(&host.table);
  EXPECT_THROW((void)options.text("t"), Error);
}

TEST(Context, KnowsThePathsParametersAndNoOthers) {
  fakes::FakeHost host;
  const Options options(&host.table);
  const bento_pair params[] = {{fakes::str("model"), fakes::str("iris")},
                               {fakes::str("version"), fakes::str("2")}};
  bento_ctx ctx;
  ctx.scope.path_params = {params, 2};
  const Context context(&host.table, &ctx, options);
  EXPECT_EQ(context.path_param("version"), "2");
  EXPECT_THROW((void)context.path_param("modle"), Error);
}

TEST(Context, ShowsTheRequestAndShapesItsAnswer) {
  fakes::FakeHost host;
  const Options options(&host.table);
  const bento_pair headers[] = {{fakes::str("accept"), fakes::str("a")},
                                {fakes::str("accept"), fakes::str("b")}};
  bento_ctx ctx;
  ctx.scope.request_id = fakes::str("r1");
  ctx.scope.headers = {headers, 2};
  ctx.cancelled = true;
  Context context(&host.table, &ctx, options);
  EXPECT_EQ(context.request_id(), "r1");
  EXPECT_EQ(context.header("accept"), "a");
  EXPECT_EQ(context.header("cookie"), "");
  EXPECT_TRUE(context.cancelled());
  context.set_status(201);
  context.add_header("X-A", "1");
  context.log(Log::kWarning, "careful");
  EXPECT_EQ(ctx.status, 201u);
  EXPECT_EQ(ctx.headers[0].first, "X-A");
  EXPECT_EQ(host.logged[0].first, BENTO_LOG_WARNING);
  EXPECT_THROW(context.set_status(1000), Error);
}

TEST(RunnerContext, KnowsItsWorkerAndLogsWithoutARequest) {
  fakes::FakeHost host(R"({"m":1})");
  const RunnerContext context(&host.table, 3);
  EXPECT_EQ(context.worker(), 3u);
  EXPECT_EQ(context.options().integer("m"), 1);
  context.log(Log::kInfo, "loaded");
  EXPECT_EQ(host.logged[0].second, "loaded");
}

}  // namespace
}  // namespace bento
