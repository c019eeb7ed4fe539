// What describe() copies from a plugin's description, and which descriptions it refuses.
#include "plugin/description.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "unit/plugin/first_minor.h"
#include "wire/value.h"

namespace bentohost::plugin {
namespace {

using testing::HasSubstr;

bento_io make_io(std::uint32_t kind, std::string_view descriptor = {}) {
  bento_io io{};
  io.size = sizeof io;
  io.kind = kind;
  io.descriptor = to_bento(descriptor);
  return io;
}

bento_code run(void*, const bento_method*, bento_ctx*, const bento_value* const*, std::size_t,
               const std::uint32_t*, std::size_t, bento_sink*, bento_error*) {
  return BENTO_OK;
}
bento_code invoke(void*, const bento_api*, bento_ctx*, const bento_value* const*, std::size_t,
                  bento_sink*, bento_error*) {
  return BENTO_OK;
}
bento_code raw(void*, const bento_api*, const bento_call*, bento_error*) { return BENTO_OK; }

// A valid service with one runner and one API of each form; each test breaks a part of it.
class DescribeTest : public testing::Test {
 protected:
  DescribeTest() {
    tensor_.shape = shape_;
    tensor_.ndim = 2;
    tensor_.dtype = BENTO_F64;
    tensor_.flags = BENTO_IO_ENFORCE_SHAPE | BENTO_IO_ENFORCE_DTYPE;

    method_.size = sizeof method_;
    method_.name = to_bento("predict");
    method_.flags = BENTO_BATCHABLE;
    method_.in = method_.out = &tensor_;
    method_.run = &run;

    runner_.size = sizeof runner_;
    runner_.name = to_bento("clf");
    runner_.methods = methods_;
    runner_.n_methods = 1;
    runner_.create = [](const bento_host*, std::uint32_t, void**, bento_error*) {
      return bento_code{BENTO_OK};
    };
    runner_.destroy = [](void*) {};

    for (bento_api* api : {&direct_, &invoked_, &raw_}) api->size = sizeof *api;
    direct_.name = to_bento("classify");
    direct_.runner = to_bento("clf");
    direct_.method = to_bento("predict");
    invoked_.name = to_bento("describe");
    invoked_.in = invoked_.out = &json_;
    invoked_.invoke = &invoke;
    raw_.name = to_bento("stream");
    raw_.route = to_bento("/v1/stream");
    raw_.raw = &raw;

    service_.size = sizeof service_;
    service_.name = to_bento("iris");
    service_.runners = runners_;
    service_.n_runners = 1;
    service_.apis = apis_;
    service_.n_apis = 3;
  }

  // Why the service is refused; "" if it is not.
  std::string refusal() const { return describe(&service_).status().message(); }

