#include "base/process/code_names.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/mutex.h"
#include "base/unique_fd.h"

namespace bentohost {
namespace {

constexpr std::size_t kLongestName = 512, kLongestPath = 512;
constexpr std::size_t kRemembered = 64;
// The time limit for demangling all names: the copy may wait for a lock of malloc's that nobody
// will release.
constexpr int kDemangleMs = 300;

using Name = std::array<char, kLongestName>;

void put(char* to, std::size_t room, std::string_view text) {
  const std::size_t length = std::min(text.size(), room - 1);
  std::memcpy(to, text.data(), length);
  to[length] = '\0';
}

// ---- libraries by their images ----

struct Library {
  std::array<char, kLongestPath> image, path;
};
std::array<Library, kRemembered> libraries;
std::atomic<std::size_t> remembered = 0;

std::string_view known_as(std::string_view image) {
  const std::size_t end = remembered.load(), count = std::min(end, kRemembered);
  for (std::size_t i = 1; i <= count; ++i) {  // the latest first
    const Library& library = libraries[(end - i) % kRemembered];
    if (image == library.image.data()) return library.path.data();
  }
  return image;
}

// ---- symbols ----

// A file, mapped for as long as this lives; empty if it cannot be read.
class Mapping {
 public:
  explicit Mapping(const char* path) {
    const UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
    struct stat file {};
    if (!fd || ::fstat(fd.get(), &file) != 0 || file.st_size <= 0) return;
    size_ = static_cast<std::size_t>(file.st_size);
    memory_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  }
  ~Mapping() {
    if (memory_ != MAP_FAILED) ::munmap(memory_, size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  // `count` Ts at `offset`; null if the file ends before the last one.
  template <typename T>
  const T* at(std::uint64_t offset, std::uint64_t count) const {
    if (memory_ == MAP_FAILED || offset > size_ || offset % alignof(T) != 0) return nullptr;
    if (count > (size_ - offset) / sizeof(T)) return nullptr;
    return reinterpret_cast<const T*>(static_cast<const char*>(memory_) + offset);
  }

 private:
  void* memory_ = MAP_FAILED;
  std::size_t size_ = 0;
};

// Writes to `name` the function whose code is at `value` in the library `file`.
bool find_function(const Mapping& file, ElfW(Addr) value, Name& name, std::uintptr_t& in_function) {
  const auto* header = file.at<ElfW(Ehdr)>(0, 1);
  if (header == nullptr || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return false;
  const auto* sections = file.at<ElfW(Shdr)>(header->e_shoff, header->e_shnum);
  if (sections == nullptr || header->e_shentsize != sizeof *sections) return false;
  for (const ElfW(Word) type :
       {SHT_SYMTAB, SHT_DYNSYM}) {  // if the first exists, it has all symbols
    for (int i = 0; i < header->e_shnum; ++i) {
      if (sections[i].sh_type != type || sections[i].sh_link >= header->e_shnum) continue;
      const auto& names = sections[sections[i].sh_link];
      const std::uint64_t count = sections[i].sh_size / sizeof(ElfW(Sym));
      const auto* symbols = file.at<ElfW(Sym)>(sections[i].sh_offset, count);
      const char* texts = file.at<char>(names.sh_offset, names.sh_size);
      if (symbols == nullptr || texts == nullptr) continue;
      for (std::uint64_t k = 0; k < count; ++k) {
        const ElfW(Sym)& symbol = symbols[k];
        if ((symbol.st_info & 0xF) != STT_FUNC || value < symbol.st_value) continue;
        if (value - symbol.st_value >= symbol.st_size || symbol.st_name >= names.sh_size) continue;
        const char* text = texts + symbol.st_name;
        put(name.data(), name.size(), {text, ::strnlen(text, names.sh_size - symbol.st_name)});
        in_function = value - symbol.st_value;
        return true;
      }
    }
  }
  return false;
}

// ---- demangling ----

// Memory shared with the copy of the process, which fills in `demangled`.
struct Names {
  std::array<Name, kMostFrames> mangled, demangled;
};
Names* names = nullptr;

std::unique_ptr<char, void (*)(void*)> demangle(const char* name) {
  int status = 0;
  return {abi::__cxa_demangle(name, nullptr, nullptr, &status), &std::free};
}

bool is_mangled(const char* name) { return name[0] == '_' && name[1] == 'Z'; }

[[noreturn]] void demangle_in_copy(int count) {
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    if (!is_mangled(names->mangled[i].data())) continue;
    const auto text = demangle(names->mangled[i].data());
    if (text != nullptr) put(names->demangled[i].data(), kLongestName, text.get());
  }
  for (;;) ::syscall(SYS_exit_group, 0);
}

void demangle_all(int count) {
  const auto begin = names->mangled.begin();
  if (std::none_of(begin, begin + count,
                   [](const Name& name) { return is_mangled(name.data()); })) {
    return;
  }
  const pid_t copy = ::_Fork();  // unlike fork(), it takes no locks
  if (copy == 0) demangle_in_copy(count);
  if (copy < 0) return;
  for (int i = 0; i < kDemangleMs && ::waitpid(copy, nullptr, WNOHANG) == 0; ++i) {
    if (i + 1 == kDemangleMs) ::kill(copy, SIGKILL);
    ::poll(nullptr, 0, 1);
  }
  ::waitpid(copy, nullptr, 0);
}

}  // namespace

void prepare_code_names() {
  if (names != nullptr) return;
  void* const memory =
      ::mmap(nullptr, sizeof(Names), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED) names = static_cast<Names*>(memory);
}

void remember_library(std::string_view image, std::string_view path) {
  static Mutex mutex;
  const MutexLock lock(mutex);
  const std::size_t next = remembered.load();
  Library& library = libraries[next % kRemembered];
  put(library.image.data(), kLongestPath, image);
  put(library.path.data(), kLongestPath, path);
  remembered = next + 1;
}

const CodeName* describe_code(void* const* addresses, int count) {
  static std::array<CodeName, kMostFrames> found;
  static std::array<std::array<char, kLongestPath>, kMostFrames> paths;
  if (names == nullptr) return found.data();
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    found[i] = {};
    names->mangled[i][0] = names->demangled[i][0] = '\0';
    dl_find_object object{};
    if (::_dl_find_object(addresses[i], &object) != 0) continue;
    const link_map& library = *object.dlfo_link_map;
    const auto value = reinterpret_cast<ElfW(Addr)>(addresses[i]) - library.l_addr;
    const bool is_program = library.l_name == nullptr || library.l_name[0] == '\0';
    const std::string_view path = is_program ? "bentohost" : known_as(library.l_name);
    put(paths[i].data(), kLongestPath, path);
    found[i].library = paths[i].data();
    found[i].in_library = value;
    const Mapping file(is_program ? "/proc/self/exe" : library.l_name);
    // After a call that does not return, the return address may belong to the next function.
    if (find_function(file, value - 1, names->mangled[i], found[i].in_function)) {
      ++found[i].in_function;
    } else {
      find_function(file, value, names->mangled[i], found[i].in_function);
    }
  }
  demangle_all(count);
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    const Name& plain = names->demangled[i];
    found[i].function = plain[0] != '\0' ? plain.data() : names->mangled[i].data();
  }
  return found.data();
}

std::string with_demangled_names(std::string_view text) {
  constexpr std::string_view kSymbol =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$.";
  std::string all;
  while (!text.empty()) {
    const std::size_t begin = std::min(text.find("_Z"), text.size());
    const std::size_t end = std::min(text.find_first_not_of(kSymbol, begin), text.size());
    const bool is_inside_a_word = begin > 0 && kSymbol.find(text[begin - 1]) != kSymbol.npos;
    all += text.substr(0, end);
    const auto plain = demangle(std::string(text.substr(begin, end - begin)).c_str());
    if (end > begin && !is_inside_a_word && plain != nullptr) {
      all += " (" + std::string(plain.get()) + ")";
    }
    text.remove_prefix(end);
  }
  return all;
}

}  // namespace bentohost
