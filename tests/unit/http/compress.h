// Compressed bodies for tests, as clients send them with a Content-Encoding.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <random>
#include <string>
#include <string_view>

namespace bentohost::http {

// zlib's window numbers.
inline constexpr int kGzip = 15 + 16;
inline constexpr int kZlib = 15;
inline constexpr int kRaw = -15;

inline std::string compress(std::string_view text, int format, int level = 9) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, level, Z_DEFLATED, format, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// Text that compresses some 30:1: much, but not a bomb.
inline std::string compressible_text(std::size_t size) {
  std::string text(size, 'x');
  std::minstd_rand random;
  for (std::size_t at = 0; at < size; at += 40) text[at] = static_cast<char>('a' + random() % 26);
  return text;
}

}  // namespace bentohost::http
