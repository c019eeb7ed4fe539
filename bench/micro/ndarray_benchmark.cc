// Reading and writing tensors as JSON: the small request of the tabular samples, a batch of 150
// rows, an image, and the cost of the general parser where the fast one gives up.
#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <vector>

#include "codec/ndarray.h"

namespace bentohost::service {
namespace {

TensorSpec rows_of_four() {
  TensorSpec spec;
  spec.dtype = BENTO_F64;
  spec.shape = {-1, 4};
  spec.any_shape = false;
  return spec;
}

// `rows` rows of four measurements with one decimal, as the iris data has them, or with all 17
// digits.
std::string table(int rows, bool full_precision) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> any(0.1, 7.9);
  std::vector<double> values(static_cast<std::size_t>(rows) * 4);
  for (double& value : values) {
    value = any(random);
    if (!full_precision) value = static_cast<int>(value * 10) / 10.0;
  }
  const std::int64_t shape[] = {rows, 4};
  std::string text;
  const bento_tensor tensor{
      BENTO_F64, 2, shape, nullptr, {values.data(), values.size() * sizeof(double)}};
  benchmark::DoNotOptimize(write_ndarray(tensor, text).ok());
  return text;
}

void parse(benchmark::State& state, const std::string& text, const TensorSpec& spec) {
  for (auto _ : state) {
    auto value = parse_ndarray(text, spec);
    if (!value.ok()) state.SkipWithError(value.status().message().c_str());
    benchmark::DoNotOptimize(value);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

void BM_ParseOneRow(benchmark::State& state) {
  parse(state, "[[4.9,3.0,1.4,0.2]]", rows_of_four());
}
BENCHMARK(BM_ParseOneRow);

void BM_ParseOneRowOfAnyType(benchmark::State& state) { parse(state, "[[4.9,3.0,1.4,0.2]]", {}); }
BENCHMARK(BM_ParseOneRowOfAnyType);

// A literal sends the text to RapidJSON.
void BM_ParseOneRowStrictly(benchmark::State& state) {
  parse(state, "[[4.9,3.0,1.4,true]]", rows_of_four());
}
BENCHMARK(BM_ParseOneRowStrictly);

void BM_ParseRows(benchmark::State& state) {
  parse(state, table(static_cast<int>(state.range(0)), state.range(1) != 0), rows_of_four());
}
BENCHMARK(BM_ParseRows)
    ->ArgNames({"rows", "full"})
    ->Args({150, 0})
    ->Args({150, 1})
    ->Args({10000, 0});

void BM_ParseImage(benchmark::State& state) {
  std::string text = "[";
  for (int i = 0; i < 224 * 224 * 3; ++i) text += std::to_string(i % 256) + ',';
  text.back() = ']';
  TensorSpec spec;
  spec.dtype = BENTO_U8;
  parse(state, text, spec);
}
BENCHMARK(BM_ParseImage);

template <typename T>
void write(benchmark::State& state, std::uint32_t dtype, const std::vector<T>& values,
           const std::vector<std::int64_t>& shape) {
  const bento_tensor tensor{dtype,
                            static_cast<std::uint32_t>(shape.size()),
                            shape.data(),
                            nullptr,
                            {values.data(), values.size() * sizeof(T)}};
  std::string text;
  for (auto _ : state) {
    text.clear();
    if (!write_ndarray(tensor, text).ok()) state.SkipWithError("not written");
    benchmark::DoNotOptimize(text.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

void BM_WriteOneClass(benchmark::State& state) { write<std::int64_t>(state, BENTO_I64, {2}, {1}); }
BENCHMARK(BM_WriteOneClass);

void BM_WriteRows(benchmark::State& state) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> any(0.0, 1.0);
  std::vector<double> values(600);
  for (double& value : values) value = any(random);
  write<double>(state, BENTO_F64, values, {150, 4});
}
BENCHMARK(BM_WriteRows);

void BM_WriteHalves(benchmark::State& state) {
  const std::vector<std::uint16_t> values(600, 0x2e66);  // 0.1
  write<std::uint16_t>(state, BENTO_F16, values, {150, 4});
}
BENCHMARK(BM_WriteHalves);

}  // namespace
}  // namespace bentohost::service
