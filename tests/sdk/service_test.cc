// A service as the host sees it: the description, and the functions behind its pointers. The one of
// this file is made with the macro that plugins use.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/bento.hpp>
#include <cstring>

#include "sdk/fake_channel.h"
#include "sdk/fake_host.h"

namespace {

using bento::fakes::make_tensor;

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> steps;  // the hooks and models that came and went

struct Model {
  explicit Model(const bento::RunnerContext& context) : factor(context.options().number("factor")) {
    if (factor < 0) throw bento::Error(BENTO_INVALID_ARGUMENT, "a negative factor");
    steps.push_back("model " + std::to_string(context.worker()));
  }
  ~Model() { steps.emplace_back("no model"); }

  bento::Tensor<double> scale(bento::TensorView<double> x) {
    auto y = bento::Tensor<double>::copy(x);
    for (std::size_t i = 0; i < y.size(); ++i) y.data()[i] *= factor;
    return y;
  }
  std::string name(const std::string& who) const noexcept { return who + "!"; }
  bento::Json fails(bento::Json) { throw std::runtime_error("out of luck"); }

  double factor;
};

// A model that keeps what it was made from.
struct Attentive {
  explicit Attentive(const bento::RunnerContext& made_from) : context(made_from) {}
  bento::Json tell(bento::Json json) {
    context.log(bento::Log::kInfo, context.options().text("file"));
    return json;
  }
  const bento::RunnerContext& context;
};

// A model that needs nothing to be made.
struct Plain {
  bento::Json same(bento::Json json) { return json; }
};

std::string shout(std::string_view text) { return std::string(text) + "!"; }
std::string greet(bento::Context& ctx, const std::string& name) noexcept {
  return std::string(ctx.request_id()) + " " + name;
}

}  // namespace

BENTO_SERVICE(svc) {
  svc.name("test").version("1.0").doc("For tests.");
  svc.option("factor", 2.0, "a \"number\"")
      .option("n", 3)
      .option("on", true)
      .option("size", 4u)
      .option("file", "m");
  svc.option("list", std::vector<std::string>{"a", "b"});

  auto runner = svc.runner<Model>("model");
  auto scale = runner.method<&Model::scale>("scale", {.batchable = true,
                                                      .idempotent = true,
                                                      .max_batch = 10,
                                                      .max_latency_ms = 5,
                                                      .axis_in = 1,
                                                      .input = bento::NDArray<double>({-1, -1})});
  runner.method<&Model::name>("name");
  runner.method<&Model::fails>("fails");
  runner.method("length", [](Model&, std::string_view text) {
    return bento::Tensor<std::int64_t>{static_cast<std::int64_t>(text.size())};
  });
  svc.runner<Plain>("plain").method<&Plain::same>("same");
  svc.runner<Attentive>("attentive").method<&Attentive::tell>("tell");

  svc.api("direct", scale, {.route = "/v1/scale", .doc = "scales"});
  svc.api("handled", [=](bento::Context& ctx, bento::TensorView<double> x) {
    return scale.run(ctx, bento::Tensor<double>::copy(x));
  });
  svc.api("shout", shout);
  svc.api("greet", {.route = "/hi"}, greet);
  svc.api("literal", [](std::string_view) { return "as it is"; });
  svc.api("throws", [](bento::Json) -> bento::Json {
    throw bento::Error(BENTO_NOT_FOUND, "no such flower");
  });
  svc.api("upload", {.max_body = 10}, [](bento::Stream& stream) {
    for (std::string_view piece : stream.body()) stream.send(piece);
  });
  svc.api("ticks", {.route = "/t/{n}", .method = "GET"},
          [](bento::Context& ctx, bento::EventStream& out) {
            if (ctx.path_param("n") == "0") return;
            out.send({.data = "1"});
            throw bento::Error(BENTO_NOT_FOUND, "no second tick");
          });
  svc.api("bare", {.method = "DELETE"},
          [](bento::Context& ctx) { return std::string(ctx.request_id()); });
  svc.files("/static", "w\"w", {.cache_control = "no-cache"});
  svc.files("/more", bento::FromOption{"file"});
  svc.on_startup(
      [](const bento::Options& options) { steps.push_back("up " + options.text("file")); });
  svc.on_shutdown([](const bento::Options&) { throw std::runtime_error("does not want to"); });
}

