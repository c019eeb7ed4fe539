#include "wire/frame.h"

#include <gmock/gmock.h>

#include <cstddef>
#include <functional>
#include <optional>

#include "unit/wire/samples.h"
#include "wire/frame_layout.h"

namespace bentohost::wire {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

constexpr std::uint64_t kId = 0x1122334455667788;
constexpr std::size_t kFirstValue = 64;  // in the body of a call of a few callers

std::span<const char> body_of(const AlignedBuffer& frame) {
  const auto header = decode_header(frame);
  EXPECT_TRUE(header.ok()) << header.status().message();
  return std::span(frame).subspan(kHeaderSize, static_cast<std::size_t>(header->body_length));
}

// Exactly as long as the body, so that a sanitizer sees any step beyond it.
AlignedBuffer copy_of(std::span<const char> body) {
  AlignedBuffer copy;
  copy.resize(body.size());
  if (!body.empty()) std::memcpy(copy.data(), body.data(), body.size());
  return copy;
}

AlignedBuffer encode_call(const std::vector<Value>& values, std::vector<std::uint32_t> rows) {
  AlignedBuffer out;
  FrameWriter frame(out, FrameType::kCall, kId, 7);
  frame.rows(rows, static_cast<std::uint32_t>(values.size()));
  for (const Value& value : values) frame.value(value.view());
  EXPECT_TRUE(frame.finish());
  return out;
}

// A body with a tensor at kFirstValue, with other bytes written at `at` from there.
template <typename T>
Status decode_patched(std::size_t at, T what) {
  const AlignedBuffer frame = encode_call({make_tensor(BENTO_F64, {2, 4}, "x")}, {1, 1});
  AlignedBuffer body = copy_of(body_of(frame));
  std::memcpy(body.data() + at, &what, sizeof what);
  DecodedValues decoded;
  Status status = decode_call(body, decoded);
  EXPECT_EQ(decoded.values.empty(), !status.ok());
  return status;
}

TEST(Frame, HeaderHoldsWhatItsWriterWasTold) {
  for (const auto type : {FrameType::kHello, FrameType::kReady, FrameType::kCall,
                          FrameType::kResult, FrameType::kError}) {
    AlignedBuffer out;
    FrameWriter frame(out, type, kId, 0xFFFFFFFF);
    frame.text("12345");
    ASSERT_TRUE(frame.finish());
    EXPECT_EQ(out.size(), 128u);
    const auto header = decode_header(out);
    ASSERT_TRUE(header.ok());
    EXPECT_EQ(header->type, type);
    EXPECT_EQ(header->id, kId);
    EXPECT_EQ(header->method, 0xFFFFFFFF);
    EXPECT_EQ(header->body_length, 5u);
  }
}

TEST(Frame, HelloCarriesItsText) {
  AlignedBuffer out;
  FrameWriter frame(out, FrameType::kHello, 0, 0);
  frame.text(R"({"options": {}})");
  ASSERT_TRUE(frame.finish());
  const std::span<const char> body = body_of(out);
  EXPECT_EQ(std::string(body.begin(), body.end()), R"({"options": {}})");
}

TEST(Frame, CallAndResultCarryEverySortOfValueAligned) {
  const std::vector<Value> values = every_sort_of_value();
  AlignedBuffer out = encode_call(values, {1, 4, 0, 2});
  const std::size_t length_of_call = out.size();
  FrameWriter result(out, FrameType::kResult, kId, 7);
  result.value_count(static_cast<std::uint32_t>(values.size()));
  for (const Value& value : values) result.value(value.view());
  ASSERT_TRUE(result.finish());

  DecodedValues call, answer;
  ASSERT_TRUE(decode_call(body_of(out), call).ok());
  EXPECT_THAT(call.rows, ElementsAre(1, 4, 0, 2));
  const AlignedBuffer second(out.begin() + static_cast<std::ptrdiff_t>(length_of_call), out.end());
  ASSERT_TRUE(decode_result(body_of(second), answer).ok());
  ASSERT_EQ(call.values.size(), values.size());
  ASSERT_EQ(answer.values.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    expect_same(call.values[i], values[i].view());
    expect_same(answer.values[i], values[i].view());
    const bool is_tensor = values[i].kind == BENTO_TENSOR;
    const bento_value& value = call.values[i];
    EXPECT_TRUE(is_aligned(is_tensor ? value.tensor.data.ptr : value.bytes.ptr)) << "value " << i;
  }
}

TEST(Frame, CallMayHaveNeitherCallersNorValues) {
  const AlignedBuffer out = encode_call({}, {});
  DecodedValues decoded;
  EXPECT_TRUE(decode_call(body_of(out), decoded).ok());
  EXPECT_TRUE(decoded.values.empty());
  EXPECT_TRUE(decoded.rows.empty());
}

TEST(Frame, StridedTensorArrivesInCOrder) {
  const Value value = make_tensor(BENTO_I16, {2, 3});
  const std::int64_t shape[] = {3, 2}, strides[] = {1, 3};
  bento_value transposed = value.view();
  transposed.tensor.shape = shape;
  transposed.tensor.strides = strides;
  AlignedBuffer out;
  FrameWriter frame(out, FrameType::kResult, kId, 0);
  frame.value_count(1);
  frame.value(transposed);
  ASSERT_TRUE(frame.finish());
  DecodedValues decoded;
  ASSERT_TRUE(decode_result(body_of(out), decoded).ok());
  expect_same(decoded.values[0], Value::copy(transposed)->view());
}

TEST(Frame, RoomForATensorIsWhatArrives) {
  AlignedBuffer out;
  FrameWriter frame(out, FrameType::kCall, kId, 0);
  const std::uint32_t rows[] = {1, 1};
  frame.rows(rows, 1);
  const Value expected = make_tensor(BENTO_F32, {2, 5}, "features");
  char* room = frame.tensor("features", BENTO_F32, expected.shape, 40);
  EXPECT_TRUE(is_aligned(room));
  std::memcpy(room, expected.data.data(), 20);
  std::memcpy(room + 20, expected.data.data() + 20, 20);
  ASSERT_TRUE(frame.finish());
  DecodedValues decoded;
  ASSERT_TRUE(decode_call(body_of(out), decoded).ok());
  expect_same(decoded.values[0], expected.view());
}

TEST(Frame, TellsNothingOfTheMemoryItIsWrittenInto) {
  const std::vector<Value> values = {make_tensor(BENTO_U8, {3}, "x"), make_blob(BENTO_JSON, "{}")};
  const AlignedBuffer clean = encode_call(values, {3});
  AlignedBuffer out;
  out.assign(8192, '\x5A');
  out.clear();
  FrameWriter frame(out, FrameType::kCall, kId, 7);
  const std::uint32_t rows[] = {3};
  frame.rows(rows, 2);
  for (const Value& value : values) frame.value(value.view());
  ASSERT_TRUE(frame.finish());
  EXPECT_EQ(out, clean);
  EXPECT_THAT(std::span(out).last(62), Each('\0'));  // after "{}"
}

TEST(Frame, TakesBackWhatNoPeerWouldTake) {
  const Value value = make_tensor(BENTO_U8, {3});
  const std::vector<std::uint32_t> one_too_many(kMaxCallers + 1);
  const Value long_name = make_tensor(BENTO_U8, {3}, std::string(kMaxLabel + 1, 'n'));
  const std::function<void(FrameWriter&)> wrong[] = {
      [&](FrameWriter& frame) { frame.rows(one_too_many, 0); },
      [&](FrameWriter& frame) {
        frame.value_count(kMaxValues + 1);
        for (std::uint32_t i = 0; i <= kMaxValues; ++i) frame.value(value.view());
      },
      [&](FrameWriter& frame) { frame.value_count(1); },
      [&](FrameWriter& frame) {
        frame.value_count(1);
        frame.value(value.view());
        frame.value(value.view());
      },
      [&](FrameWriter& frame) {
        frame.value_count(1);
        frame.value(long_name.view());
      },
  };
  AlignedBuffer out = encode_call({value}, {3});
  const AlignedBuffer before = out;
  for (const auto& write : wrong) {
    FrameWriter frame(out, FrameType::kCall, kId, 0);
    write(frame);
    EXPECT_FALSE(frame.finish());
    EXPECT_EQ(out, before);
  }
}

TEST(Frame, RefusesEveryTruncationOfABodyAndEveryByteTooMany) {
  const AlignedBuffer frame =
      encode_call({make_tensor(BENTO_F64, {2, 4}, "x"), make_blob(BENTO_JSON, "[1]", "text/plain"),
                   make_tensor(BENTO_U8, {0})},
                  {1, 1});
  const std::span<const char> body = body_of(frame);
  DecodedValues decoded;
  for (std::size_t length = 0; length < body.size(); ++length) {
    const AlignedBuffer cut = copy_of(body.first(length));
    EXPECT_EQ(decode_call(cut, decoded).code(), BENTO_INVALID_ARGUMENT) << length;
    EXPECT_TRUE(decoded.values.empty() && decoded.rows.empty());
  }
  AlignedBuffer more = copy_of(body);
  ASSERT_TRUE(decode_call(more, decoded).ok());
  more.push_back('\0');
  EXPECT_FALSE(decode_call(more, decoded).ok());
}

TEST(Frame, HeaderWithOneBitFlippedIsRefusedUnlessTheBitMeansSomething) {
  const AlignedBuffer good = encode_call({make_tensor(BENTO_F64, {2, 4}, "x")}, {1, 1});
  const FrameHeader expected = *decode_header(good);
  for (std::size_t bit = 0; bit < kHeaderSize * 8; ++bit) {
    AlignedBuffer bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    const std::size_t byte = bit / 8;
    const auto header = decode_header(bad);
    const bool is_id_or_method = byte >= 8 && byte < 20;
    const bool is_type = byte == 6, is_length = byte >= 24 && byte < 32;
    EXPECT_TRUE(!is_id_or_method || header.ok()) << "bit " << bit;
    EXPECT_TRUE(is_id_or_method || is_type || is_length || !header.ok()) << "bit " << bit;
    if (!header.ok()) continue;
    EXPECT_EQ(header->type != expected.type, is_type);
    EXPECT_EQ(header->id != expected.id || header->method != expected.method, is_id_or_method);
    EXPECT_EQ(header->body_length != expected.body_length, is_length);
    EXPECT_LE(header->body_length, kMaxBody);
  }
}

TEST(Frame, BodyWithOneBitFlippedIsRefusedOrStillWithinItself) {
  const AlignedBuffer frame = encode_call(
      {make_tensor(BENTO_F64, {2, 4}, "x"), make_blob(BENTO_JSON, "[1]", "text/plain")}, {1, 1});
  const AlignedBuffer good = copy_of(body_of(frame));
  const auto is_within = [](const AlignedBuffer& body, const void* data, std::size_t length) {
    const auto* at = static_cast<const char*>(data);
    return at >= body.data() && at + length <= body.data() + body.size();
  };
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    AlignedBuffer body = good;
    body[bit / 8] = static_cast<char>(body[bit / 8] ^ (1 << bit % 8));
    DecodedValues decoded;
    if (!decode_call(body, decoded).ok()) continue;
    for (const bento_value& value : decoded.values) {
      EXPECT_TRUE(check_value(value).ok()) << "bit " << bit;
      EXPECT_TRUE(is_within(body, value.name.ptr, value.name.len));
      EXPECT_TRUE(is_within(body, value.mime.ptr, value.mime.len));
      const bento_bytes& data = value.kind == BENTO_TENSOR ? value.tensor.data : value.bytes;
      EXPECT_TRUE(is_within(body, data.ptr, data.len));
      EXPECT_TRUE(is_aligned(data.ptr));
    }
  }
}

