// Lists, failures of single callers and several values, with bento::testing::Host.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/testing.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sdk/testing/service_entry.h"

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> notes;

struct Document {
  std::string title;
  int pages = 1;
};
BENTO_FIELDS(Document, title, (pages, bento::min(1)))
struct Label {
  std::string label;
};
BENTO_FIELDS(Label, label)

struct Encoded {
  bento::TensorView<std::int64_t> ids, mask;
  std::optional<std::string_view> language;
};
BENTO_VALUES(Encoded, (ids, bento::shape(-1, 2)), (mask, bento::shape(-1, 2)), language)
struct Scored {
  bento::Tensor<double> scores;
  std::string language;
  bento::Json notes;
};
BENTO_VALUES(Scored, scores, language, (notes, bento::as("remarks")))
struct Pair {
  bento::TensorView<double> a, b;
};
BENTO_VALUES(Pair, a, b)
struct Named {
  std::string text;
  std::optional<Document> document;
};
BENTO_VALUES(Named, text, document)

struct Picture {
  bento::Bytes bytes;
};
BENTO_VALUES(Picture, bytes)

struct Embedder {
  std::vector<std::string> upper(bento::Batch<std::string_view> texts) {
    notes.push_back("upper of " + std::to_string(texts.size()));
    std::vector<std::string> all;
    for (auto i : bento::rows(texts)) {
      if (texts[i].empty()) texts.fail(i, BENTO_INVALID_ARGUMENT, "an empty text");
      if (texts[i] == "who") {
        all.push_back(std::string(texts.caller(i).request_id) + "/" +
                      std::string(texts.caller(i).traceparent));
        continue;
      }
      if (texts[i] == "beyond") texts.fail(texts.size(), BENTO_UNKNOWN, "");
      std::string text(texts[i]);
      for (char& c : text) c = static_cast<char>(c - 'a' + 'A');
      all.push_back(std::move(text));
    }
    return all;
  }
  std::vector<Label> tag(std::span<const Document> documents) {
    std::vector<Label> labels;
    for (const Document& document : documents) {
      if (document.title == "crash") throw bento::Error(BENTO_UNAVAILABLE, "no model");
      if (document.title != "forget") labels.push_back({document.title + "?"});
    }
    return labels;
  }
  std::vector<bento::Tensor<double>> sums(bento::Batch<bento::TensorView<double>> ragged) {
    std::vector<bento::Tensor<double>> all;
    for (const auto& one : ragged) {
      double sum = 0;
      for (const double x : one) sum += x;
      all.push_back(bento::Tensor<double>{sum});
    }
    return all;
  }
  bento::Tensor<double> halves(bento::BatchContext& batch, bento::TensorView<double> x) {
    auto halves = bento::Tensor<double>::copy(x);
    for (auto i : bento::rows(x)) {
      if (x(i) < 0) batch.fail(batch.caller_of(i), BENTO_INVALID_ARGUMENT, "a negative number");
      halves(i) /= 2;
    }
    return halves;
  }
  std::string about(bento::BatchContext& batch, std::string_view text) {
    if (text == "fail") batch.fail(0, BENTO_NOT_FOUND, "not in a batch");
    batch.log(bento::Log::kInfo, "about " + std::string(text));
    return std::to_string(batch.callers()) + " " + std::string(batch.caller(0).request_id) +
           (batch.cancelled() ? " cancelled" : "") + (batch.caller(0).deadline ? " due" : "");
  }
  Scored score(const Encoded& in) {
    auto scores = bento::Tensor<double>::zeros({in.ids.rows()});
    for (auto i : bento::rows(in.ids)) {
      scores(i) = static_cast<double>(in.ids(i, 0) * in.mask(i, 0) + in.ids(i, 1) * in.mask(i, 1));
    }
    return {scores, std::string(in.language.value_or("none")), bento::Json(R"({"by":"score"})")};
  }
  bento::Tensor<double> add(const Pair& pair) {
    auto sums = bento::Tensor<double>::copy(pair.a);
    for (auto i : bento::rows(sums)) sums(i) += pair.b(i);
    return sums;
  }
  std::vector<std::string> describe(bento::Batch<Named> named) {
    std::vector<std::string> all;
    for (const Named& one : named) {
      all.push_back(one.text + (one.document ? " of " + one.document->title : ""));
    }
    return all;
  }
};