namespace {

class ServiceTest : public testing::Test {
 protected:
  ServiceTest() {
    steps.clear();
    service_ = bento_entry.open(&host_.table, &error_);
  }
  ~ServiceTest() override {
    if (self_ != nullptr) service_->destroy(self_);
    bento_entry.close();
  }

  void create() { ASSERT_EQ(service_->create(&host_.table, &self_, &error_), BENTO_OK); }
  const bento_api& api(std::string_view name) const {
    for (std::size_t i = 0; i < service_->n_apis; ++i) {
      if (bento::fakes::text(service_->apis[i]->name) == name) return *service_->apis[i];
    }
    throw std::logic_error("no such api");
  }
  const bento_method& method(std::size_t index) const {
    return *service_->runners[0]->methods[index];
  }
  bento_code invoke(std::string_view name, const bento_value& input) {
    const bento_value* const inputs[] = {&input};
    const bento_api& called = api(name);
    return called.invoke(self_, &called, &ctx_, inputs, 1, sink_.get(), &error_);
  }
  bento_code run(std::size_t index, const bento_value& input, void* model) {
    const bento_value* const inputs[] = {&input};
    const std::uint32_t rows[] = {1};
    return method(index).run(model, &method(index), nullptr, inputs, 1, rows, 1, sink_.get(),
                             &error_);
  }
  // A raw API's function, on the test's channel.
  bento_code stream(std::string_view name) {
    const bento_api& called = api(name);
    const bento_call call{sizeof call, 0, &ctx_, &ctx_.scope, channel_.get()};
    return called.raw(self_, &called, &call, &error_);
  }
  static bento_value text(std::string_view text) {
    return bento::fakes::make_bytes(BENTO_BYTES, text);
  }

