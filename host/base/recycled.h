// make_recycled<T>(...): std::make_shared<T> for objects of which every request needs one. The
// memory of an object that ends is kept for the next one that is made on the same thread, which
// costs a tenth of what malloc() and free() cost. [any] An object may end on another thread than
// its own.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

// Sanitizers must see what is used after its end.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BENTO_RECYCLES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define BENTO_RECYCLES 0
#endif
#endif
#ifndef BENTO_RECYCLES
#define BENTO_RECYCLES 1
#endif

namespace bentohost {

// The allocator behind it.
template <typename T>
class RecyclingAllocator {
 public:
  using value_type = T;

  // The most blocks that a thread keeps for objects of one type.
  static constexpr std::size_t kMostKept = 64;

  RecyclingAllocator() = default;
  template <typename Other>
  RecyclingAllocator(const RecyclingAllocator<Other>&) {}  // NOLINT(google-explicit-constructor)

  T* allocate(std::size_t n) {
    if (BENTO_RECYCLES != 0 && n == 1 && kept_.first != nullptr) {
      Block* const block = std::exchange(kept_.first, kept_.first->next);
      --kept_.count;
      return reinterpret_cast<T*>(block);
    }
    return std::allocator<T>().allocate(n);
  }

  void deallocate(T* memory, std::size_t n) {
    static_assert(sizeof(T) >= sizeof(Block) && alignof(T) >= alignof(Block));
    if (BENTO_RECYCLES == 0 || n != 1 || kept_.count >= kMostKept) {
      return std::allocator<T>().deallocate(memory, n);
    }
    if (kept_.first == nullptr) (void)&end_of_thread_;  // has its destructor called
    kept_.first = new (memory) Block{kept_.first};
    ++kept_.count;
  }

  template <typename Other>
  bool operator==(const RecyclingAllocator<Other>&) const {
    return true;
  }

 private:
  struct Block {
    Block* next;
  };
  // Without a destructor, so that it can be used until the thread's very end.
  struct Kept {
    Block* first = nullptr;
    std::size_t count = 0;
  };
  struct EndOfThread {
    ~EndOfThread() {
      kept_.count = kMostKept;  // nothing is kept from now on
      while (kept_.first != nullptr) {
        Block* const block = std::exchange(kept_.first, kept_.first->next);
        std::allocator<T>().deallocate(reinterpret_cast<T*>(block), 1);
      }
    }
  };

  static inline thread_local constinit Kept kept_;
  static inline thread_local EndOfThread end_of_thread_;
};

template <typename T, typename... Args>
std::shared_ptr<T> make_recycled(Args&&... args) {
  return std::allocate_shared<T>(RecyclingAllocator<T>(), std::forward<Args>(args)...);
}

}  // namespace bentohost
