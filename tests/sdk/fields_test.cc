// JSON of described structs: reading, with all that can be wrong; writing; and their schemas.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/bento.hpp>
#include <cmath>
#include <cstdint>
#include <limits>

#include "sdk/fake_host.h"

namespace garden {

struct Size {
  double length = 0, width = 0;
};
BENTO_FIELDS(Size, length, width)

enum class Colour { red, green };
BENTO_ENUM(Colour, red, green)

struct Flower {
  std::string name;
  Size petal;
  std::vector<Size> leaves;
  std::optional<Colour> colour;
};
BENTO_FIELDS(Flower, name, petal, leaves, colour)

struct Integers {
  std::int8_t i8 = 0;
  std::uint8_t u8 = 0;
  std::int64_t i64 = 0;
  std::uint64_t u64 = 0;
};
BENTO_FIELDS(Integers, i8, u8, i64, u64)

struct Ruled {
  int count = 0;
  double share = 0.5;
  float part = 0.25f;
  std::string word;
  std::vector<bool> flags;
  std::optional<int> maybe;
  Colour colour = Colour::green;
};
BENTO_FIELDS(Ruled, (count, bento::min(1), bento::max(10), bento::doc("how many")),
             (share, bento::has_default, bento::above(0), bento::below(1.5)),
             (part, bento::has_default, bento::max(0.5)),
             (word, bento::min_size(2), bento::max_size(3)), (flags, bento::max_size(2)),
             (maybe, bento::min(5)), (colour, bento::has_default, bento::as("the/colour~")))

struct Strict {
  int a = 0;
  Size inner;
};
BENTO_STRICT_FIELDS(Strict, a, inner)

struct Tree {
  int value = 0;
  std::vector<Tree> children;
};
BENTO_FIELDS(Tree, value, children)

struct Tulip : Size {
  bool open = false;
};
BENTO_FIELDS(Tulip, length, open)
struct Undescribed : Size {};

// As many members as the README promises, and a rule at the end.
struct Many {
  int a0 = 0, a1 = 0, a2 = 0, a3 = 0, a4 = 0, a5 = 0, a6 = 0, a7 = 0, a8 = 0, a9 = 0;
  int b0 = 0, b1 = 0, b2 = 0, b3 = 0, b4 = 0, b5 = 0, b6 = 0, b7 = 0, b8 = 0, b9 = 0;
  int c0 = 0, c1 = 0, c2 = 0, c3 = 0, c4 = 0, c5 = 0, c6 = 0, c7 = 0, c8 = 0, c9 = 0;
  int d0 = 0, d1 = 0, d2 = 0, d3 = 0, d4 = 0, d5 = 0, d6 = 0, d7 = 0, d8 = 0, d9 = 0;
  int e0 = 0, e1 = 0, e2 = 0, e3 = 0, e4 = 0, e5 = 0, e6 = 0, e7 = 0, e8 = 0, e9 = 0;
  int f0 = 0, f1 = 0, f2 = 0, f3 = 0, f4 = 0, f5 = 0, f6 = 0, f7 = 0, f8 = 0, f9 = 0;
  int g0 = 0, g1 = 0, g2 = 0, g3 = 0;
};
BENTO_FIELDS(Many, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9,
             c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, e0, e1,
             e2, e3, e4, e5, e6, e7, e8, e9, f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, g0, g1, g2,
             (g3, bento::max(7)))

}  // namespace garden

