// Several inputs and outputs by name, lists, and waiting for a fuller batch: what is read of them,
// and which contradictions are refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugin/description.h"
#include "plugin/description_hash.h"
#include "wire/frame.h"

namespace bentohost::plugin {
namespace {

using testing::HasSubstr;

constexpr std::uint32_t kLists = std::uint32_t{BENTO_BATCHABLE} | std::uint32_t{BENTO_LISTS};

bento_io make_io(std::string_view name, std::uint32_t kind, std::uint32_t flags = 0) {
  bento_io io{};
  io.size = sizeof io;
  io.kind = kind;
  io.flags = flags;
  io.name = to_bento(name);
  return io;
}

// A service with a method of two inputs and two outputs, and a direct API of it.
class IoDescriptionTest : public testing::Test {
 protected:
  IoDescriptionTest() {
    method_.size = sizeof method_;
    method_.name = to_bento("predict");
    method_.flags = BENTO_BATCHABLE;
    method_.ins = ins_;
    method_.outs = outs_;
    method_.n_ins = method_.n_outs = 2;
    method_.run = [](void*, const bento_method*, bento_ctx*, const bento_value* const*, std::size_t,
                     const std::uint32_t*, std::size_t, bento_sink*,
                     bento_error*) { return bento_code{BENTO_OK}; };
    runner_.size = sizeof runner_;
    runner_.name = to_bento("clf");
    runner_.methods = methods_;
    runner_.n_methods = 1;
    runner_.create = [](const bento_host*, std::uint32_t, void**, bento_error*) {
      return bento_code{BENTO_OK};
    };
    runner_.destroy = [](void*) {};
    api_.size = sizeof api_;
    api_.name = to_bento("classify");
    api_.runner = to_bento("clf");
    api_.method = to_bento("predict");
    service_.size = sizeof service_;
    service_.name = to_bento("iris");
    service_.runners = runners_;
    service_.n_runners = 1;
    service_.apis = apis_;
    service_.n_apis = 1;
  }

  std::string refusal() const { return describe(&service_).status().message(); }