  bento::fakes::FakeHost host_{R"({"factor":2.0,"file":"m"})"};
  bento::fakes::FakeSink sink_;
  bento::fakes::FakeChannel channel_;
  bento_error error_ = bento::fakes::make_error();
  bento_ctx ctx_;
  const bento_service* service_ = nullptr;
  void* self_ = nullptr;
};

TEST_F(ServiceTest, HasAnEntryOfThisAbi) {
  EXPECT_EQ(bento_entry.size, sizeof bento_entry);
  EXPECT_EQ(bento_entry.abi_major, BENTO_ABI_MAJOR);
  EXPECT_THAT(bento_entry.built_with, HasSubstr("bento-sdk"));
}

TEST_F(ServiceTest, IsDescribedAsItSays) {
  ASSERT_NE(service_, nullptr);
  EXPECT_EQ(bento::fakes::text(service_->name), "test");
  EXPECT_EQ(service_->n_apis, 9u);
  ASSERT_EQ(service_->n_runners, 3u);
  EXPECT_EQ(service_->on_ready, nullptr) << "there is no such hook";
  EXPECT_EQ(service_->runners[0]->n_methods, 4u);
  const bento_method& scale = method(0);
  EXPECT_EQ(scale.flags, BENTO_BATCHABLE | BENTO_IDEMPOTENT);
  EXPECT_EQ(scale.max_batch, 10u);
  EXPECT_EQ(scale.max_latency_ms, 5u);
  EXPECT_EQ(scale.axis_in, 1);
  EXPECT_EQ(scale.in->ndim, 2u);
  EXPECT_EQ(scale.out->dtype, static_cast<std::uint32_t>(BENTO_F64));
}

TEST_F(ServiceTest, LeavesADirectApiToTheHost) {
  const bento_api& direct = api("direct");
  EXPECT_EQ(bento::fakes::text(direct.route), "/v1/scale");
  EXPECT_EQ(bento::fakes::text(direct.runner), "model");
  EXPECT_EQ(bento::fakes::text(direct.method), "scale");
  EXPECT_EQ(direct.invoke, nullptr);
  EXPECT_EQ(direct.in, nullptr) << "the method's own";
}

TEST_F(ServiceTest, WritesASchemaForItsOptions) {
  rapidjson::Document schema;
  schema.Parse(service_->options_schema.ptr, service_->options_schema.len);
  ASSERT_FALSE(schema.HasParseError());
  EXPECT_FALSE(schema["additionalProperties"].GetBool());
  const auto& options = schema["properties"];
  EXPECT_STREQ(options["factor"]["type"].GetString(), "number");
  EXPECT_STREQ(options["factor"]["description"].GetString(), "a \"number\"");
  EXPECT_EQ(options["n"]["default"].GetInt(), 3);
  EXPECT_FALSE(options["n"].HasMember("minimum"));
  EXPECT_EQ(options["size"]["minimum"].GetInt(), 0) << "its type has no sign";
  EXPECT_STREQ(options["on"]["type"].GetString(), "boolean");
  EXPECT_STREQ(options["file"]["default"].GetString(), "m");
  EXPECT_STREQ(options["list"]["items"]["type"].GetString(), "string");
  EXPECT_EQ(options["list"]["default"].Size(), 2u);
}

TEST_F(ServiceTest, RunsItsHooks) {
  create();
  EXPECT_EQ(service_->on_startup(self_, &error_), BENTO_OK);
  EXPECT_THAT(steps, ElementsAre("up m"));
  EXPECT_EQ(service_->on_shutdown(self_, &error_), BENTO_INTERNAL);
  EXPECT_STREQ(error_.message, "does not want to");
}

TEST_F(ServiceTest, CallsFunctionsAsHandlers) {
  create();
  ctx_.scope.request_id = bento::fakes::str("r1");
  EXPECT_EQ(invoke("shout", text("hey")), BENTO_OK);
  EXPECT_EQ(invoke("greet", text("you")), BENTO_OK);
  EXPECT_EQ(sink_.results[0].bytes, "hey!");
  EXPECT_EQ(sink_.results[1].bytes, "r1 you");
  EXPECT_EQ(bento::fakes::text(api("greet").route), "/hi");
  EXPECT_EQ(invoke("literal", text("")), BENTO_OK);
  EXPECT_EQ(sink_.results[2].bytes, "as it is");
}

TEST_F(ServiceTest, LetsNoExceptionOutOfAHandler) {
  create();
  EXPECT_EQ(invoke("throws", bento::fakes::make_bytes(BENTO_JSON, "1")), BENTO_NOT_FOUND);
  EXPECT_STREQ(error_.message, "no such flower");
  EXPECT_EQ(invoke("throws", text("not JSON")), BENTO_INTERNAL);
  sink_.is_full = true;
  EXPECT_EQ(invoke("shout", text("hey")), BENTO_RESOURCE_EXHAUSTED);
}

TEST_F(ServiceTest, MakesRawApisOfHandlersWithStreams) {
  create();
  const bento_api& upload = api("upload");
  EXPECT_EQ(upload.in, nullptr);
  EXPECT_EQ(upload.invoke, nullptr);
  EXPECT_EQ(upload.max_body, 10u);
  EXPECT_EQ(bento::fakes::text(upload.http_method), "");
  channel_.pieces = {"a", "b"};
  EXPECT_EQ(stream("upload"), BENTO_OK);
  EXPECT_THAT(channel_.sent, ElementsAre("a", "b", ""));
  EXPECT_TRUE(channel_.is_ended);
}

TEST_F(ServiceTest, EndsEventStreamsThatHaveNone) {
  create();
  EXPECT_EQ(bento::fakes::text(api("ticks").http_method), "GET");
  const bento_pair n{bento::fakes::str("n"), bento::fakes::str("0")};
  ctx_.scope.path_params = {&n, 1};
  EXPECT_EQ(stream("ticks"), BENTO_OK);
  EXPECT_EQ(channel_.status, 200u);
  EXPECT_TRUE(channel_.is_ended);
}

TEST_F(ServiceTest, LetsNoExceptionOutOfAStream) {
  create();
  const bento_pair n{bento::fakes::str("n"), bento::fakes::str("1")};
  ctx_.scope.path_params = {&n, 1};
  EXPECT_EQ(stream("ticks"), BENTO_NOT_FOUND);
  EXPECT_STREQ(error_.message, "no second tick");
  EXPECT_FALSE(channel_.is_ended);
}

TEST_F(ServiceTest, TakesAHandlerWithoutInput) {
  create();
  ctx_.scope.request_id = bento::fakes::str("r1");
  EXPECT_EQ(bento::fakes::text(api("bare").http_method), "DELETE");
  EXPECT_EQ(invoke("bare", text("whatever")), BENTO_OK);
  EXPECT_EQ(sink_.results[0].bytes, "r1");
}

TEST_F(ServiceTest, MountsFilesAsTheHostReadsThem) {
  ASSERT_EQ(service_->n_mounts, 2u);
  EXPECT_EQ(bento::fakes::text(service_->mounts[0]->prefix), "/static");
  EXPECT_EQ(service_->mounts[0]->app.call, nullptr);
  EXPECT_EQ(bento::fakes::text(service_->mounts[0]->process),
            R"({"kind":"files","folder":"w\"w","cache_control":"no-cache"})");
  EXPECT_EQ(bento::fakes::text(service_->mounts[1]->process),
            R"({"kind":"files","folder_option":"file","cache_control":""})");
}