void describe(bento::Service& svc) {
  svc.name("embedder");
  auto e = svc.runner<Embedder>("e");
  auto upper = e.method<&Embedder::upper>("upper", {.max_batch = 3, .batch = bento::kLists});
  auto tag = e.method<&Embedder::tag>("tag", {.batch = bento::kLists});
  auto sums = e.method<&Embedder::sums>("sums", {.batch = bento::kLists});
  auto halves = e.method<&Embedder::halves>("halves", {.batchable = true});
  auto about = e.method<&Embedder::about>("about");
  auto score = e.method<&Embedder::score>("score");
  auto add = e.method<&Embedder::add>("add", {.batch = bento::kRows});
  auto named = e.method<&Embedder::describe>("describe", {.batch = bento::kLists});
  auto lambda =
      e.method("lambda", {.batch = bento::kLists},
               [](Embedder&, bento::BatchContext& batch, std::span<const bento::Json> in) {
                 return std::vector<std::string>(in.size(), std::to_string(batch.callers()));
               });
  svc.api("upper", upper).api("tag", tag).api("sums", sums).api("halves", halves);
  svc.api("about", about).api("score", score).api("add", add).api("describe", named);
  svc.api("lambda", lambda);
  svc.api("picture", [](Picture picture) {
    picture.bytes.data += "+";
    return picture;
  });
  svc.api("later", [=](bento::Context& ctx, std::string text) -> bento::Async<std::string> {
    co_return co_await upper.async_run(ctx, text);
  });
  svc.api("handled", [=](bento::Context& ctx, Encoded in) { return score.run(ctx, in); });
  svc.api("awaited", [=](bento::Context& ctx, Encoded in) -> bento::Async<Scored> {
    co_return co_await score.async_run(ctx, in);
  });
}

class BatchApi : public ::testing::Test {
 protected:
  BatchApi() { notes.clear(); }
  std::string post(const std::string& target, const std::string& body) {
    const auto response = host.post(target, body);
    return response.status == 200 ? response.body
                                  : std::to_string(response.status) + " " + response.body;
  }
  bento::testing::Host host{bento::fakes::kEntry<&describe>};
};

TEST_F(BatchApi, RunsAListForOneCaller) {
  EXPECT_EQ(post("/upper", "abc"), "ABC");
  EXPECT_EQ(post("/tag", R"({"title":"t","pages":2})"), R"({"label":"t?"})");
  EXPECT_EQ(post("/sums", "[[1,2],[3,4]]"), "[10.0]");
  EXPECT_EQ(post("/lambda", "[1,2]"), "1");
}

TEST_F(BatchApi, RunsTheCallsThatAreHeldTogether) {
  host.hold("e.upper");
  std::vector<bento::testing::Exchange> all;
  for (const char* text : {"a", "", "c", "d"}) {
    all.push_back(host.begin({.method = "POST", .target = "/later", .body = text}));
  }
  host.settle();
  EXPECT_THAT(notes, ElementsAre());
  host.let_go("e.upper");
  host.settle();
  EXPECT_THAT(notes, ElementsAre("upper of 3", "upper of 1"));  // max_batch is 3
  EXPECT_EQ(all[0].response().body, "A");
  EXPECT_EQ(all[1].response().status, 400u);
  EXPECT_THAT(all[1].response().body, HasSubstr("an empty text"));
  EXPECT_EQ(all[2].response().body, "C");
  EXPECT_EQ(all[3].response().body, "D");
  EXPECT_EQ(post("/later", "e"), "E");  // it is not held any more
}

TEST_F(BatchApi, FailsAnInputThatCannotBeReadAlone) {
  EXPECT_THAT(post("/tag", R"({"title":"t","pages":0})"), HasSubstr("422"));
  EXPECT_THAT(post("/tag", R"({"title":"t","pages":0})"), HasSubstr("/pages: must be at least 1"));
}

TEST_F(BatchApi, AnswersWithTheMethodsErrors) {
  EXPECT_THAT(post("/tag", R"({"title":"crash"})"), HasSubstr("422"));  // pages are missing
  EXPECT_THAT(post("/tag", R"({"title":"crash","pages":1})"), HasSubstr("503"));
  EXPECT_THAT(post("/tag", R"({"title":"forget","pages":1})"),
              HasSubstr("the method returned 0 results for 1"));
  EXPECT_THAT(post("/upper", "beyond"), HasSubstr("fail(1) in a batch of 1"));
}

TEST_F(BatchApi, KnowsItsCallers) {
  const auto response = host.request({.method = "POST",
                                      .target = "/upper",
                                      .body = "who",
                                      .headers = {{"traceparent", "00-1-2-01"}}});
  EXPECT_EQ(response.body, std::string(response.headers.get("X-Request-Id")) + "/00-1-2-01");
  EXPECT_THAT(post("/about", "x"), ::testing::MatchesRegex("1 test-[0-9]+ due"));
  EXPECT_TRUE(host.has_logged("about x"));
}

TEST_F(BatchApi, FailsACallerOfJoinedRows) {
  EXPECT_EQ(post("/halves", "[2,4]"), "[1.0,2.0]");
  EXPECT_THAT(post("/halves", "[2,-4]"), HasSubstr("a negative number"));
  EXPECT_THAT(post("/about", "fail"), HasSubstr("500"));  // in no batch
}