  const std::int64_t shape_[2] = {-1, 4};
  bento_io tensor_ = make_io(BENTO_TENSOR), json_ = make_io(BENTO_JSON);
  bento_method method_{};
  bento_runner runner_{};
  bento_api direct_{}, invoked_{}, raw_{};
  bento_service service_{};
  const bento_method* methods_[2] = {&method_, &method_};
  const bento_runner* runners_[2] = {&runner_, &runner_};
  const bento_api* apis_[4] = {&direct_, &invoked_, &raw_, &raw_};
};

TEST_F(DescribeTest, CopiesWhatThePluginSays) {
  const auto spec = describe(&service_);
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  EXPECT_EQ(spec->name, "iris");
  const RunnerSpec* runner = spec->find_runner("clf");
  ASSERT_NE(runner, nullptr);
  ASSERT_EQ(runner->find_method("predict"), 0);
  EXPECT_EQ(runner->find_method("other"), -1);
  const MethodSpec& method = runner->methods[0];
  EXPECT_TRUE(method.batchable);
  EXPECT_FALSE(method.idempotent);
  EXPECT_EQ(method.max_batch, kDefaultMaxBatch);
  EXPECT_EQ(method.ins[0].descriptor, "ndarray");
  EXPECT_EQ(method.ins[0].dtype, static_cast<std::uint32_t>(BENTO_F64));
  EXPECT_FALSE(method.ins[0].any_shape);
  EXPECT_EQ(method.ins[0].shape, (std::vector<std::int64_t>{-1, 4}));
}

TEST_F(DescribeTest, ReadsNothingThatThePluginsMinorDoesNotHave) {
  const InFirstMinor<bento_api> direct(direct_), invoked(invoked_), raw(raw_);
  const bento_api* apis[] = {direct.get(), invoked.get(), raw.get()};
  service_.apis = apis;
  const InFirstMinor<bento_service> service(service_);
  const auto spec = describe(service.get());
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  EXPECT_EQ(spec->apis.size(), 3u);
}

TEST_F(DescribeTest, TakesTheStructsOfANewerMinor) {
  direct_.size += 24;
  service_.size += 8;
  EXPECT_EQ(refusal(), "");
}

TEST_F(DescribeTest, KnowsTheFilesThatItIsMadeFrom) {
  EXPECT_THAT(describe(&service_)->files, testing::IsEmpty());
  bento_str files[] = {to_bento("/srv/model.txt"), to_bento("/srv/labels.txt")};
  service_.files = files;
  service_.n_files = 2;
  EXPECT_THAT(describe(&service_)->files,
              testing::ElementsAre("/srv/model.txt", "/srv/labels.txt"));
  for (const char* path : {"", "model.txt", "./model.txt"}) {
    files[1] = to_bento(path);
    EXPECT_EQ(refusal(), "service iris: the file \"" + std::string(path) +
                             "\", to be watched, is not an absolute path");
  }
  service_.n_files = 100'000;
  EXPECT_THAT(refusal(), HasSubstr("made from 100000 files; 1024 at most"));
}

TEST_F(DescribeTest, HasAHashOfAllThatItSays) {
  const std::string before = describe(&service_)->hash;
  EXPECT_EQ(before.size(), 16u);
  EXPECT_EQ(describe(&service_)->hash, before);
  const bento_method other_method = method_;  // elsewhere, and the same
  methods_[0] = &other_method;
  EXPECT_EQ(describe(&service_)->hash, before);
  methods_[0] = &method_;

  const bento_str file = to_bento("/srv/model.txt");
  const bento_io wider = make_io(BENTO_TENSOR);
  const std::vector<std::function<void()>> changes = {
      [&] { service_.version = to_bento("2"); },
      [&] { service_.doc = to_bento("2"); },  // not the same as the version's
      [&] { service_.options_schema = to_bento(R"({"type":"object"})"); },
      [&] { method_.max_batch = 7; },
      [&] { method_.flags |= BENTO_IDEMPOTENT; },
      [&] { method_.axis_out = 0, method_.max_latency_ms = 9; },
      [&] { tensor_.dtype = BENTO_F32; },
      [&] { method_.out = &wider; },
      [&] { json_.sample = to_bento("{}"); },
      [&] { json_.schema = to_bento(R"({"type":"object"})"); },
      [&] { raw_.route = to_bento("/v2/stream"); },
      [&] { raw_.max_body = 10; },
      [&] { service_.n_apis = 2; },
      [&] { service_.files = &file, service_.n_files = 1; },
  };
  std::vector<std::string> hashes = {before};
  for (const auto& change : changes) {
    change();
    const auto spec = describe(&service_);
    ASSERT_TRUE(spec.ok()) << spec.status().message();
    EXPECT_THAT(hashes, testing::Not(testing::Contains(spec->hash))) << hashes.size();
    hashes.push_back(spec->hash);
  }
}

TEST_F(DescribeTest, KnowsTheThreeFormsOfApis) {
  const auto spec = describe(&service_);
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->apis[0].form, ApiSpec::Form::kDirect);
  EXPECT_EQ(spec->apis[1].form, ApiSpec::Form::kInvoke);
  EXPECT_EQ(spec->apis[2].form, ApiSpec::Form::kRaw);
  EXPECT_EQ(spec->apis[0].route, "/classify");
  EXPECT_EQ(spec->apis[2].route, "/v1/stream");
  EXPECT_EQ(spec->apis[0].ins[0].shape, spec->runners[0].methods[0].ins[0].shape)
      << "the method's own";
}

TEST_F(DescribeTest, KnowsQuickHandlersOfWholeValues) {
  EXPECT_FALSE(describe(&service_)->apis[1].is_quick);
  invoked_.flags = BENTO_API_QUICK;
  auto spec = describe(&service_);
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  EXPECT_TRUE(spec->apis[1].is_quick);
  raw_.flags = BENTO_API_QUICK;
  EXPECT_THAT(refusal(), HasSubstr("only a handler of whole values can be quick"));
}

TEST_F(DescribeTest, EnforcesOnlyWhatIsToBeEnforced) {
  tensor_.flags = 0;
  auto spec = describe(&service_);
  EXPECT_EQ(spec->apis[0].ins[0].dtype, 0u);
  EXPECT_TRUE(spec->apis[0].ins[0].any_shape);
  tensor_.flags = BENTO_IO_ENFORCE_SHAPE;
  tensor_.ndim = 0;  // any
  spec = describe(&service_);
  EXPECT_TRUE(spec->apis[0].ins[0].any_shape);
  tensor_.ndim = 2;
  tensor_.shape = nullptr;
  EXPECT_THAT(refusal(), HasSubstr("enforces a shape, but has none"));
}

TEST_F(DescribeTest, RefusesNamesThatAreNoIdentifiers) {
  for (const char* name : {"", "1a", "a-b", "a b", "\xC3\xA9"}) {
    service_.name = to_bento(name);
    EXPECT_THAT(refusal(), HasSubstr("is not an identifier")) << name;
  }
  service_.name = to_bento("_a1");
  EXPECT_EQ(refusal(), "");
  runner_.name = to_bento("a.b");
  EXPECT_THAT(refusal(), HasSubstr("service _a1: runner name \"a.b\""));
}

TEST_F(DescribeTest, RefusesReservedNamesAndRoutes) {
  raw_.route = to_bento("/metrics");
  EXPECT_THAT(refusal(), HasSubstr("metrics is a reserved name"));
  raw_.route = to_bento("/x");
  raw_.name = to_bento("healthz");
  EXPECT_THAT(refusal(), HasSubstr("healthz is a reserved name"));
}

TEST_F(DescribeTest, TakesARouteWithoutItsFirstSlash) {
  raw_.route = to_bento("v1/models/iris_classifier/predict");
  const auto spec = describe(&service_);
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  const auto has_it = [](const ApiSpec& api) {
    return api.route == "/v1/models/iris_classifier/predict";
  };
  EXPECT_EQ(std::count_if(spec->apis.begin(), spec->apis.end(), has_it), 1);
}

TEST_F(DescribeTest, RefusesRoutesThatAreNone) {
  for (const char* route : {"a b", "/a b", "/{id", "/a/../b"}) {
    raw_.route = to_bento(route);
    EXPECT_THAT(refusal(), HasSubstr("api stream: ")) << route;
  }
}

TEST_F(DescribeTest, RefusesTwoOfOneName) {
  runner_.n_methods = 2;
  EXPECT_THAT(refusal(), HasSubstr("two methods named predict"));
  runner_.n_methods = 1;
  service_.n_runners = 2;
  EXPECT_THAT(refusal(), HasSubstr("two runners are named clf"));
  service_.n_runners = 1;
  service_.n_apis = 4;
  EXPECT_THAT(refusal(), HasSubstr("two apis are named stream"));
  service_.n_apis = 3;
  raw_.route = to_bento("/describe");
  EXPECT_THAT(refusal(), HasSubstr("route /describe is also that of api describe"));
}

TEST_F(DescribeTest, RefusesTwoTemplatesOfOneShape) {
  raw_.route = to_bento("/m/{a}:x");
  invoked_.route = to_bento("/m/{b}:x");
  EXPECT_THAT(refusal(), HasSubstr("api stream: route /m/{a}:x has the shape of /m/{b}:x of api "
                                   "describe: no path could tell them apart"));
  raw_.http_method = to_bento("PUT");
  EXPECT_EQ(refusal(), "") << "methods tell them apart";
  raw_.http_method = {};
  raw_.route = to_bento("/m/{a}:y");
  EXPECT_EQ(refusal(), "");
}

TEST_F(DescribeTest, TakesPostForGrantedAndKnowsFourOthers) {
  auto spec = describe(&service_);
  EXPECT_EQ(spec->apis[2].http_method, "POST");
  EXPECT_EQ(spec->apis[2].max_body, 0u);
  raw_.max_body = 1u << 20;
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    raw_.http_method = to_bento(method);
    spec = describe(&service_);
    ASSERT_TRUE(spec.ok()) << spec.status().message();
    EXPECT_EQ(spec->apis[2].http_method, method);
    EXPECT_EQ(spec->apis[2].max_body, 1u << 20);
  }
  for (const char* method : {"get", "HEAD", "OPTIONS", "CONNECT", "G ET", " "}) {
    raw_.http_method = to_bento(method);
    EXPECT_THAT(refusal(), HasSubstr("is not one of GET, POST")) << method;
  }
}

