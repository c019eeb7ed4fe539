// n-dimensional arrays as JSON, read and written as NumPy's asarray and tolist would: nested
// arrays, a bare scalar for a 0-d array. One pass over the text each way, no DOM. Pure; any thread.
#pragma once

#include <bento/abi.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "wire/value.h"

namespace bentohost::service {

// The tensor that an API expects: the host's copy of a bento_io of kind BENTO_TENSOR.
struct TensorSpec {
  std::uint32_t dtype = 0;  // 0: any. Then integers give int64, a fraction or exponent anywhere
                            // float64, true and false bool
  std::vector<std::int64_t> shape;  // -1: any extent
  bool any_shape = true;            // `shape` is ignored; any ndim is allowed
};

// INVALID_ARGUMENT, each naming what and where:
//   broken JSON           "line 1 column 8: ..."
//   a ragged array        "ragged array: [1] has 3 elements where [0] has 4"
//   a wrong shape         "expected an array of shape (n, 4), got (1, 3)"
//   a wrong element type  "expected float64, got a string at [0][2]"; a number that the dtype
//                         cannot hold likewise: "expected int8, got 300 at [2]", 0.5 for an integer
// Nothing is lost silently: integer dtypes take 3.0 and 3e2 but no fraction and nothing out of
// range, bool takes 0 and 1, numbers take true and false as 1 and 0. Empty arrays are arrays: [] is
// (0,), [[],[]] is (2, 0); with dtype any they are float64. If the declared shape has more
// dimensions than an empty array shows, the missing extents are taken from the declaration (0 for
// -1).
Result<wire::Value> parse_ndarray(std::string_view json, const TensorSpec& spec);

// Appends to `out`. Floats are written in the shortest form that reads back as the same float64,
// float32 or float16; integral floats keep ".0". INTERNAL, with `out` unchanged, for NaN and
// infinities (JSON has no such numbers; the message names the place), and for a tensor whose fields
// contradict each other. C order only.
Status write_ndarray(const bento_tensor& tensor, std::string& out);

}  // namespace bentohost::service