TEST_F(ServiceTest, CallsRunnersThroughTheHost) {
  create();
  const std::vector<std::int64_t> shape = {1, 2};
  const std::vector<double> elements = {1, 2};
  const bento_value input = make_tensor(BENTO_F64, shape, elements);
  host_.call_code = BENTO_UNAVAILABLE;
  EXPECT_EQ(invoke("handled", input), BENTO_UNAVAILABLE);
  EXPECT_EQ(host_.called, "model.scale");
  EXPECT_STREQ(error_.message, "the runner failed");
  host_.refuses_calls = true;
  EXPECT_EQ(invoke("handled", input), BENTO_UNAVAILABLE);
  EXPECT_STREQ(error_.message, "overloaded");
  EXPECT_EQ(host_.tickets, 0) << "each is released, whatever came of it";
}

TEST_F(ServiceTest, MakesAModelRunsItAndEndsIt) {
  const bento_runner& runner = *service_->runners[0];
  void* model = nullptr;
  ASSERT_EQ(runner.create(&host_.table, 1, &model, &error_), BENTO_OK);
  const std::vector<std::int64_t> shape = {1, 2};
  const std::vector<double> elements = {1, 2};
  EXPECT_EQ(run(0, make_tensor(BENTO_F64, shape, elements), model), BENTO_OK);
  EXPECT_EQ(run(1, text("you"), model), BENTO_OK);
  EXPECT_EQ(run(3, text("12345"), model), BENTO_OK);
  EXPECT_EQ(run(2, bento::fakes::make_bytes(BENTO_JSON, "1"), model), BENTO_INTERNAL);
  EXPECT_STREQ(error_.message, "out of luck");
  runner.destroy(model);

  ASSERT_EQ(sink_.results.size(), 3u);
  double scaled[2];
  ASSERT_EQ(sink_.results[0].bytes.size(), sizeof scaled);
  std::memcpy(scaled, sink_.results[0].bytes.data(), sizeof scaled);
  EXPECT_THAT(scaled, ElementsAre(2, 4));
  EXPECT_THAT(sink_.results[0].shape, ElementsAre(1, 2));
  EXPECT_EQ(sink_.results[1].bytes, "you!");
  EXPECT_EQ(sink_.results[2].bytes[0], 5);
  EXPECT_THAT(steps, ElementsAre("model 1", "no model"));
}

TEST_F(ServiceTest, ReportsAModelThatCannotBeMade) {
  bento::fakes::FakeHost host(R"({"factor":-1})");
  void* model = nullptr;
  EXPECT_EQ(service_->runners[0]->create(&host.table, 0, &model, &error_), BENTO_INVALID_ARGUMENT);
  EXPECT_STREQ(error_.message, "a negative factor");
  EXPECT_EQ(model, nullptr);
}