TEST_F(DescribeTest, RefusesAGetThatNeedsABody) {
  direct_.http_method = to_bento("GET");
  EXPECT_THAT(refusal(), HasSubstr("api classify: a GET has no body, and so no input of descriptor "
                                   "\"ndarray\""));
  direct_.http_method = {};
  invoked_.http_method = to_bento("GET");
  EXPECT_THAT(refusal(), HasSubstr("descriptor \"json\""));
  for (const char* descriptor : {"text", "file"}) {
    bento_io bytes = make_io(BENTO_BYTES, descriptor);
    invoked_.in = &bytes;
    EXPECT_EQ(refusal(), "") << descriptor;
    bytes.mime = to_bento("image/png");
    EXPECT_THAT(refusal(), HasSubstr("type image/png")) << descriptor;
  }
}

TEST_F(DescribeTest, RefusesApisThatAreNeitherFormNorTheOther) {
  direct_.invoke = &invoke;
  EXPECT_THAT(refusal(), HasSubstr("neither invoke nor raw"));
  direct_.invoke = nullptr;
  direct_.method = {};
  EXPECT_THAT(refusal(), HasSubstr("has runner and method"));
  direct_.method = to_bento("predict");
  invoked_.raw = &raw;
  EXPECT_THAT(refusal(), HasSubstr("must have invoke, and not raw"));
  invoked_.raw = nullptr;
  raw_.raw = nullptr;
  EXPECT_THAT(refusal(), HasSubstr("must have raw, and not invoke"));
}

