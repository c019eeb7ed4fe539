// bento::testing::Host: APIs, their inputs and outputs, runners and options.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/testing.hpp>
#include <cmath>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "sdk/testing/service_entry.h"

namespace {

using ::testing::HasSubstr;

struct Doubler {
  explicit Doubler(const bento::RunnerContext& context) : worker(context.worker()) {
    if (context.options().text("model") == "none") {
      throw bento::Error(BENTO_NOT_FOUND, "no such model");
    }
    context.log(bento::Log::kInfo, "loaded " + context.options().path("model"));
  }
  bento::Tensor<double> twice(bento::TensorView<double> x) {
    auto y = bento::Tensor<double>::copy(x);
    for (std::size_t i = 0; i < y.size(); ++i) y.data()[i] *= 2;
    return y;
  }
  std::string shout(std::string_view text) {
    if (text.empty()) throw bento::Error(BENTO_UNAVAILABLE, "nothing to shout");
    return std::string(text) + "!";
  }
  std::uint32_t worker;
};

void describe(bento::Service& svc) {
  svc.name("everything").version("1.0");
  svc.option("model", "a.bin", "a model").option("factor", 3, "a number");
  svc.on_startup([](const bento::Options& options) {
    if (options.integer("factor") == 0) throw std::runtime_error("a factor of 0");
  });
  auto runner = svc.runner<Doubler>("doubler");
  auto twice = runner.method<&Doubler::twice>(
      "twice", {.batchable = true, .input = bento::NDArray<double>({-1, 2})});
  auto shout = runner.method<&Doubler::shout>("shout");

  svc.api("twice", twice);
  svc.api("twice_by_handler",
          [=](bento::Context& ctx, bento::TensorView<double> x) { return twice.run(ctx, x); });
  svc.api("both", [=](bento::Context& ctx, std::string_view text) {
    auto one = shout.async_run(ctx, text), other = shout.async_run(ctx, "b");
    return one.get() + other.get();
  });
  svc.api("quick", {.quick = true},
          [=](bento::Context& ctx, std::string_view text) { return shout.run(ctx, text); });
  svc.api("echo_json", {.input = bento::JsonIO().schema(R"({"required":["a"]})")},
          [](bento::Json json) { return json; });
  svc.api("echo_file", {.input = bento::FileIO("image/png")}, [](bento::Bytes b) { return b; });
  svc.api("ints",
          [](bento::TensorView<std::int8_t> x) { return bento::Tensor<std::int8_t>::copy(x); });
  svc.api("bools", [](bento::TensorView<bool> x) { return bento::Tensor<bool>::copy(x); });
  svc.api("logarithm", [](bento::TensorView<float> x) {
    auto y = bento::Tensor<float>::copy(x);
    for (std::size_t i = 0; i < y.size(); ++i) y.data()[i] = std::log(y.data()[i]);
    return y;
  });
  svc.api("show", {.route = "/models/{model}/{version}:show", .method = "GET"},
          [](bento::Context& ctx) {
            return std::string(ctx.path_param("model")) + "|" +
                   std::string(ctx.path_param("version"));
          });
  svc.api("latest", {.route = "/models/{model}/latest:show", .method = "GET"},
          [](bento::Context& ctx) { return "latest " + std::string(ctx.path_param("model")); });
  svc.api("created", {.method = "PUT", .max_body = 4},
          [](bento::Context& ctx, std::string_view text) {
            ctx.set_status(201);
            ctx.add_header("x-by", std::string(ctx.header("x-by")));
            ctx.log(bento::Log::kWarning, "made one");
            return std::string(text);
          });
  svc.api("fails", {.method = "DELETE"}, [](bento::Context&) -> std::string {
    throw bento::Error(BENTO_PERMISSION_DENIED, "not this one");
  });
  svc.api("throws", [](std::string_view) -> std::string { throw std::runtime_error("a bug"); });
  svc.api("factor", {.method = "GET"}, [](bento::Context& ctx) {
    return std::to_string(ctx.options().integer("factor")) + " " + ctx.options().path("model") +
           " " + std::string(bento::detail::view(ctx.scope().query));
  });
  svc.api("late", {.method = "GET"}, [](bento::Context& ctx) {
    while (!ctx.cancelled()) std::this_thread::yield();
    return "cancelled";
  });
}

const bento_plugin_entry& kEntry = bento::fakes::kEntry<&describe>;

class ApiTest : public ::testing::Test {
 protected:
  bento::testing::Host host{kEntry};
};

TEST_F(ApiTest, ADirectApiAnswersWithItsRunnersResult) {
  const auto response = host.post("/twice", "[[1, 2.5], [-3, 0]]");
  EXPECT_EQ(response.status, 200u) << response.body;
  EXPECT_EQ(response.body, "[[2.0,5.0],[-6.0,0.0]]");
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_TRUE(response.is_whole);
}

TEST_F(ApiTest, AHandlerCallsRunnersInPlace) {
  EXPECT_EQ(host.post("/twice_by_handler", "[[1, 2]]").body, "[[2.0,4.0]]");
  EXPECT_EQ(host.post("/both", "a").body, "a!b!");
}

TEST_F(ApiTest, WhatARunnerThrowsIsTheAnswer) {
  const auto response = host.post("/both", "");
  EXPECT_EQ(response.status, 503u);
  EXPECT_THAT(response.body, HasSubstr("nothing to shout"));
  EXPECT_TRUE(host.has_logged("nothing to shout"));
}

TEST_F(ApiTest, AQuickHandlerIsRefusedItsRunners) {
  const auto response = host.post("/quick", "a");
  EXPECT_EQ(response.status, 500u);
  EXPECT_THAT(response.body, HasSubstr("a quick handler or a hook cannot call runners"));
}

TEST_F(ApiTest, AnArrayThatDoesNotFitIs400AndTheMessageSaysWhy) {
  const auto refused = [&](std::string path, std::string body, const char* why) {
    const auto response = host.post(std::move(path), std::move(body));
    EXPECT_EQ(response.status, 400u);
    EXPECT_THAT(response.body, HasSubstr(why));
  };
  refused("/twice", "[[1,2,3]]", "expected an array of shape (n, 2), got (1, 3)");
  refused("/twice", "[[1,2],[3]]", "ragged");
  refused("/twice", "[[1,2],3]", "ragged");
  refused("/twice", "[[1,[2]]]", "ragged");
  refused("/twice", "[[1,\"2\"]]", "expected float64, got a string at [0][1]");
  refused("/twice", "[[1,2]", "line 1 column 7: missing a comma or ] after an array element");
  refused("/ints", "[300]", "expected int8, got 300 at [0]");
  refused("/ints", "[0.5]", "expected int8, got 0.5 at [0]");
  refused("/bools", "[2]", "expected bool, got 2 at [0]");
}

TEST_F(ApiTest, AnInputThatTheRunnerDoesNotTakeIsTheHandlersMistake) {
  const auto response = host.post("/twice_by_handler", "[[1,2,3]]");
  EXPECT_EQ(response.status, 500u);
  EXPECT_THAT(response.body, HasSubstr("takes shape (n, 2), got (1, 3)"));
}

TEST_F(ApiTest, NumbersAreReadAsTheElementsDemand) {
  EXPECT_EQ(host.post("/ints", "[3.0, -128, true, 1e2]").body, "[3,-128,1,100]");
  EXPECT_EQ(host.post("/bools", "[[true], [0]]").body, "[[true],[false]]");
  EXPECT_EQ(host.post("/ints", "7").body, "7");
  EXPECT_EQ(host.post("/twice", "[]").body, "[]");
}

TEST_F(ApiTest, NumbersThatJsonLacksAre500) {
  EXPECT_EQ(host.post("/logarithm", "[1]").body, "[0.0]");
  EXPECT_EQ(host.post("/logarithm", "[0]").status, 500u);
}

TEST_F(ApiTest, JsonIsHeldAgainstItsSchema) {
  const auto response = host.post("/echo_json", R"({"a":1})");
  EXPECT_EQ(response.body, R"({"a":1})");
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(host.post("/echo_json", R"({"b":1})").status, 422u);
  EXPECT_EQ(host.post("/echo_json", "{").status, 400u);
}

TEST_F(ApiTest, AFileKeepsItsTypeAndIsHeldAgainstIt) {
  const auto response = host.post("/echo_file", "abc", {{"Content-Type", "image/PNG; x=y"}});
  EXPECT_EQ(response.body, "abc");
  EXPECT_EQ(response.content_type, "image/png");
  EXPECT_EQ(host.post("/echo_file", "abc", {{"Content-Type", "image/gif"}}).status, 415u);
  EXPECT_EQ(host.post("/echo_file", "abc").status, 415u);
}

TEST_F(ApiTest, TextHasToBeUtf8) {
  EXPECT_EQ(host.post("/both", "\xff").status, 400u);
  EXPECT_EQ(host.post("/both", "é").content_type, "text/plain; charset=utf-8");
}

TEST_F(ApiTest, RoutesHaveParametersAndTheMostLiteralGoesFirst) {
  EXPECT_EQ(host.get("/models/a%20b/1:show").body, "a b|1");
  EXPECT_EQ(host.get("/models/x/latest:show").body, "latest x");
  EXPECT_EQ(host.get("/models/x/:show").status, 404u);
  EXPECT_EQ(host.get("/models/x/y/1:show").status, 404u);
}

TEST_F(ApiTest, GetAnswersHeadWithoutTheBody) {
  const auto response = host.send("HEAD", "/factor", "");
  EXPECT_EQ(response.status, 200u);
  EXPECT_EQ(response.headers.get("content-length"), "10");
  EXPECT_EQ(response.body, "");
}

TEST_F(ApiTest, UnknownPathsAre404AndOtherMethods405) {
  EXPECT_EQ(host.get("/nothing").status, 404u);
  const auto refused = host.get("/twice");
  EXPECT_EQ(refused.status, 405u);
  EXPECT_EQ(refused.headers.get("allow"), "POST, OPTIONS");
  EXPECT_EQ(refused.content_type, "application/problem+json");
  const auto options = host.send("OPTIONS", "/factor", "");
  EXPECT_EQ(options.status, 204u);
  EXPECT_EQ(options.headers.get("allow"), "GET, HEAD, OPTIONS");
}

TEST_F(ApiTest, AHandlerSetsStatusAndHeadersAndLogs) {
  const auto response = host.put("/created", "abcd", {{"X-By", "me"}});
  EXPECT_EQ(response.status, 201u);
  EXPECT_EQ(response.headers.get("x-by"), "me");
  ASSERT_FALSE(host.log().empty());
  EXPECT_EQ(host.log().back().message, "made one");
  EXPECT_EQ(host.log().back().level, bento::Log::kWarning);
  EXPECT_EQ(host.log().back().request_id, response.headers.get("x-request-id"));
  EXPECT_EQ(host.put("/created", "abcde").status, 413u);
}

TEST_F(ApiTest, ErrorsBecomeStatusesAndProblems) {
  const auto response = host.del("/fails");
  EXPECT_EQ(response.status, 403u);
  EXPECT_THAT(response.body, HasSubstr("\"detail\":\"not this one\""));
  EXPECT_THAT(response.body, HasSubstr("\"instance\":\"/fails\""));
  EXPECT_EQ(host.post("/throws", "").status, 500u);
  EXPECT_TRUE(host.has_logged("a bug"));
}

TEST_F(ApiTest, OptionsHaveTheirDefaults) {
  EXPECT_EQ(host.get("/factor?a=%20").body, "3 ./a.bin a=%20");
  EXPECT_TRUE(host.has_logged("loaded ./a.bin"));
}

TEST(Host, TakesOptionsAndAFolder) {
  {
    bento::testing::Host host(kEntry, R"({"factor":7})");
    EXPECT_EQ(host.get("/factor").body, "7 ./a.bin ");
  }
  bento::testing::Host host(kEntry, {.options = R"({"model":"b"})", .plugin_dir = "/models"});
  EXPECT_EQ(host.get("/factor").body, "3 /models/b ");
}

TEST(Host, RefusesOptionsThatTheServiceDoesNotHave) {
  EXPECT_THROW(bento::testing::Host(kEntry, R"({"factr":7})"), bento::Error);
  EXPECT_THROW(bento::testing::Host(kEntry, R"({"factor":"7"})"), bento::Error);
  EXPECT_THROW(bento::testing::Host(kEntry, "[]"), bento::Error);
}

TEST(Host, ThrowsWhatARunnerOrAHookFailsWithAndCanBeMadeAgain) {
  EXPECT_THROW(bento::testing::Host(kEntry, R"({"model":"none"})"), bento::Error);
  EXPECT_THROW(bento::testing::Host(kEntry, R"({"factor":0})"), bento::Error);
  EXPECT_EQ(bento::testing::Host(kEntry).get("/factor").status, 200u);
}

TEST(Host, TellsHandlersOfTheDeadline) {
  bento::testing::Host host(kEntry, {.timeout = std::chrono::milliseconds(1)});
  EXPECT_EQ(host.get("/late").body, "cancelled");
}

std::string hooks_called;
void describe_hooks(bento::Service& svc) {
  svc.name("hooks");
  svc.on_startup([](const bento::Options&) { hooks_called += "startup "; });
  svc.on_ready([](const bento::Options&) { hooks_called += "ready "; });
  svc.on_shutdown([](const bento::Options&) { hooks_called += "shutdown "; });
}

TEST(Host, CallsTheHooksInTheirOrder) {
  hooks_called.clear();
  {
    bento::testing::Host host(bento::fakes::kEntry<&describe_hooks>);
    EXPECT_EQ(hooks_called, "startup ready ");
  }
  EXPECT_EQ(hooks_called, "startup ready shutdown ");
}

}  // namespace
