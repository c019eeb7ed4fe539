// Tensors: TensorView<T> looks at elements that somebody else owns, Tensor<T> owns its elements.
// Plain data in C order (the last axis is the fastest), without arithmetic, strides or broadcasts.
// T is bool, an integer of 8 to 64 bits with or without sign, float or double. Part of
// <bento/bento.hpp>.
//
//   auto sums = bento::Tensor<double>::zeros({x.rows()});      // x is a TensorView<double>, (n, 4)
//   for (auto i : bento::rows(x)) sums(i) = x(i, 0) + x(i, 3);
//
// A tensor without axes, shape {}, is a scalar: one element, one row. No function checks an index.
// Values like std::vector and std::span: any number of threads may read one that nobody writes.
#pragma once

#include <bento/abi.h>

#include <algorithm>
#include <bento/error.hpp>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace bento {

// The ABI's number of an element type: BENTO_F64 of double. Another T does not compile.
template <typename T>
constexpr std::uint32_t dtype_of() {
  if constexpr (std::is_same_v<T, bool>)
    return BENTO_BOOL;
  else if constexpr (std::is_same_v<T, float>)
    return BENTO_F32;
  else if constexpr (std::is_same_v<T, double>)
    return BENTO_F64;
  else {
    static_assert(std::is_integral_v<T> && sizeof(T) <= 8, "not an element type of a tensor");
    constexpr std::uint32_t first = std::is_signed_v<T> ? BENTO_I8 : BENTO_U8;
    return first + (sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3);
  }
}

namespace detail {

// One extent of a shape, of any integer type: {x.rows(), 4} is no narrowing.
struct Extent {
  template <typename T, typename = std::enable_if_t<std::is_integral_v<T>>>
  Extent(T n) : extent(static_cast<std::int64_t>(n)) {}  // NOLINT(google-explicit-constructor)
  std::int64_t extent;
};

// A shape as an argument: {2, 3}, {x.rows(), 4}, another tensor's shape(), or a vector.
struct ShapeArgument {
  ShapeArgument(std::initializer_list<Extent> extents) {  // NOLINT(google-explicit-constructor)
    for (const Extent& one : extents) shape.push_back(one.extent);
  }
  ShapeArgument(std::span<const std::int64_t> extents)  // NOLINT(google-explicit-constructor)
      : shape(extents.begin(), extents.end()) {}
  ShapeArgument(std::vector<std::int64_t> extents)  // NOLINT(google-explicit-constructor)
      : shape(std::move(extents)) {}
  std::vector<std::int64_t> shape;
};

inline std::size_t count(std::span<const std::int64_t> shape) {
  return std::accumulate(
      shape.begin(), shape.end(), std::size_t{1},
      [](std::size_t n, std::int64_t extent) { return n * static_cast<std::size_t>(extent); });
}

// Where element (i, j, ...) is: Horner's rule over the shape.
template <typename... Index>
std::size_t offset(std::span<const std::int64_t> shape, Index... index) {
  std::size_t at = 0, axis = 0;
  ((at = at * static_cast<std::size_t>(shape[axis++]) + static_cast<std::size_t>(index)), ...);
  return at;
}

}  // namespace detail

// A view of a shape and of elements: cheap to copy, valid while the owner of both lives. An input
// is valid until the handler or method that it was passed to returns; its data() is aligned to 64
// bytes.
template <typename T>
class TensorView {
 public:
  using value_type = T;
  // Of no elements: one axis, of extent 0.
  TensorView() : TensorView(nullptr, kNoRows) {}
  // `data`: as many elements as the shape has, in C order. Extents are not negative.
  TensorView(const T* data, std::span<const std::int64_t> shape) : data_(data), shape_(shape) {}

  std::span<const std::int64_t> shape() const { return shape_; }
  std::size_t ndim() const { return shape_.size(); }          // the number of axes
  std::size_t size() const { return detail::count(shape_); }  // the number of elements
  // The extent of the first axis; 1 of a scalar.
  std::size_t rows() const { return shape_.empty() ? 1 : static_cast<std::size_t>(shape_[0]); }
  // Row i with all its elements, whatever the number of further axes.
  std::span<const T> row(std::size_t i) const {
    const std::size_t length = shape_.empty() ? 1 : detail::count(shape_.subspan(1));
    return {data_ + i * length, length};
  }
  // One element, by as many indices as there are axes.
  template <typename... Index>
  const T& operator()(Index... index) const {
    return data_[detail::offset(shape_, index...)];
  }