TEST(Frame, RefusesAShortHeader) {
  const AlignedBuffer good = encode_call({}, {});
  for (std::size_t length = 0; length < kHeaderSize; ++length) {
    const AlignedBuffer cut = copy_of(std::span(good).first(length));
    EXPECT_EQ(decode_header(cut).status().code(), BENTO_INVALID_ARGUMENT);
  }
}

TEST(Frame, RefusesALengthBeyondTheCap) {
  AlignedBuffer frame = encode_call({}, {});
  for (const std::uint64_t length : {kMaxBody + 1, ~std::uint64_t{0}, std::uint64_t{1} << 63}) {
    std::memcpy(frame.data() + offsetof(layout::Header, body_length), &length, sizeof length);
    EXPECT_EQ(decode_header(frame).status().message(), "malformed frame: the body is over the cap");
  }
  std::memcpy(frame.data() + offsetof(layout::Header, body_length), &kMaxBody, sizeof kMaxBody);
  EXPECT_TRUE(decode_header(frame).ok());
}

TEST(Frame, RefusesCountsThatTheBodyCannotHoldAndSizesNothingByThem) {
  const std::pair<std::uint32_t, std::uint32_t> claims[] = {
      {kMaxCallers + 1, 0}, {kMaxCallers, 0}, {0, kMaxValues + 1}, {0, kMaxValues}, {0, 2}, {15, 0},
      {0xFFFFFFFF, 0},      {0, 0xFFFFFFFF}};
  for (const auto& [callers, values] : claims) {
    AlignedBuffer body(kFirstValue, '\0');
    const layout::Counts counts{callers, values};
    std::memcpy(body.data(), &counts, sizeof counts);
    DecodedValues decoded;
    EXPECT_EQ(decode_call(body, decoded).code(), BENTO_INVALID_ARGUMENT);
    EXPECT_EQ(decoded.rows.capacity(), 0u);
    EXPECT_EQ(decoded.values.capacity(), 0u);
  }
}

