// Writes the seeds of fuzz_frame: one file of real frames for each thing that a frame can hold.
// Usage: make_frame_corpus <folder>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "wire/frame.h"

namespace bentohost::wire {
namespace {

Value make_tensor(std::uint32_t dtype, std::vector<std::int64_t> shape, std::string name) {
  Value value;
  value.kind = BENTO_TENSOR;
  value.name = std::move(name);
  value.dtype = dtype;
  value.data.assign(static_cast<std::size_t>(tensor_bytes(dtype, shape)), '\x3F');
  value.shape = std::move(shape);
  return value;
}

Value make_blob(std::uint32_t kind, std::string_view data, std::string mime) {
  Value value;
  value.kind = kind;
  value.mime = std::move(mime);
  value.data.assign(data.begin(), data.end());
  return value;
}

AlignedBuffer call(const std::vector<std::uint32_t>& rows, const std::vector<Value>& values,
                   const std::vector<Caller>& callers = {}) {
  AlignedBuffer out;
  FrameWriter frame(out, FrameType::kCall, 7, 1);
  frame.rows(rows, static_cast<std::uint32_t>(values.size()), callers);
  for (const Value& value : values) frame.value(value.view());
  frame.finish();
  return out;
}

AlignedBuffer result(const std::vector<Value>& values,
                     const std::vector<FailedCaller>& failed = {}) {
  AlignedBuffer out;
  FrameWriter frame(out, FrameType::kResult, 7, 1);
  frame.value_count(static_cast<std::uint32_t>(values.size()), failed);
  for (const Value& value : values) frame.value(value.view());
  frame.finish();
  return out;
}

AlignedBuffer result_in_arenas(const Value& inline_one, const std::vector<Value>& values) {
  AlignedBuffer out;
  FrameWriter frame(out, FrameType::kResult, 7, 1);
  frame.value_count(static_cast<std::uint32_t>(values.size() + 1));
  frame.value(inline_one.view());
  std::uint32_t arena = 0;
  for (const Value& value : values) frame.value_in(++arena, value.view());
  frame.finish();
  FrameWriter(out, FrameType::kNoArena, 7, 0).finish();
  return out;
}

AlignedBuffer named_call(const CallTarget& target, const std::vector<Value>& values) {
  AlignedBuffer out;
  FrameWriter frame(out, FrameType::kNamedCall, 7, 0);
  frame.target(target, static_cast<std::uint32_t>(values.size()));
  for (const Value& value : values) frame.value(value.view());
  frame.finish();
  FrameWriter(out, FrameType::kCancel, 7, 0).finish();
  FrameWriter(out, FrameType::kList, 8, 0).finish();
  return out;
}

AlignedBuffer conversation() {
  AlignedBuffer out;
  FrameWriter hello(out, FrameType::kHello, 0, 0);
  hello.text(R"({"version": "1.0.0", "options": {}})");
  hello.finish();
  FrameWriter(out, FrameType::kReady, 0, 0).finish();
  const AlignedBuffer question = call({1}, {make_tensor(BENTO_F64, {1, 4}, "features")});
  out.insert(out.end(), question.begin(), question.end());
  FrameWriter error(out, FrameType::kError, 7, 0);
  error.error(Status::with_http(422, BENTO_INVALID_ARGUMENT, "sepal length is negative"));
  error.finish();
  return out;
}

// A call that streams, and is cancelled.
AlignedBuffer stream(const Value& value) {
  AlignedBuffer out = call({1}, {value});
  for (int i = 0; i < 2; ++i) {
    FrameWriter part(out, FrameType::kResult, 7, 1);
    part.more();
    part.value_count(1);
    part.value(value.view());
    part.finish();
  }
  FrameWriter room(out, FrameType::kRoom, 7, 0);
  room.room({2, 256});
  room.finish();
  FrameWriter(out, FrameType::kCancel, 7, 0).finish();
  return out;
}

bool write(const std::filesystem::path& path, const AlignedBuffer& bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return out.good();
}

bool write_all(const std::filesystem::path& folder) {
  const Value json = make_blob(BENTO_JSON, R"({"a": [1]})", "");
  const Value image = make_blob(BENTO_BYTES, "\x89PNG", "image/png");
  return write(folder / "call_batch", call({1, 2, 1}, {make_tensor(BENTO_F64, {4, 4}, "x")})) &&
         write(folder / "call_kinds", call({1}, {json, image, make_tensor(BENTO_U8, {3}, "")})) &&
         write(folder / "call_empty", call({}, {})) &&
         write(
             folder / "call_lists",
             call({1, 1}, {json, Value(), json, image},
                  {{1'000'000'000, "7", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
                   {0, "8", ""}})) &&
         write(folder / "result_failed",
               result({json, Value(), image},
                      {{1, Status::with_http(422, BENTO_INVALID_ARGUMENT, "negative")},
                       {2, Status(BENTO_INTERNAL, "")}})) &&
         write(folder / "result_scalar", result({make_tensor(BENTO_F32, {}, "loss")})) &&
         write(folder / "result_no_rows", result({make_tensor(BENTO_I64, {0, 3}, "")})) &&
         write(folder / "result_dims",
               result({make_tensor(BENTO_BOOL, {2, 1, 3, 1, 2}, "mask")})) &&
         write(folder / "result_in_arenas",
               result_in_arenas(json, {make_tensor(BENTO_F32, {2, 512}, "y"), image})) &&
         write(folder / "named_call",
               named_call({"iris_classifier", "iris_clf", "predict", "7", 500},
                          {make_tensor(BENTO_F64, {1, 4}, "x"), json})) &&
         write(folder / "stream", stream(json)) && write(folder / "conversation", conversation());
}

}  // namespace
}  // namespace bentohost::wire

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_frame_corpus <folder>\n");
    return 2;
  }
  std::filesystem::create_directories(argv[1]);
  return bentohost::wire::write_all(argv[1]) ? 0 : 1;
}
