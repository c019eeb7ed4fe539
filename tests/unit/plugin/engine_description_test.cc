// Which descriptions of engines and streams are refused, and in which words.
#include "plugin/engine_description.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bentohost::plugin {
namespace {

using testing::HasSubstr;

bento_code run(void*, const bento_method*, bento_ctx*, const bento_value* const*, std::size_t,
               const std::uint32_t*, std::size_t, bento_sink*, bento_error*) {
  return BENTO_OK;
}

class EngineDescriptionTest : public testing::Test {
 protected:
  EngineDescriptionTest() {
    engine_.size = sizeof engine_;
    engine_.begin = [](void*, const bento_method*, bento_work*, bento_error*) {
      return bento_code{BENTO_OK};
    };
    method_.size = sizeof method_;
    method_.engine = &engine_;
    method_.flags = BENTO_STREAMS;
    api_.runner = "llm";
    api_.method = "generate";
    api_.stream = BENTO_AS_EVENTS;
    api_.outs.front().descriptor = "text";
  }

  std::string refusal() {
    spec_ = {};
    spec_.batchable = (method_.flags & BENTO_BATCHABLE) != 0;
    return describe_engine(method_, "method llm.generate", spec_).message();
  }
  std::string stream_refusal(const MethodSpec* method) const {
    return check_stream("api generate", api_, method).message();
  }

  bento_engine engine_{};
  bento_method method_{};
  MethodSpec spec_;
  ApiSpec api_;
};

TEST_F(EngineDescriptionTest, CopiesWhatThePluginSays) {
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(spec_.engine, &engine_);
  EXPECT_TRUE(spec_.streams);
  EXPECT_EQ(spec_.max_concurrent, 1u);
  method_.max_concurrent = 32;
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(spec_.max_concurrent, 32u);
}

TEST_F(EngineDescriptionTest, RefusesContradictions) {
  method_.run = &run;
  EXPECT_EQ(refusal(), "method llm.generate has both a run function and an engine");
  method_.engine = nullptr;
  EXPECT_THAT(refusal(), HasSubstr("BENTO_STREAMS, which takes an engine"));
  method_.flags = 0;
  EXPECT_EQ(refusal(), "");
  method_.max_concurrent = 2;
  EXPECT_THAT(refusal(), HasSubstr("max_concurrent 2, but only an engine"));
  method_.run = nullptr;
  EXPECT_THAT(refusal(), HasSubstr("neither a run function nor an engine"));

  method_.engine = &engine_;
  method_.flags = BENTO_BATCHABLE;
  EXPECT_THAT(refusal(), HasSubstr("is batchable, but the calls of an engine"));
  method_.flags = 0;
  method_.max_batch_wait_us = 5;
  EXPECT_THAT(refusal(), HasSubstr("max_batch_wait_us"));
  method_.max_batch_wait_us = 0;
  method_.max_concurrent = kMaxConcurrent + 1;
  EXPECT_THAT(refusal(), HasSubstr("more than 65536"));
  method_.max_concurrent = 0;
  engine_.begin = nullptr;
  EXPECT_THAT(refusal(), HasSubstr("an engine without begin"));
  engine_.size = 8;
  EXPECT_THAT(refusal(), HasSubstr("a bento_engine of size 8"));
}

TEST_F(EngineDescriptionTest, APluginOfAnOlderMinorHasNoEngine) {
  method_.size = offsetof(bento_method, ins);
  EXPECT_THAT(refusal(), HasSubstr("neither a run function nor an engine"));
}

TEST_F(EngineDescriptionTest, AStreamFitsItsMethodAndItsOutput) {
  MethodSpec method;
  method.streams = true;
  EXPECT_EQ(stream_refusal(&method), "");
  api_.outs.front().descriptor = "file";
  EXPECT_THAT(stream_refusal(&method), HasSubstr("streams bytes"));
  api_.stream = 3;
  EXPECT_THAT(stream_refusal(&method), HasSubstr("has stream 3"));
  api_.stream = 0;
  EXPECT_THAT(stream_refusal(&method), HasSubstr("llm.generate streams, so a direct API"));
  EXPECT_EQ(stream_refusal(nullptr), "");
  api_.stream = BENTO_AS_LINES;
  EXPECT_THAT(stream_refusal(nullptr), HasSubstr("only a direct API has `stream`"));
  method.streams = false;
  EXPECT_THAT(stream_refusal(&method), HasSubstr("llm.generate does not have BENTO_STREAMS"));
}

}  // namespace
}  // namespace bentohost::plugin