  const T* data() const { return data_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size(); }

 private:
  static constexpr std::int64_t kNoRows[1] = {0};
  const T* data_;
  std::span<const std::int64_t> shape_;
};

// Owns its shape and elements; copies copy them. Where a TensorView is wanted, it is taken for one,
// and must outlive that.
template <typename T>
class Tensor {
 public:
  using value_type = T;
  using Shape = std::vector<std::int64_t>;

  // All elements 0 or false. Throws std::invalid_argument for a negative extent.
  static Tensor zeros(Shape shape) { return Tensor(std::move(shape)); }
  static Tensor zeros(std::initializer_list<detail::Extent> extents) {
    Shape shape;
    for (const detail::Extent& one : extents) shape.push_back(one.extent);
    return Tensor(std::move(shape));
  }
  // A tensor of the view's shape and elements.
  static Tensor copy(TensorView<T> view) {
    Tensor tensor(Shape(view.shape().begin(), view.shape().end()));
    std::copy(view.begin(), view.end(), tensor.data());
    return tensor;
  }
  // Tensor<double>({2, 2}, {1.0, 2.0, 3.0, 4.0}): a shape, and the elements in C order. Throws
  // std::invalid_argument unless there are as many as the shape has, and for a negative extent.
  Tensor(detail::ShapeArgument shape, const std::vector<T>& elements)
      : Tensor(std::move(shape.shape)) {
    if (elements.size() != size()) {
      throw std::invalid_argument("a tensor of " + std::to_string(size()) + " elements was given " +
                                  std::to_string(elements.size()));
    }
    std::copy(elements.begin(), elements.end(), data());
  }
  // One axis: Tensor<double>{1.0, 2.0}.
  Tensor(std::initializer_list<T> elements)
      : Tensor(Shape{static_cast<std::int64_t>(elements.size())}) {
    std::copy(elements.begin(), elements.end(), data());
  }

  // As TensorView has them. Spans and pointers are valid until this is assigned to or destroyed.
  std::span<const std::int64_t> shape() const { return shape_; }
  std::size_t size() const { return elements_.size(); }
  std::size_t rows() const { return view().rows(); }
  std::span<const T> row(std::size_t i) const { return view().row(i); }
  std::span<T> row(std::size_t i) {
    const std::span<const T> same = view().row(i);
    return {data() + (same.data() - data()), same.size()};
  }
  T* data() { return reinterpret_cast<T*>(elements_.data()); }
  const T* data() const { return reinterpret_cast<const T*>(elements_.data()); }
  template <typename... Index>
  T& operator()(Index... index) {
    return data()[detail::offset(shape_, index...)];
  }
  template <typename... Index>
  const T& operator()(Index... index) const {
    return data()[detail::offset(shape_, index...)];
  }

  TensorView<T> view() const { return {data(), shape_}; }
  operator TensorView<T>() const { return view(); }  // NOLINT(google-explicit-constructor)

 private:
  explicit Tensor(Shape shape)
      : shape_(checked(std::move(shape))), elements_(detail::count(shape_)) {}
  static Shape checked(Shape shape) {
    for (const std::int64_t extent : shape) {
      if (extent < 0) throw std::invalid_argument("a tensor with a negative extent");
    }
    return shape;
  }
  // std::vector<bool> has no data().
  using Element = std::conditional_t<std::is_same_v<T, bool>, unsigned char, T>;
  Shape shape_;
  std::vector<Element> elements_;
};

// 0, 1, ... x.rows() - 1: for (auto i : bento::rows(x)) ...  The number is read once, at the
// beginning. (Not std::views::iota: clang 14 cannot read libstdc++ 12's ranges.)
class RowRange {
 public:
  struct Iterator {
    std::size_t i;
    std::size_t operator*() const { return i; }
    Iterator& operator++() {
      ++i;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return i != other.i; }
  };
  explicit RowRange(std::size_t n) : n_(n) {}
  Iterator begin() const { return {0}; }
  Iterator end() const { return {n_}; }

 private:
  std::size_t n_;
};
template <typename T>
RowRange rows(const TensorView<T>& view) {
  return RowRange(view.rows());
}
template <typename T>
RowRange rows(const Tensor<T>& tensor) {
  return RowRange(tensor.rows());
}

}  // namespace bento