namespace bento {
namespace {

using garden::Colour;
using garden::Flower;
using garden::Integers;
using garden::Many;
using garden::Ruled;
using garden::Size;
using garden::Strict;
using garden::Tree;
using garden::Tulip;
using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// What `text` is refused for as a T, after the status of the answer.
template <typename T>
std::string refusal(std::string_view text) {
  try {
    (void)from_json<T>(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), BENTO_INVALID_ARGUMENT);
    const bool is_derived = error.http_status() == 0;  // from the code
    return (is_derived ? "400" : std::to_string(error.http_status())) + " " + error.what();
  }
  return "it is taken";
}

TEST(FromJson, ReadsWhatToJsonWrites) {
  const Flower flower{"Iris \"s\"\n\u00e9", {1.4, 0.2}, {{1, 2}, {1e300, -0.1}}, Colour::green};
  const std::string text = to_json(flower);
  EXPECT_EQ(text,
            "{\"name\":\"Iris \\\"s\\\"\\n\u00e9\",\"petal\":{\"length\":1.4,\"width\":0.2},"
            "\"leaves\":[{\"length\":1.0,\"width\":2.0},{\"length\":1e+300,\"width\":-0.1}],"
            "\"colour\":\"green\"}");
  const auto back = from_json<Flower>(text);
  EXPECT_EQ(back.name, flower.name);
  EXPECT_EQ(back.petal.width, 0.2);
  ASSERT_EQ(back.leaves.size(), 2u);
  EXPECT_EQ(back.leaves[1].length, 1e300);
  EXPECT_EQ(back.colour, Colour::green);
}

TEST(FromJson, LeavesAnOptionalMemberEmptyWhenItIsMissingOrNull) {
  EXPECT_EQ(from_json<Flower>(R"({"name":"","petal":{"length":1,"width":2},"leaves":[]})").colour,
            std::nullopt);
  const auto flower =
      from_json<Flower>(R"({"name":"","petal":{"length":1,"width":2},"leaves":[],"colour":null})");
  EXPECT_EQ(flower.colour, std::nullopt);
  EXPECT_THAT(to_json(flower), EndsWith(R"("colour":null})"));
}

TEST(FromJson, NamesAllThatIsMissingOrMistypedByItsPointer) {
  EXPECT_EQ(refusal<Flower>(R"({"name":7,"petal":{"length":"x"},"leaves":[{"length":1,"width":2},)"
                            R"(null,{"length":true,"width":[1]}],"colour":"blue"})"),
            "422 /name: expected a string, got 7; "
            "/petal/length: expected a number, got \"x\"; /petal/width: is missing; "
            "/leaves/1: expected an object, got null; "
            "/leaves/2/length: expected a number, got true; "
            "/leaves/2/width: expected a number, got an array; "
            "/colour: expected one of \"red\", \"green\", got \"blue\"");
  EXPECT_EQ(refusal<Flower>("[]"), "422 the document: expected an object, got an array");
  EXPECT_EQ(refusal<Flower>(R"({"leaves":{}})"),
            "422 /name: is missing; /petal: is missing; /leaves: expected an array, got an object");
  EXPECT_EQ(refusal<std::vector<Size>>(R"([{"length":1,"width":1},{"length":1}])"),
            "422 /1/width: is missing");
  EXPECT_EQ(refusal<Tulip>(R"({"length":1,"open":0})"), "422 /open: expected true or false, got 0");
}

TEST(FromJson, ShortensWhatItQuotes) {
  EXPECT_EQ(
      refusal<Size>(R"({"width":0,"length":")" + std::string(30, 'x') +
                    "\u20ac\u20ac\u20ac\u20ac\"}"),
      "422 /length: expected a number, got \"" + std::string(30, 'x') + "\u20ac\u20ac\u20ac...\"");
  EXPECT_EQ(refusal<Size>("{\"width\":0,\"length\":\"a\\n\\u0000b\"}"),
            "422 /length: expected a number, got \"a??b\"");
}

TEST(FromJson, TellsAHundredFaultsAndCountsTheOthers) {
  std::string text = "[";
  for (int i = 0; i < 150; ++i) text += i == 0 ? "1" : ",1";
  const std::string told = refusal<std::vector<Size>>(text + "]");
  EXPECT_THAT(told, AllOf(HasSubstr("; /99: "), Not(HasSubstr("/100")), EndsWith("; and 50 more")));
}

