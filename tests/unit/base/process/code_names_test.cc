#include "base/process/code_names.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace bentohost {
namespace {

[[gnu::noinline]] void a_function_of_this_file() { asm volatile("nop; nop; nop; nop"); }

TEST(CodeNames, AreThoseOfFunctionsAndLibraries) {
  prepare_code_names();
  void* addresses[] = {reinterpret_cast<char*>(&a_function_of_this_file) + 1,
                       reinterpret_cast<char*>(&std::abort) + 1, nullptr};
  const CodeName* const names = describe_code(addresses, 3);
  EXPECT_EQ(names[0].function, "bentohost::(anonymous namespace)::a_function_of_this_file()");
  EXPECT_EQ(names[0].in_function, 1u);
  EXPECT_EQ(names[0].library, "bentohost");  // for any program
  EXPECT_EQ(names[1].function, "abort");
  EXPECT_NE(names[1].library.find("libc"), std::string_view::npos);
  EXPECT_GT(names[1].in_library, 0u);
  EXPECT_EQ(names[2].library, "");
}

TEST(CodeNames, LibrariesAreNamedAsPeopleKnowThem) {
  prepare_code_names();
  void* address = reinterpret_cast<char*>(&std::abort) + 1;
  const std::string image(describe_code(&address, 1)->library);
  remember_library(image, "/srv/libknown.so");
  EXPECT_EQ(describe_code(&address, 1)->library, "/srv/libknown.so");
  for (int i = 0; i < 64; ++i) remember_library("/nowhere", "/nowhere else");
  EXPECT_EQ(describe_code(&address, 1)->library, image);
}

TEST(DemangledNames, FollowTheMangledOnes) {
  EXPECT_EQ(with_demangled_names("undefined symbol: _Z5scaled (fatal)"),
            "undefined symbol: _Z5scaled (scale(double)) (fatal)");
  EXPECT_EQ(with_demangled_names("_ZN1a1bEv, _ZN1cC1Ev"), "_ZN1a1bEv (a::b()), _ZN1cC1Ev (c::c())");
  for (const char* text : {"", "undefined symbol: plain", "a_Z5scaled", "_Z", "_Zx!", "x _Z"}) {
    EXPECT_EQ(with_demangled_names(text), text);
  }
}

}  // namespace
}  // namespace bentohost