TEST_F(BatchApi, PassesSeveralValuesByName) {
  const std::string in = R"({"ids":[[1,2],[3,4]],"mask":[[1,1],[0,1]],"language":"en"})";
  const std::string out = R"({"scores":[3.0,4.0],"language":"en","remarks":{"by":"score"}})";
  EXPECT_EQ(post("/score", in), out);
  EXPECT_EQ(post("/handled", in), out);
  EXPECT_EQ(post("/awaited", in), out);
}

TEST_F(BatchApi, LeavesOutWhatIsOptional) {
  const std::string in = R"({"ids":[[1,2]],"mask":[[1,1]]})";
  EXPECT_THAT(post("/score", in), HasSubstr(R"("language":"none")"));
  EXPECT_THAT(post("/handled", in), HasSubstr(R"("language":"none")"));
  EXPECT_EQ(post("/describe", R"({"text":"a","document":{"title":"t","pages":1}})"), "a of t");
  EXPECT_EQ(post("/describe", R"({"text":"a"})"), "a");
}

TEST_F(BatchApi, RefusesWhatIsMissingOrOfAnotherShape) {
  EXPECT_THAT(post("/score", R"({"ids":[[1,2]]})"),
              HasSubstr("/mask: is missing; the inputs are ids, mask, language (optional)"));
  EXPECT_THAT(post("/score", R"({"ids":[[1,2]],"mask":[[1,1]],"tongue":"en"})"),
              HasSubstr("/tongue: is not an input"));
  EXPECT_THAT(post("/score", R"({"ids":[[1,2]],"mask":[[1,1,1]]})"), HasSubstr("shape (n, 2)"));
  EXPECT_THAT(post("/score", "[1]"), ::testing::StartsWith("4"));
}

TEST_F(BatchApi, PassesBytesAsBase64) {
  EXPECT_EQ(post("/picture", R"({"bytes":"YQ=="})"), R"({"bytes":"YSs="})");
  EXPECT_EQ(post("/picture", R"({"bytes":"YWI="})"), R"({"bytes":"YWIr"})");
  EXPECT_EQ(post("/picture", R"({"bytes":""})"), R"({"bytes":"Kw=="})");
  EXPECT_THAT(post("/picture", R"({"bytes":"YQ"})"), HasSubstr("/bytes: is not Base64"));
  EXPECT_THAT(post("/picture", R"({"bytes":1})"), HasSubstr("/bytes: must be a string"));
}

TEST_F(BatchApi, JoinsTheRowsOfSeveralValues) {
  EXPECT_EQ(post("/add", R"({"a":[1,2],"b":[10,20]})"), "[11.0,22.0]");
  EXPECT_THAT(post("/add", R"({"a":[1,2],"b":[10]})"), HasSubstr("of other rows"));
}

template <typename F>
std::string fault_of(F describe_service) {
  bento::Service svc;
  svc.name("faulty");
  try {
    describe_service(svc);
  } catch (const bento::Error& error) {
    return error.what();
  }
  return "";
}

TEST(Lists, AreSaidInTheOptionsToo) {
  std::string fault = fault_of(
      [](bento::Service& svc) { svc.runner<Embedder>("e").method<&Embedder::upper>("upper"); });
  EXPECT_THAT(fault, HasSubstr("method e.upper takes a list: it needs .batch = bento::kLists"));
  fault = fault_of([](bento::Service& svc) {
    svc.runner<Embedder>("e").method<&Embedder::about>("about", {.batch = bento::kLists});
  });
  EXPECT_THAT(fault, HasSubstr("takes a std::span<const In> or a bento::Batch<In>"));
}

TEST(Values, HaveNoSingleDescriptor) {
  const std::string fault = fault_of([](bento::Service& svc) {
    svc.runner<Embedder>("e").method<&Embedder::score>("score", {.input = bento::JsonIO()});
  });
  EXPECT_THAT(fault, HasSubstr("has several values, which BENTO_VALUES describes"));
}

TEST(ApiOptionsOfStreams, AreForStreamingMethods) {
  std::string fault = fault_of([](bento::Service& svc) {
    auto about = svc.runner<Embedder>("e").method<&Embedder::about>("about");
    svc.api("about", about, {.stream = bento::As::kEvents});
  });
  EXPECT_THAT(fault, HasSubstr("api about: .stream is for an API that is bound to a streaming"));
  fault = fault_of([](bento::Service& svc) {
    svc.runner<Embedder>("e").stream("s", {.max_concurrent = 2},
                                     [](Embedder&, std::string_view, bento::Emit<std::string>&) {});
  });
  EXPECT_THAT(fault, HasSubstr("computes one call at a time"));
}

}  // namespace
