// Tensors: TensorView<T>, elements that somebody else owns, and Tensor<T>, elements of one's own.
// Both in C order. T is bool, a signed or unsigned integer of 8 to 64 bits, float or double. Part
// of <bento/bento.hpp>.
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

// A view: cheap to copy, valid while its owner lives (an input: until the function it was passed to
// returns).
template <typename T>
class TensorView {
 public:
  using value_type = T;
  TensorView(const T* data, std::span<const std::int64_t> shape) : data_(data), shape_(shape) {}

  std::span<const std::int64_t> shape() const { return shape_; }
  std::size_t ndim() const { return shape_.size(); }
  std::size_t size() const { return detail::count(shape_); }
  // The extent of the first axis.
  std::size_t rows() const { return shape_.empty() ? 1 : static_cast<std::size_t>(shape_[0]); }
  // Row i with all its elements, whatever the number of further axes. i < rows() is not checked.
  std::span<const T> row(std::size_t i) const {
    const std::size_t length = shape_.empty() ? 1 : detail::count(shape_.subspan(1));
    return {data_ + i * length, length};
  }
  // One element; as many indices as axes, in range: not checked.
  template <typename... Index>
  const T& operator()(Index... index) const {
    return data_[detail::offset(shape_, index...)];
  }

  const T* data() const { return data_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size(); }

 private:
  const T* data_;
  std::span<const std::int64_t> shape_;
};

template <typename T>
class Tensor {
 public:
  using value_type = T;
  using Shape = std::vector<std::int64_t>;

  static Tensor zeros(Shape shape) { return Tensor(std::move(shape)); }
  static Tensor zeros(std::initializer_list<detail::Extent> extents) {
    Shape shape;
    for (const detail::Extent& one : extents) shape.push_back(one.extent);
    return Tensor(std::move(shape));
  }
  static Tensor copy(TensorView<T> view) {
    Tensor tensor(Shape(view.shape().begin(), view.shape().end()));
    std::copy(view.begin(), view.end(), tensor.data());
    return tensor;
  }
  // Tensor<double>({2, 2}, {1.0, 2.0, 3.0, 4.0}): the elements in C order, the last axis fastest.
  // Throws std::invalid_argument unless there are as many as the shape has.
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

// for (auto i : bento::rows(x)) ...  (Not std::views::iota: clang 14 cannot read libstdc++ 12's
// ranges.)
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
