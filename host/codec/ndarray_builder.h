// NdarrayBuilder: turns the events of a JSON array (begin, end, number, literal) into a tensor,
// with the error messages of ndarray.h. The caller guarantees well-formed JSON: at most one value
// more than commas. After the first false, call nothing but error(). One thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "codec/ndarray.h"
#include "codec/ndarray_decimal.h"

namespace bentohost::service {

class NdarrayBuilder {
 public:
  // `max_values`: the most values that may come; memory for them is allocated at once. `dtype` is
  // spec.dtype or, if that is 0, what the text suggests. `spec` must outlive this.
  NdarrayBuilder(const TensorSpec& spec, std::uint32_t dtype, std::size_t max_values);

  bool begin_array();
  bool end_array();
  bool number(const Decimal& decimal);
  bool boolean(bool value);
  // Any other JSON value: "a string", "null", "an object". Always false.
  bool foreign(std::string_view what);

  const Status& error() const { return error_; }
  // The tensor, once the outermost value is complete. The builder is then empty.
  Result<wire::Value> finish() &&;

 private:
  bool begin_element();
  bool fail(std::string message);
  bool ragged_depth(std::string_view is, std::string_view where);
  std::string place(int depth) const;
  std::string expected() const;
  bool take_missing_extents(std::vector<std::int64_t>& shape) const;

  const TensorSpec& spec_;
  wire::Value value_;
  char* next_;
  std::size_t element_size_;
  Status error_;
  int depth_ = 0;
  int ndim_ = -1;  // known once the first element or the first empty array came
  // extent_[d]: the length of arrays at depth d + 1; -1 until one has ended. index_[d]: the
  // position in the open array at depth d; index_[0] is not used.
  std::array<std::int64_t, wire::kMaxDims> extent_;
  std::array<std::int64_t, wire::kMaxDims + 1> index_;
};

}  // namespace bentohost::service