TEST(Frame, RefusesAValueWhoseLengthsLie) {
  constexpr std::size_t kName = kFirstValue + offsetof(layout::Value, name_length);
  constexpr std::size_t kMime = kFirstValue + offsetof(layout::Value, mime_length);
  constexpr std::size_t kData = kFirstValue + offsetof(layout::Value, data_length);
  constexpr std::size_t kNdim = kFirstValue + offsetof(layout::Value, ndim);
  EXPECT_TRUE(decode_patched(kName, std::uint32_t{1}).ok());
  for (const std::uint32_t length : {200u, 65536u, 65537u, 0x7FFFFFFFu, 0xFFFFFFFFu}) {
    EXPECT_FALSE(decode_patched(kName, length).ok()) << length;
    EXPECT_FALSE(decode_patched(kMime, length).ok()) << length;
    EXPECT_FALSE(decode_patched(kNdim, length).ok()) << length;
  }
  for (const std::uint64_t length : {0ull, 63ull, 65ull, 1ull << 63, ~0ull, ~0ull - 63}) {
    EXPECT_FALSE(decode_patched(kData, length).ok()) << length;
  }
  EXPECT_FALSE(decode_patched(kNdim, kMaxDims + 1).ok());
}

TEST(Frame, RefusesAShapeThatIsNotThatOfTheData) {
  constexpr std::size_t kShape = kFirstValue + sizeof(layout::Value);
  using Extents = std::array<std::int64_t, 2>;
  EXPECT_TRUE(decode_patched(kShape, Extents{4, 2}).ok());
  constexpr std::int64_t kHalf = std::int64_t{1} << 32;
  for (const Extents extents :
       {Extents{2, 3}, Extents{-2, -4}, Extents{-1, 4}, Extents{0, 4}, Extents{kHalf, kHalf},
        Extents{kHalf * 2, kHalf / 2}, Extents{INT64_MAX, 2}, Extents{INT64_MIN, 4}}) {
    EXPECT_FALSE(decode_patched(kShape, extents).ok()) << extents[0] << ", " << extents[1];
  }
}

