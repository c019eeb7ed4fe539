// The structs of the ABI as plugins of 1.0 have them.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <map>
#include <string>

#include "plugin/check_struct.h"

namespace bentohost::plugin {

// Their sizes, as the header gives them to a plugin that is for 1.0.
std::map<std::string, std::size_t> sizes_in_first_minor();

// A struct of the size of 1.0 at the end of its memory: reading a newer field is a SIGSEGV.
template <typename T>
class InFirstMinor {
 public:
  explicit InFirstMinor(const T& from) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    pages_ = static_cast<char*>(
        ::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ::mprotect(pages_ + page, page, PROT_NONE);
    at_ = pages_ + page - kFirstSize<T>;
    std::memcpy(at_, &from, kFirstSize<T>);
    const auto size = static_cast<std::uint32_t>(kFirstSize<T>);
    std::memcpy(at_, &size, sizeof size);
  }
  ~InFirstMinor() { ::munmap(pages_, 2 * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))); }
  InFirstMinor(const InFirstMinor&) = delete;

  const T* get() const { return reinterpret_cast<const T*>(at_); }

 private:
  char *pages_, *at_;
};

}  // namespace bentohost::plugin
