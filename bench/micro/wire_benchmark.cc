// Frames of the pipe RPC: the small batch of the tabular samples (ten callers, one row of four
// doubles each), its result, and the joining of rows.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "wire/frame.h"

namespace bentohost::wire {
namespace {

constexpr std::size_t kCallers = 10, kColumns = 4, kRowBytes = kColumns * sizeof(double);
constexpr std::array<std::int64_t, 2> kBatchShape = {kCallers, kColumns};
constexpr std::array<std::int64_t, 1> kResultShape = {kCallers};

Value row() {
  Value value;
  value.kind = BENTO_TENSOR;
  value.dtype = BENTO_F64;
  value.shape = {1, kColumns};
  value.data.assign(kRowBytes, '\x3F');
  return value;
}

void write_call(AlignedBuffer& out, const std::vector<Value>& rows) {
  std::array<std::uint32_t, kCallers> counts;
  counts.fill(1);
  out.clear();
  FrameWriter frame(out, FrameType::kCall, 7, 1);
  frame.rows(counts, 1);
  char* to = frame.tensor("features", BENTO_F64, kBatchShape, kCallers * kRowBytes);
  for (const Value& one : rows) {
    std::memcpy(to, one.data.data(), one.data.size());
    to += one.data.size();
  }
  frame.finish();
}

void write_result(AlignedBuffer& out, const bento_value& classes) {
  out.clear();
  FrameWriter frame(out, FrameType::kResult, 7, 1);
  frame.value_count(1);
  frame.value(classes);
  frame.finish();
}

Value classes() {
  Value value;
  value.kind = BENTO_TENSOR;
  value.dtype = BENTO_I64;
  value.shape.assign(kResultShape.begin(), kResultShape.end());
  value.data.assign(kCallers * sizeof(std::int64_t), '\0');
  return value;
}

std::span<const char> body_of(const AlignedBuffer& frame) {
  return std::span(frame).subspan(kHeaderSize, decode_header(frame)->body_length);
}

void encode_call(benchmark::State& state) {
  const std::vector<Value> rows(kCallers, row());
  AlignedBuffer out;
  for (auto _ : state) {
    write_call(out, rows);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(encode_call);

void decode_a_call(benchmark::State& state) {
  AlignedBuffer out;
  write_call(out, std::vector<Value>(kCallers, row()));
  DecodedValues decoded;
  for (auto _ : state) {
    benchmark::DoNotOptimize(decode_call(body_of(out), decoded).ok());
  }
}
BENCHMARK(decode_a_call);

void encode_result(benchmark::State& state) {
  const Value value = classes();
  AlignedBuffer out;
  for (auto _ : state) {
    write_result(out, value.view());
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(encode_result);

void decode_a_result(benchmark::State& state) {
  AlignedBuffer out;
  write_result(out, classes().view());
  DecodedValues decoded;
  for (auto _ : state) {
    benchmark::DoNotOptimize(decode_result(body_of(out), decoded).ok());
  }
}
BENCHMARK(decode_a_result);

// The reader: one whole frame from bytes, as after one read() of a pipe.
void read_a_frame(benchmark::State& state) {
  AlignedBuffer stream;
  write_call(stream, std::vector<Value>(kCallers, row()));
  FrameReader reader;
  for (auto _ : state) {
    std::memcpy(reader.writable().data(), stream.data(), stream.size());
    reader.commit(stream.size());
    benchmark::DoNotOptimize(reader.next());
  }
}
BENCHMARK(read_a_frame);

// A frame of the given size, in pieces of 64 KiB, as a pipe delivers them.
void read_a_large_frame(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  AlignedBuffer stream;
  FrameWriter frame(stream, FrameType::kHello, 0, 0);
  frame.text(std::string(size, 'a'));
  frame.finish();
  FrameReader reader;
  for (auto _ : state) {
    for (std::size_t at = 0; at < stream.size();) {
      const std::span<char> room = reader.writable();
      const std::size_t n = std::min({room.size(), stream.size() - at, std::size_t{64 * 1024}});
      std::memcpy(room.data(), stream.data() + at, n);
      reader.commit(n);
      at += n;
      benchmark::DoNotOptimize(reader.next());
    }
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(read_a_large_frame)->Arg(256 << 10)->Arg(10 << 20);

// Joins the rows of ten callers along an axis into a new tensor.
void concat_rows(benchmark::State& state) {
  const auto axis = static_cast<std::int32_t>(state.range(0));
  const Value one = row();
  const std::vector<bento_value> parts(kCallers, one.view());
  for (auto _ : state) benchmark::DoNotOptimize(concat(parts, axis));
}
BENCHMARK(concat_rows)->Arg(0)->Arg(1);

}  // namespace
}  // namespace bentohost::wire