// One arena, of 64 bytes.
class OneArena final : public Arenas {
 public:
  const char* find(std::uint32_t arena, std::uint64_t length) override {
    return arena == 7 && length <= memory.size() ? memory.data() : nullptr;
  }
  AlignedBuffer memory = AlignedBuffer(64, 'm');
};

AlignedBuffer result_in(std::uint32_t arena, const bento_value& value) {
  AlignedBuffer out;
  FrameWriter frame(out, FrameType::kResult, 7, 1);
  frame.value_count(1);
  frame.value_in(arena, value);
  EXPECT_TRUE(frame.finish());
  return out;
}

TEST(Frame, LeavesDataInAnArena) {
  const Value tensor = make_tensor(BENTO_F64, {2, 4});
  const AlignedBuffer frame = result_in(7, tensor.view());
  EXPECT_LT(frame.size(), kHeaderSize + 4 * kDataAlignment) << "no data is in the frame";
  OneArena arenas;
  DecodedValues decoded;
  ASSERT_TRUE(decode_result(body_of(frame), decoded, &arenas).ok());
  EXPECT_EQ(decoded.values[0].tensor.data.ptr, arenas.memory.data());
  EXPECT_EQ(decoded.values[0].tensor.data.len, 64u);
  EXPECT_EQ(decoded.values[0].tensor.shape[1], 4);
}

TEST(Frame, RefusesAnArenaThatThePeerMayNotName) {
  const Value tensor = make_tensor(BENTO_F64, {2, 4}), larger = make_tensor(BENTO_F64, {2, 5});
  OneArena arenas;
  DecodedValues decoded;
  EXPECT_FALSE(decode_result(body_of(result_in(8, tensor.view())), decoded, &arenas).ok());
  EXPECT_FALSE(decode_result(body_of(result_in(7, larger.view())), decoded, &arenas).ok());
  EXPECT_FALSE(decode_result(body_of(result_in(7, tensor.view())), decoded).ok()) << "a socket's";
  EXPECT_TRUE(decoded.values.empty());
}

