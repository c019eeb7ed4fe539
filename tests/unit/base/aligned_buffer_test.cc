#include "base/aligned_buffer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace bentohost {
namespace {

bool is_aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % kDataAlignment == 0; }

TEST(AlignedBuffer, IsAlignedAtEverySize) {
  for (const std::size_t size : {1u, 63u, 64u, 65u, 4097u, 1u << 20}) {
    AlignedBuffer buffer;
    buffer.resize(size);
    EXPECT_TRUE(is_aligned(buffer.data())) << size;
  }
}

TEST(AlignedBuffer, KeepsItsBytesAndItsAlignmentAsItGrows) {
  AlignedBuffer buffer;
  const std::string text = "0123456789";
  for (int i = 0; i < 1000; ++i) buffer.insert(buffer.end(), text.begin(), text.end());
  EXPECT_TRUE(is_aligned(buffer.data()));
  EXPECT_EQ(std::string(buffer.end() - 10, buffer.end()), text);
  EXPECT_EQ(std::string(buffer.begin(), buffer.begin() + 10), text);
}

TEST(AlignUp, RoundsToTheNextMultiple) {
  EXPECT_EQ(align_up(0), 0u);
  EXPECT_EQ(align_up(1), 64u);
  EXPECT_EQ(align_up(64), 64u);
  EXPECT_EQ(align_up(65), 128u);
}

}  // namespace
}  // namespace bentohost