TEST(FromJson, HoldsIntegersAgainstTheirTypes) {
  const auto least =
      from_json<Integers>(R"({"i8":-128,"u8":0,"i64":-9223372036854775808,"u64":0})");
  EXPECT_EQ(least.i8, -128);
  EXPECT_EQ(least.i64, std::numeric_limits<std::int64_t>::min());
  const std::string most =
      R"({"i8":127,"u8":255,"i64":9223372036854775807,"u64":18446744073709551615})";
  EXPECT_EQ(from_json<Integers>(most).u64, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(to_json(from_json<Integers>(most)), most);

  EXPECT_EQ(refusal<Integers>(R"({"i8":-129,"u8":-1,"i64":9223372036854775808,"u64":-1})"),
            "422 /i8: must be at least -128, got -129; /u8: must be at least 0, got -1; "
            "/i64: must be at most 9223372036854775807, got 9223372036854775808; "
            "/u64: must be at least 0, got -1");
  EXPECT_EQ(refusal<Integers>(R"({"i8":128,"u8":256,"i64":1.5,"u64":18446744073709551616})"),
            "422 /i8: must be at most 127, got 128; /u8: must be at most 255, got 256; "
            "/i64: expected an integer, got 1.5; "
            "/u64: expected an integer, got 18446744073709551616.0");
  EXPECT_EQ(refusal<Integers>(R"({"i8":1.0,"u8":"1","i64":true,"u64":null})"),
            "422 /i8: expected an integer, got 1.0; /u8: expected an integer, got \"1\"; "
            "/i64: expected an integer, got true; /u64: expected an integer, got null");
}

TEST(FromJson, HoldsMembersAgainstTheirRules) {
  const auto ruled = from_json<Ruled>(R"({"count":1,"word":"ab","flags":[true,false],"maybe":5})");
  EXPECT_EQ(ruled.share, 0.5) << "as the struct has it";
  EXPECT_EQ(ruled.colour, Colour::green);
  EXPECT_THAT(ruled.flags, ElementsAre(true, false));

  EXPECT_EQ(refusal<Ruled>(R"({"count":0,"share":0,"part":0.6,"word":"a","flags":[true,true,true],)"
                           R"("maybe":4,"the/colour~":"pink"})"),
            "422 /count: must be at least 1, got 0; /share: must be more than 0.0, got 0; "
            "/part: must be at most 0.5, got 0.6; /word: must have at least 2 characters, has 1; "
            "/flags: must have at most 2 elements, has 3; /maybe: must be at least 5, got 4; "
            "/the~1colour~0: expected one of \"red\", \"green\", got \"pink\"");
  EXPECT_EQ(
      refusal<Ruled>(R"({"count":11,"share":1.5,"word":"\u00e9\u00e9\u00e9\u00e9","flags":[]})"),
      "422 /count: must be at most 10, got 11; /share: must be less than 1.5, got 1.5; "
      "/word: must have at most 3 characters, has 4");
  EXPECT_EQ(refusal<Ruled>(R"({"count":2,"part":-1e300,"word":"\u00e9\u00e9","flags":[]})"),
            "422 /part: must be at least -3.4028234663852886e+38, got -1e+300");
}

TEST(FromJson, IgnoresUnknownMembersUnlessTheyAreRefused) {
  EXPECT_EQ(from_json<Size>(R"({"length":1,"width":2,"more":{"length":"x"}})").width, 2);
  EXPECT_EQ(refusal<Strict>(R"({"a":1,"b/~":2,"inner":{"length":1,"width":2,"more":3},"":4})"),
            "422 /b~1~0: is not known; /: is not known");
}

TEST(FromJson, TakesTheLastOfTwoMembersOfOneName) {
  EXPECT_EQ(from_json<Size>(R"({"length":"x","length":1,"width":2,"length":3})").length, 3);
}

TEST(FromJson, RefusesWhatIsNotJsonWith400) {
  for (const std::string_view broken :
       {"", " ", "{", R"({"length":1,"width":})", "{}{}", "{'length':1}", R"({"length":NaN})",
        R"({"length":1e400,"width":0})", "\xff", "{\"\xc3\":1}", "{\"a\":\"\n\"}"}) {
    EXPECT_THAT(refusal<Size>(broken), StartsWith("400 line 1 column ")) << broken;
  }
  EXPECT_EQ(refusal<Size>(std::string_view("{}\0{}", 5)), "400 line 1 column 3: a NUL byte");
}

TEST(FromJson, RefusesJsonThatIsNestedTooDeep) {
  const auto nested = [](std::size_t levels) {  // 2 each, and one more within
    std::string text;
    for (std::size_t i = 0; i < levels; ++i) text += R"({"value":1,"children":[)";
    for (std::size_t i = 0; i < levels; ++i) text += "]}";
    return text;
  };
  Tree tree = from_json<Tree>(nested(64));
  std::size_t depth = 0;
  for (const Tree* at = &tree; !at->children.empty(); at = &at->children[0]) ++depth;
  EXPECT_EQ(depth, 63u);
  EXPECT_THAT(refusal<Tree>(nested(65)), HasSubstr("deeper than 128 levels"));
  EXPECT_THAT(refusal<Tree>(std::string(1'000'000, '[')), HasSubstr("deeper than 128 levels"));
  EXPECT_EQ(
      from_json<Size>(R"({"length":1,"width":2,"text":"\")" + std::string(200, '[') + "\"}").width,
      2)
      << "brackets within a string are none";

  Tree deeper;
  deeper.children.push_back(std::move(tree));
  EXPECT_THROW((void)to_json(deeper), Error);
}

TEST(FromJson, ReadsMembersOfABaseClass) {
  EXPECT_EQ(from_json<Tulip>(R"({"length":2,"open":true})").length, 2);
  static_assert(!detail::Described<garden::Undescribed>, "what describes a base does not do");
}

TEST(FromJson, ReadsManyMembers) {
  Many many;
  many.a0 = 1;
  many.g3 = 7;
  EXPECT_EQ(from_json<Many>(to_json(many)).g3, 7);
  many.g3 = 8;
  EXPECT_EQ(refusal<Many>(to_json(many)), "422 /g3: must be at most 7, got 8");
}

TEST(ToJson, WritesFloatsAsShortAsTheyReadBack) {
  Ruled ruled;
  ruled.share = 0.1;
  ruled.part = 0.1f;
  EXPECT_THAT(to_json(ruled), HasSubstr(R"("share":0.1,"part":0.1,)"));
  EXPECT_EQ(from_json<Size>(to_json(Size{5e-324, 0.1 + 0.2})).length, 5e-324);
  EXPECT_EQ(from_json<Size>(to_json(Size{5e-324, 0.1 + 0.2})).width, 0.1 + 0.2);
}

// What to_json() is refused for.
template <typename T>
std::string write_refusal(const T& value) {
  try {
    (void)to_json(value);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), BENTO_INTERNAL);
    return error.what();
  }
  return "it is written";
}