TEST(Frame, RefusesUnknownKindsAndDtypesAndUsedReserves) {
  constexpr std::size_t kKind = kFirstValue + offsetof(layout::Value, kind);
  constexpr std::size_t kDtype = kFirstValue + offsetof(layout::Value, dtype);
  constexpr std::size_t kReserved = kFirstValue + offsetof(layout::Value, arena);
  EXPECT_TRUE(decode_patched(kDtype, std::uint32_t{BENTO_I64}).ok());
  for (const std::uint32_t kind : {0u, 4u, 0xFFFFFFFFu}) {
    EXPECT_FALSE(decode_patched(kKind, kind).ok());
  }
  EXPECT_FALSE(decode_patched(kKind, std::uint32_t{BENTO_BYTES}).ok()) << "bytes with a shape";
  for (const std::uint32_t dtype : {0u, std::uint32_t{BENTO_F32}, 13u, 0xFFFFFFFFu}) {
    EXPECT_FALSE(decode_patched(kDtype, dtype).ok());
  }
  EXPECT_FALSE(decode_patched(kReserved, std::uint32_t{1}).ok());
}

TEST(Frame, RefusesABodyOutOfLine) {
  const AlignedBuffer frame = encode_call({make_tensor(BENTO_F64, {2, 4})}, {1, 1});
  DecodedValues decoded;
  AlignedBuffer shifted(8, '\0');
  shifted.insert(shifted.end(), body_of(frame).begin(), body_of(frame).end());
  EXPECT_FALSE(decode_call(std::span(shifted).subspan(8), decoded).ok());
}

TEST(Frame, DecodingAgainReusesItsMemory) {
  const AlignedBuffer large = encode_call(
      {make_tensor(BENTO_F64, {1, 4}), make_tensor(BENTO_F64, {1, 4})}, {1, 1, 1, 1, 1});
  const AlignedBuffer small = encode_call({make_tensor(BENTO_F64, {2, 4})}, {1, 1});
  DecodedValues decoded;
  ASSERT_TRUE(decode_call(body_of(large), decoded).ok());
  const auto* values = decoded.values.data();
  const auto* rows = decoded.rows.data();
  ASSERT_TRUE(decode_call(body_of(small), decoded).ok());
  EXPECT_EQ(decoded.values.size(), 1u);
  ASSERT_FALSE(decode_call({}, decoded).ok());
  ASSERT_TRUE(decode_call(body_of(large), decoded).ok());
  EXPECT_EQ(decoded.values.data(), values);
  EXPECT_EQ(decoded.rows.data(), rows);
}

Status through_a_frame(const Status& status) {
  AlignedBuffer out;
  FrameWriter frame(out, FrameType::kError, kId, 0);
  frame.error(status);
  EXPECT_TRUE(frame.finish());
  const AlignedBuffer body = copy_of(body_of(out));
  return decode_error(body);
}

TEST(Frame, ErrorCarriesCodeHttpStatusAndMessage) {
  const Status plain = through_a_frame({BENTO_UNAVAILABLE, "the GPU is gone"});
  EXPECT_EQ(plain.code(), BENTO_UNAVAILABLE);
  EXPECT_EQ(plain.http_status(), 503u);
  EXPECT_EQ(plain.message(), "the GPU is gone");
  const Status explicit_http =
      through_a_frame(Status::with_http(422, BENTO_INVALID_ARGUMENT, "wrong"));
  EXPECT_EQ(explicit_http.code(), BENTO_INVALID_ARGUMENT);
  EXPECT_EQ(explicit_http.http_status(), 422u);
  EXPECT_EQ(through_a_frame({12345, ""}).code(), 12345);
}

TEST(Frame, ErrorMessageIsCutAtItsCap) {
  const Status status = through_a_frame({BENTO_INTERNAL, std::string(kMaxMessage + 9, 'm')});
  EXPECT_EQ(status.message(), std::string(kMaxMessage, 'm'));
}

TEST(Frame, ErrorWithAStatusThatIsNoHttpErrorFallsBackToItsCode) {
  for (const std::uint32_t http : {1u, 200u, 302u, 399u, 600u, 0xFFFFFFFFu}) {
    const Status status = through_a_frame(Status::with_http(http, BENTO_NOT_FOUND, "none"));
    EXPECT_EQ(status.http_status(), 404u) << http;
  }
}

TEST(Frame, MalformedErrorIsAnInternalError) {
  const AlignedBuffer ok_code(8, '\0'), cut_short(7, '\1'), too_long(8 + kMaxMessage + 1, '\1');
  for (const AlignedBuffer& body : {AlignedBuffer(), ok_code, cut_short, too_long}) {
    const Status status = decode_error(body);
    EXPECT_EQ(status.code(), BENTO_INTERNAL);
    EXPECT_EQ(status.message(), "malformed error frame");
  }
}

}  // namespace
}  // namespace bentohost::wire