  bento_io x_ = make_io("x", BENTO_TENSOR), w_ = make_io("w:0", BENTO_TENSOR, BENTO_IO_OPTIONAL);
  bento_io y_ = make_io("y", BENTO_TENSOR), z_ = make_io("z", BENTO_TENSOR);
  const bento_io* ins_[2] = {&x_, &w_};
  const bento_io* outs_[2] = {&y_, &z_};
  bento_method method_{};
  bento_runner runner_{};
  bento_api api_{};
  bento_service service_{};
  const bento_method* methods_[1] = {&method_};
  const bento_runner* runners_[1] = {&runner_};
  const bento_api* apis_[1] = {&api_};
};

TEST_F(IoDescriptionTest, AreReadInOrderAndHandedToADirectApi) {
  const auto spec = describe(&service_);
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  for (const std::vector<IoSpec>* ins : {&spec->runners[0].methods[0].ins, &spec->apis[0].ins}) {
    ASSERT_EQ(ins->size(), 2u);
    EXPECT_TRUE(are_named(*ins));
    EXPECT_EQ((*ins)[0].name, "x");
    EXPECT_FALSE((*ins)[0].is_optional);
    EXPECT_EQ((*ins)[1].name, "w:0");
    EXPECT_TRUE((*ins)[1].is_optional);
  }
  EXPECT_EQ(spec->apis[0].outs[1].name, "z");
}

TEST_F(IoDescriptionTest, RefusesOneAndSeveralAtOnce) {
  method_.in = &x_;
  EXPECT_THAT(refusal(), HasSubstr("service iris: method clf.predict has both one input and "
                                   "several by name: in and ins"));
  method_.in = nullptr;
  method_.out = &y_;
  EXPECT_THAT(refusal(), HasSubstr("both one output and several by name: out and outs"));
}

TEST_F(IoDescriptionTest, RefusesNamesThatTellNothingApart) {
  w_.name = to_bento("x");
  EXPECT_THAT(refusal(), HasSubstr("method clf.predict's inputs: two are named x"));
  w_.name = {};
  EXPECT_THAT(refusal(), HasSubstr("method clf.predict's input number 1 has the name \"\""));
  w_.name = to_bento("a\nb");
  EXPECT_THAT(refusal(), HasSubstr("control characters"));
  const std::string long_name(129, 'n');
  w_.name = to_bento(long_name);
  EXPECT_THAT(refusal(), HasSubstr("at most 128 bytes"));
}

TEST_F(IoDescriptionTest, RefusesListsThatAreNotThere) {
  method_.n_outs = 0;
  EXPECT_THAT(refusal(), HasSubstr("method clf.predict's outputs by name are 0"));
  method_.n_outs = 65;
  EXPECT_THAT(refusal(), HasSubstr("the most is 64"));
  method_.n_outs = 2;
  method_.outs = nullptr;
  EXPECT_THAT(refusal(), HasSubstr("the list of them is null"));
}

TEST_F(IoDescriptionTest, RefusesWhatCannotBeOptional) {
  z_.flags = BENTO_IO_OPTIONAL;
  EXPECT_THAT(refusal(),
              HasSubstr("method clf.predict's output z is optional: only inputs can be"));
  z_.flags = 0;
  x_.flags = BENTO_IO_OPTIONAL;
  EXPECT_THAT(refusal(), HasSubstr("all of its inputs are optional"));
  method_.flags = kLists;
  EXPECT_EQ(refusal(), "") << "a list needs no rows";
  method_.ins = nullptr;
  method_.n_ins = 0;
  method_.in = &x_;
  EXPECT_THAT(refusal(), HasSubstr("method clf.predict's input is optional: only one of several"));
}

TEST_F(IoDescriptionTest, OnlyListsTakeWhatIsNoTensor) {
  w_.kind = BENTO_JSON;
  EXPECT_THAT(refusal(), HasSubstr("only tensors can be batched; with BENTO_LISTS"));
  method_.flags = kLists;
  const auto spec = describe(&service_);
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  EXPECT_TRUE(spec->runners[0].methods[0].lists);
}

TEST_F(IoDescriptionTest, RefusesBatchingThatContradictsItself) {
  method_.flags = BENTO_LISTS;
  EXPECT_THAT(refusal(), HasSubstr("method clf.predict has BENTO_LISTS, but not BENTO_BATCHABLE"));
  method_.flags = 0;
  method_.max_batch_wait_us = 5;
  EXPECT_THAT(refusal(), HasSubstr("has max_batch_wait_us, but is not batchable"));
  method_.flags = kLists;
  EXPECT_EQ(refusal(), "");
  method_.max_batch = wire::kMaxValues / 2 + 1;
  EXPECT_THAT(refusal(), HasSubstr("with BENTO_LISTS and 2 values for each caller, the most is"));
  method_.max_batch = 8;
  method_.max_batch_wait_us = 1'000'001;
  EXPECT_THAT(refusal(), HasSubstr("at most 1000000, a second, can be waited"));
  method_.max_batch_wait_us = 50'000;
  method_.max_latency_ms = 50;
  EXPECT_THAT(refusal(), HasSubstr("drops calls after 50 ms (max_latency_ms): none would be run"));
  method_.max_latency_ms = 51;
  const auto spec = describe(&service_);
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->runners[0].methods[0].max_batch_wait_us, 50'000u);
}

TEST_F(IoDescriptionTest, ADirectApiHasTheInputsAndOutputsOfItsMethod) {
  bento_io own = make_io("x", BENTO_TENSOR);
  const bento_io* ins[] = {&own, &w_};
  api_.ins = ins;
  api_.n_ins = 2;
  EXPECT_EQ(refusal(), "");
  own.flags = BENTO_IO_OPTIONAL;
  EXPECT_THAT(refusal(), HasSubstr("api classify's input x is optional, but clf.predict needs it"));
  own.flags = 0;
  own.kind = BENTO_JSON;
  EXPECT_THAT(refusal(), HasSubstr("input x is not of the kind that clf.predict has"));
  api_.n_ins = 1;
  EXPECT_THAT(refusal(), HasSubstr("api classify's inputs are not those that clf.predict has"));
  api_.ins = nullptr;
  api_.n_ins = 0;
  api_.in = &own;
  EXPECT_THAT(refusal(), HasSubstr("api classify's inputs are not those that clf.predict has"));
}

TEST_F(IoDescriptionTest, AGetHasNoInputsByName) {
  api_.http_method = to_bento("GET");
  EXPECT_THAT(refusal(), HasSubstr("api classify: a GET has no body, and so no inputs by name"));
}

TEST_F(IoDescriptionTest, AllOfItIsInTheHash) {
  const std::string before = description_hash(service_);
  const auto changes_it = [&](auto& field, auto value) {
    const auto old = std::exchange(field, value);
    EXPECT_NE(description_hash(service_), before);
    field = old;
  };
  changes_it(x_.name, to_bento("v"));
  changes_it(method_.n_outs, std::size_t{1});
  changes_it(method_.max_batch_wait_us, 7u);
  changes_it(w_.flags, 0u);
  EXPECT_EQ(description_hash(service_), before);
}

}  // namespace
}  // namespace bentohost::plugin
