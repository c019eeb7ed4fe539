// AlignedBuffer: a growable byte buffer whose storage is 64-byte aligned, as the ABI promises for
// tensor data. Growing does not zero bytes that will be overwritten anyway. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
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

  // glibc keeps freed blocks for the next new of their size, but not for a new that is aligned,
  // which costs five times as much. So the block is larger, and its address is in front of the
  // data: there is room for it, because new aligns by 16.
  T* allocate(std::size_t n) {
    static_assert(__STDCPP_DEFAULT_NEW_ALIGNMENT__ >= sizeof(void*));
    char* const block = static_cast<char*>(::operator new(n * sizeof(T) + kDataAlignment));
    const auto at = reinterpret_cast<std::uintptr_t>(block);
    void** const data = reinterpret_cast<void**>(block + (align_up(at + 1) - at));
    data[-1] = block;
    return reinterpret_cast<T*>(data);
  }
  void deallocate(T* p, std::size_t) { ::operator delete(reinterpret_cast<void**>(p)[-1]); }
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
