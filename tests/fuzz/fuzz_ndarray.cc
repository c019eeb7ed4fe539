// Any bytes as a tensor's JSON, under several declarations: what is accepted must be written, and
// what was written must read back as the same tensor.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "codec/ndarray.h"

namespace {

using bentohost::service::TensorSpec;

void check_round_trip(std::string_view json, const TensorSpec& spec) {
  const auto value = bentohost::service::parse_ndarray(json, spec);
  if (!value.ok()) return;
  std::string text;
  if (!bentohost::service::write_ndarray(value->view().tensor, text).ok()) std::abort();
  const auto again = bentohost::service::parse_ndarray(text, spec);
  if (!again.ok() || again->dtype != value->dtype || again->shape != value->shape ||
      again->data != value->data) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  TensorSpec spec;
  for (spec.dtype = 0; spec.dtype <= BENTO_F64; ++spec.dtype) check_round_trip(json, spec);
  spec.any_shape = false;
  spec.dtype = BENTO_F64;
  spec.shape = {-1, 4};
  check_round_trip(json, spec);
  return 0;
}
