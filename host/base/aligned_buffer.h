// AlignedBuffer: a growable byte buffer whose storage is 64-byte aligned, as the ABI promises for
// tensor data. Growing does not zero bytes that will be overwritten anyway. One thread at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <vector>

namespace bentohost {

inline constexpr std::size_t kDataAlignment = 64;

inline constexpr std::size_t align_up(std::size_t n) {
  return (n + kDataAlignment - 1) & ~(kDataAlignment - 1);
}

template <typename T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <typename U>
  AlignedAllocator(const AlignedAllocator<U>&) {}  // NOLINT(google-explicit-constructor)

  T* allocate(std::size_t n) {
    return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{kDataAlignment}));
  }
  void deallocate(T* p, std::size_t) { ::operator delete (p, std::align_val_t{kDataAlignment}); }
  // resize() leaves new bytes as they are: the next step writes them.
  template <typename U>
  void construct(U* p) {
    ::new (static_cast<void*>(p)) U;
  }
  template <typename U, typename... Args>
  void construct(U* p, Args&&... args) {
    std::construct_at(p, static_cast<Args&&>(args)...);
  }
  friend bool operator==(const AlignedAllocator&, const AlignedAllocator&) { return true; }
};

using AlignedBuffer = std::vector<char, AlignedAllocator<char>>;

}  // namespace bentohost