TEST(ToJson, RefusesWhatJsonCannotHold) {
  EXPECT_EQ(write_refusal(Flower{"a", {}, {{}, {0, std::nan("")}}, {}}),
            "/leaves/1/width: JSON cannot hold a number that is not finite");
  EXPECT_EQ(write_refusal(Size{std::numeric_limits<double>::infinity(), 0}),
            "/length: JSON cannot hold a number that is not finite");
  EXPECT_EQ(write_refusal(Flower{"\xff", {}, {}, {}}),
            "/name: JSON cannot hold text that is not UTF-8");
  EXPECT_EQ(write_refusal(Flower{"", {}, {}, static_cast<Colour>(7)}),
            "/colour: JSON cannot hold a value that BENTO_ENUM does not name");
}

TEST(Schema, SaysWhatIsDemanded) {
  EXPECT_EQ(
      json_schema<Size>(),
      R"({"type":"object","properties":{"length":{"type":"number"},"width":{"type":"number"}},)"
      R"("required":["length","width"]})");
  EXPECT_EQ(
      json_schema<Ruled>(),
      R"({"type":"object","properties":{)"
      R"("count":{"type":"integer","description":"how many","minimum":1,"maximum":10},)"
      R"("share":{"type":"number","minimum":0.0,"exclusiveMinimum":true,"maximum":1.5,)"
      R"("exclusiveMaximum":true,"default":0.5},)"
      R"("part":{"type":"number","minimum":-3.4028234663852886e+38,"maximum":0.5,"default":0.25},)"
      R"("word":{"type":"string","minLength":2,"maxLength":3},)"
      R"("flags":{"type":"array","items":{"type":"boolean"},"maxItems":2},)"
      R"("maybe":{"type":["integer","null"],"minimum":5,"maximum":2147483647},)"
      R"("the/colour~":{"type":"string","enum":["red","green"],"default":"green"}},)"
      R"("required":["count","word","flags"]})");
  EXPECT_THAT(json_schema<Flower>(),
              HasSubstr(R"("colour":{"type":["string","null"],"enum":["red","green",null]})"));
  EXPECT_THAT(json_schema<Integers>(), HasSubstr(R"("maximum":18446744073709551615)"));
  EXPECT_THAT(json_schema<Strict>(),
              EndsWith(R"("required":["a","inner"],"additionalProperties":false})"));
}