TEST_F(ServiceTest, MakesAModelThatNeedsNothing) {
  const bento_runner& runner = *service_->runners[1];
  void* model = nullptr;
  ASSERT_EQ(runner.create(&host_.table, 0, &model, &error_), BENTO_OK);
  runner.destroy(model);
}

TEST_F(ServiceTest, KeepsTheContextOfAModelAsLongAsTheModel) {
  const bento_runner& runner = *service_->runners[2];
  void* model = nullptr;
  ASSERT_EQ(runner.create(&host_.table, 0, &model, &error_), BENTO_OK);
  const bento_value json = bento::fakes::make_bytes(BENTO_JSON, "1");
  const bento_value* const inputs[] = {&json};
  const std::uint32_t rows[] = {1};
  const bento_method& tell = *runner.methods[0];
  EXPECT_EQ(tell.run(model, &tell, nullptr, inputs, 1, rows, 1, sink_.get(), &error_), BENTO_OK);
  runner.destroy(model);
  ASSERT_EQ(host_.logged.size(), 1u);
  EXPECT_EQ(host_.logged[0].second, "m");
}

TEST_F(ServiceTest, CanBeOpenedAgain) {
  bento_entry.close();
  service_ = bento_entry.open(&host_.table, &error_);
  ASSERT_NE(service_, nullptr);
  EXPECT_EQ(service_->n_apis, 9u);
}

// What a service with one such API or method is refused for when it is opened.
template <void (*Describe)(bento::Service&)>
std::string refusal() {
  using Plugin = bento::detail::Plugin<Describe>;
  bento::fakes::FakeHost host;
  bento_error error = bento::fakes::make_error();
  const bool opened = Plugin::open(&host.table, &error) != nullptr;
  Plugin::close();
  return opened ? "" : error.message;
}

using Floats = bento::TensorView<float>;
bento::Tensor<float> copy(Floats x) { return bento::Tensor<float>::copy(x); }
struct Copier {
  bento::Tensor<float> same(Floats x) { return copy(x); }
};

void describe_fitting(bento::Service& svc) {
  svc.api("a", {.input = bento::NDArray<float>({-1, 4}), .output = bento::NDArray<float>()}, copy);
  svc.api("b", {.input = bento::FileIO("text/csv")}, shout);
  svc.runner<Copier>("r").method<&Copier::same>("m", {.input = bento::NDArray<float>({-1})});
}
void describe_other_input(bento::Service& svc) {
  svc.api("a", {.input = bento::NDArray<double>({-1, 4})}, copy);
}
void describe_other_output(bento::Service& svc) { svc.api("a", {.output = bento::JsonIO()}, copy); }
void describe_other_method(bento::Service& svc) {
  svc.runner<Copier>("r").method<&Copier::same>("m", {.output = bento::NDArray<int>()});
}

TEST(Open, RefusesADescriptorThatTheFunctionsTypeDoesNotFit) {
  EXPECT_EQ(refusal<&describe_fitting>(), "");
  EXPECT_EQ(refusal<&describe_other_input>(),
            "api a: its input is described as an array of float64, but its function has an "
            "array of float32");
  EXPECT_EQ(refusal<&describe_other_output>(),
            "api a: its output is described as JSON, but its function has an array of float32");
  EXPECT_EQ(refusal<&describe_other_method>(),
            "method r.m: its output is described as an array of int32, but its function has an "
            "array of float32");
}

void describe_badly(bento::Service&) { throw std::runtime_error("cannot describe"); }

TEST(Open, ReportsADescriptionThatThrows) {
  using Plugin = bento::detail::Plugin<&describe_badly>;
  bento::fakes::FakeHost host;
  bento_error error = bento::fakes::make_error();
  EXPECT_EQ(Plugin::open(&host.table, &error), nullptr);
  EXPECT_STREQ(error.message, "cannot describe");
  Plugin::close();
}

}  // namespace