bento_code invoke_async(void*, const bento_api*, bento_ctx*, const bento_value* const*, std::size_t,
                        bento_done*, bento_error*) {
  return BENTO_OK;
}
bento_code raw_async(void*, const bento_api*, const bento_call*, bento_done*, bento_error*) {
  return BENTO_OK;
}

TEST_F(DescribeTest, KnowsAsynchronousHandlers) {
  EXPECT_FALSE(describe(&service_)->apis[1].is_async);
  invoked_.invoke = nullptr;
  invoked_.invoke_async = &invoke_async;
  raw_.raw = nullptr;
  raw_.raw_async = &raw_async;
  const auto spec = describe(&service_);
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  EXPECT_EQ(spec->apis[1].form, ApiSpec::Form::kInvoke);
  EXPECT_EQ(spec->apis[2].form, ApiSpec::Form::kRaw);
  EXPECT_TRUE(spec->apis[1].is_async && spec->apis[2].is_async);
  invoked_.flags = BENTO_API_QUICK;
  EXPECT_THAT(refusal(), HasSubstr("called on the loop anyway"));
}

TEST_F(DescribeTest, RefusesAnApiThatIsBothAsynchronousAndNot) {
  invoked_.invoke_async = &invoke_async;
  EXPECT_THAT(refusal(), HasSubstr("invoke or invoke_async, not both"));
  invoked_.invoke_async = nullptr;
  raw_.raw_async = &raw_async;
  EXPECT_THAT(refusal(), HasSubstr("raw or raw_async, not both"));
  raw_.raw_async = nullptr;
  direct_.invoke_async = &invoke_async;
  EXPECT_THAT(refusal(), HasSubstr("neither invoke nor raw"));
}

TEST_F(DescribeTest, RefusesADirectApiThatLeadsNowhere) {
  direct_.method = to_bento("other");
  EXPECT_THAT(refusal(), HasSubstr("there is no runner method clf.other"));
}

TEST_F(DescribeTest, RefusesADirectApiOfAnotherKindThanItsMethod) {
  direct_.in = &json_;
  EXPECT_THAT(refusal(), HasSubstr("'s input is not of the kind that clf.predict has"));
}

TEST_F(DescribeTest, RefusesToBatchWhatIsNoTensor) {
  method_.out = &json_;
  EXPECT_THAT(refusal(), HasSubstr("only tensors can be batched"));
  method_.out = &tensor_;
  method_.axis_in = -1;
  EXPECT_THAT(refusal(), HasSubstr("negative batch axis"));
}

TEST_F(DescribeTest, RefusesABatchAxisThatTheShapeDoesNotLeaveOpen) {
  method_.axis_in = 1;
  EXPECT_THAT(refusal(),
              HasSubstr("clf.predict's input has shape (n, 4), but its batch axis 1 must "
                        "allow any extent: -1"));
  method_.axis_in = 0;
  method_.axis_out = 2;
  EXPECT_THAT(refusal(), HasSubstr("clf.predict's output has shape (n, 4), but its batch axis 2"));
  method_.flags = 0;  // not batchable: the axes mean nothing
  EXPECT_EQ(refusal(), "");
  method_.flags = BENTO_BATCHABLE;
  tensor_.flags = 0;  // nor does the shape
  EXPECT_EQ(refusal(), "");
}

