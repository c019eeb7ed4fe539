#include "codec/ndarray_builder.h"

#include <utility>

namespace bentohost::service {
namespace {

constexpr std::size_t kQuotedBytes = 40;  // of a number's text in a message

std::string origin(int depth) {
  std::string text;
  for (int d = 0; d < depth; ++d) text += "[0]";
  return text;
}

std::string elements(std::int64_t n) {
  return std::to_string(n) + (n == 1 ? " element" : " elements");
}

std::string quote_number(std::string_view text) {
  if (text.size() <= kQuotedBytes) return std::string(text);
  return std::string(text.substr(0, kQuotedBytes)) + "...";
}

}  // namespace

NdarrayBuilder::NdarrayBuilder(const TensorSpec& spec, std::uint32_t dtype, std::size_t max_values)
    : spec_(spec), element_size_(wire::dtype_size(dtype)) {
  value_.kind = BENTO_TENSOR;
  value_.dtype = dtype;
  value_.data.resize(max_values * element_size_);
  next_ = value_.data.data();
  extent_.fill(-1);
  index_[0] = 0;
}

bool NdarrayBuilder::begin_array() {
  if (depth_ == static_cast<int>(wire::kMaxDims)) {
    return fail("an array of more than " + std::to_string(wire::kMaxDims) + " dimensions");
  }
  if (depth_ == ndim_) {
    if (extent_[depth_ - 1] != 0) return ragged_depth("an array", "a number");
    return fail("ragged array: " + place(depth_ - 1) + " has elements where " + origin(depth_ - 1) +
                " has none");
  }
  index_[++depth_] = 0;
  return true;
}

bool NdarrayBuilder::end_array() {
  const std::int64_t n = index_[depth_];
  std::int64_t& extent = extent_[depth_ - 1];
  if (extent < 0) {
    extent = n;
    if (n == 0) ndim_ = depth_;
  } else if (extent != n) {
    return fail("ragged array: " + place(depth_ - 1) + " has " + elements(n) + " where " +
                origin(depth_ - 1) + " has " + std::to_string(extent));
  }
  ++index_[--depth_];
  return true;
}

bool NdarrayBuilder::begin_element() {
  if (ndim_ < 0) ndim_ = depth_;
  return depth_ == ndim_ || ragged_depth("a number", "an array");
}

bool NdarrayBuilder::number(const Decimal& decimal) {
  if (depth_ != ndim_ && !begin_element()) return false;
  if (!store_decimal(decimal, value_.dtype, next_)) {
    return fail("expected " + std::string(wire::dtype_name(value_.dtype)) + ", got " +
                quote_number(decimal.text) + (depth_ > 0 ? " at " + place(depth_) : ""));
  }
  next_ += element_size_;
  ++index_[depth_];
  return true;
}

bool NdarrayBuilder::boolean(bool value) {
  Decimal decimal;
  decimal.text = value ? "true" : "false";
  decimal.mantissa = value ? 1 : 0;
  decimal.integral = decimal.exact = true;
  return number(decimal);
}

bool NdarrayBuilder::foreign(std::string_view what) {
  return fail("expected " + expected() + ", got " + std::string(what) +
              (depth_ > 0 ? " at " + place(depth_) : ""));
}

Result<wire::Value> NdarrayBuilder::finish() && {
  value_.shape.assign(extent_.begin(), extent_.begin() + ndim_);
  if (!spec_.any_shape) {
    std::vector<std::int64_t>& shape = value_.shape;
    bool fits = shape.size() == spec_.shape.size() || take_missing_extents(shape);
    for (std::size_t d = 0; fits && d < shape.size(); ++d) {
      fits = spec_.shape[d] < 0 || spec_.shape[d] == shape[d];
    }
    if (!fits) {
      shape.resize(static_cast<std::size_t>(ndim_));
      return Status(BENTO_INVALID_ARGUMENT, "expected an array of shape " +
                                                wire::shape_text(spec_.shape) + ", got " +
                                                wire::shape_text(shape));
    }
  }
  value_.data.resize(static_cast<std::size_t>(next_ - value_.data.data()));
  return std::move(value_);
}

// JSON cannot show the extents inside of an empty array; the declaration can.
bool NdarrayBuilder::take_missing_extents(std::vector<std::int64_t>& shape) const {
  if (shape.empty() || shape.back() != 0 || shape.size() > spec_.shape.size()) return false;
  for (std::size_t d = shape.size(); d < spec_.shape.size(); ++d) {
    shape.push_back(spec_.shape[d] < 0 ? 0 : spec_.shape[d]);
  }
  return true;
}

bool NdarrayBuilder::fail(std::string message) {
  error_ = Status(BENTO_INVALID_ARGUMENT, std::move(message));
  return false;
}

bool NdarrayBuilder::ragged_depth(std::string_view is, std::string_view where) {
  return fail("ragged array: " + place(depth_) + " is " + std::string(is) + " where " +
              origin(depth_) + " is " + std::string(where));
}

std::string NdarrayBuilder::place(int depth) const {
  std::string text;
  for (int d = 1; d <= depth; ++d) text += '[' + std::to_string(index_[d]) + ']';
  return text;
}

// What the text should have at this point: an element inside an array, else the whole array.
std::string NdarrayBuilder::expected() const {
  const std::string dtype(wire::dtype_name(spec_.dtype));
  if (depth_ > 0) return spec_.dtype == 0 ? "a number" : dtype;
  if (!spec_.any_shape) return "an array of shape " + wire::shape_text(spec_.shape);
  return "an array of " + (spec_.dtype == 0 ? "numbers" : dtype);
}

}  // namespace bentohost::service