TEST(Schema, OfAStructWithinItselfEnds) {
  EXPECT_EQ(json_schema<Tree>(),
            R"({"type":"object","properties":{)"
            R"("value":{"type":"integer","minimum":-2147483648,"maximum":2147483647},)"
            R"("children":{"type":"array","items":{"type":"object"}}},)"
            R"("required":["value","children"]})");
}

TEST(FieldsIo, IsJsonWithTheSchemaAndASample) {
  const Io io = FieldsIO<Size>().sample({4.9, 3});
  EXPECT_EQ(io.abi().kind, static_cast<std::uint32_t>(BENTO_JSON));
  EXPECT_EQ(fakes::text(io.abi().descriptor), "json");
  EXPECT_EQ(fakes::text(io.abi().schema), json_schema<Size>());
  EXPECT_EQ(io.abi().flags, BENTO_IO_SELF_CHECKED);
  EXPECT_EQ(fakes::text(io.abi().sample), R"({"length":4.9,"width":3.0})");
}

TEST(FieldsIo, CarriesStructsToTheHostAndBack) {
  using Traits = detail::IoTraits<std::vector<Size>>;
  const auto held = Traits::put({{1, 2}});
  const bento_value& value = held;
  EXPECT_EQ(fakes::text(value.mime), "application/json");
  EXPECT_EQ(Traits::get(value)[0].width, 2);
  EXPECT_EQ(fakes::text(Traits::io().abi().schema), json_schema<std::vector<Size>>());
  EXPECT_THROW((void)Traits::get(fakes::make_bytes(BENTO_BYTES, "[]")), Error);
}

class StructApiTest : public testing::Test {
 protected:
  bento_code invoke(std::size_t index, std::string_view json) {
    const bento_api& api = *service_.abi()->apis[index];
    const bento_value input = fakes::make_bytes(BENTO_JSON, json);
    const bento_value* const inputs[] = {&input};
    return api.invoke(&state_, &api, &ctx_, inputs, 1, sink_.get(), &error_);
  }

  fakes::FakeHost host_;
  detail::ServiceState state_{&host_.table};
  bento_ctx ctx_;
  fakes::FakeSink sink_;
  bento_error error_ = fakes::make_error();
  Service service_;
};

TEST_F(StructApiTest, TakesAndReturnsStructs) {
  service_.api("turn", [](Context&, Size size) { return Size{size.width, size.length}; });
  const bento_api& api = *service_.abi()->apis[0];
  EXPECT_EQ(fakes::text(api.in->schema), json_schema<Size>());
  EXPECT_EQ(fakes::text(api.out->schema), json_schema<Size>());
  EXPECT_EQ(invoke(0, R"({"length":1,"width":2})"), BENTO_OK);
  ASSERT_EQ(sink_.results.size(), 1u);
  EXPECT_EQ(sink_.results[0].kind, static_cast<std::uint32_t>(BENTO_JSON));
  EXPECT_EQ(sink_.results[0].bytes, R"({"length":2.0,"width":1.0})");
  EXPECT_EQ(invoke(0, R"({"length":1})"), BENTO_INVALID_ARGUMENT);
  EXPECT_EQ(error_.http_status, 422u);
  EXPECT_STREQ(error_.message, "/width: is missing");
}

TEST_F(StructApiTest, TakesASchemaThatIsThereAlready) {
  const std::string schema = R"({"type":"object","required":["length"]})";
  service_.api("json", {.input = JsonIO().schema(schema)}, [](Json json) { return json; });
  service_.api("struct", {.input = JsonIO().schema(schema)}, [](const Size& size) { return size; });
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(fakes::text(service_.abi()->apis[i]->in->schema), schema);
    EXPECT_EQ(invoke(i, R"({"length":1.0,"width":2.0})"), BENTO_OK);
    EXPECT_EQ(sink_.results[i].bytes, R"({"length":1.0,"width":2.0})");
  }
}

TEST_F(StructApiTest, RefusesADescriptorOfAnotherKind) {
  EXPECT_THROW(service_.api("a", {.input = TextIO()}, [](const Size& size) { return size; }),
               Error);
}

}  // namespace
}  // namespace bento