TEST_F(DescribeTest, RefusesADirectApiWhoseInputItsMethodWouldRefuse) {
  bento_io other = tensor_;
  direct_.in = &other;
  EXPECT_EQ(refusal(), "");
  other.dtype = BENTO_F32;
  EXPECT_THAT(refusal(),
              HasSubstr("api classify's input is float32, but clf.predict takes float64"));
  other.dtype = BENTO_F64;
  const std::int64_t wide[] = {-1, 5}, row[] = {4}, one[] = {1, 4};
  other.shape = wide;
  EXPECT_THAT(refusal(), HasSubstr("api classify's input has shape (n, 5), but clf.predict takes "
                                   "(n, 4)"));
  other.shape = row;
  other.ndim = 1;
  EXPECT_THAT(refusal(), HasSubstr("has shape (4,), but clf.predict takes (n, 4)"));
  other.shape = one;  // narrower than the method's: allowed
  other.ndim = 2;
  EXPECT_EQ(refusal(), "");
}

TEST_F(DescribeTest, WhatADirectApiLeavesOpenIsItsMethods) {
  bento_io open = make_io(BENTO_TENSOR);
  direct_.in = &open;
  const auto spec = describe(&service_);
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->apis[0].ins[0].dtype, static_cast<std::uint32_t>(BENTO_F64));
  EXPECT_EQ(spec->apis[0].ins[0].shape, (std::vector<std::int64_t>{-1, 4}));
  EXPECT_FALSE(spec->apis[0].ins[0].any_shape);
}

TEST_F(DescribeTest, RefusesWhatItDoesNotOffer) {
  json_.descriptor = to_bento("dataframe");
  EXPECT_THAT(refusal(), HasSubstr("descriptor \"dataframe\""));
  json_.descriptor = to_bento("text");
  EXPECT_THAT(refusal(), HasSubstr("but is of kind 1"));
}

TEST_F(DescribeTest, RefusesTensorsThatCannotBe) {
  tensor_.dtype = 99;
  EXPECT_THAT(refusal(), HasSubstr("unknown dtype 99"));
  tensor_.dtype = BENTO_F64;
  tensor_.ndim = wire::kMaxDims + 1;
  EXPECT_THAT(refusal(), HasSubstr("dimensions"));
}

TEST_F(DescribeTest, RefusesSchemasThatCannotBeEnforced) {
  json_.schema = to_bento(R"({"type":"object","const":1})");
  EXPECT_THAT(refusal(), HasSubstr("api describe's input has a bad schema"));
  json_.schema = {};
  service_.options_schema = to_bento("{");
  EXPECT_THAT(refusal(), HasSubstr("bad options schema"));
}

TEST_F(DescribeTest, RefusesStructsOfAnotherSize) {
  method_.size = offsetof(bento_method, ins) - 8;  // smaller than in 1.0
  EXPECT_THAT(refusal(), HasSubstr("a bento_method of size"));
  method_.size = sizeof method_ + 100;  // from a newer header: its further fields are not read
  EXPECT_EQ(refusal(), "");
  methods_[0] = nullptr;
  EXPECT_THAT(refusal(), HasSubstr("a null bento_method"));
  EXPECT_FALSE(describe(nullptr).ok());
}

TEST_F(DescribeTest, RefusesFlagsThatItDoesNotKnow) {
  const auto refuses = [this](std::uint32_t& flags, std::string_view what) {
    flags |= 64;
    EXPECT_THAT(refusal(), HasSubstr(std::string(what) + " has flags 64"));
    flags &= ~64u;
  };
  refuses(tensor_.flags, "'s input");
  refuses(method_.flags, "method clf.predict");
  refuses(runner_.flags, "runner clf");
  refuses(invoked_.flags, "api " + std::string(to_view(invoked_.name)));
  EXPECT_EQ(refusal(), "");
}

TEST_F(DescribeTest, RefusesRunnersThatCannotRun) {
  method_.run = nullptr;
  EXPECT_THAT(refusal(), HasSubstr("clf.predict has neither a run function nor an engine"));
  runner_.n_methods = 0;
  EXPECT_THAT(refusal(), HasSubstr("has no methods"));
  runner_.destroy = nullptr;
  EXPECT_THAT(refusal(), HasSubstr("lacks create or destroy"));
}

}  // namespace
}  // namespace bentohost::plugin
