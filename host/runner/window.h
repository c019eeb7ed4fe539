// The window of a call that streams: results that its worker may have sent and its caller has not
// taken. The caller's side gives room back when half of it has been taken.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bentohost::runner {

// What of a stream is somewhere, or may be.
struct Window {
  std::uint32_t results = 0;
  std::size_t bytes = 0;  // of the bodies of their frames

  // One result fits as long as neither is used up: a result may be larger than the window.
  bool is_full() const;
  bool is_half() const;
};

inline constexpr Window kWindow{32, 256u << 10};
// What the host bears of a worker that sends beyond the window: a `step` does not wait for room,
// and emits what its turn has made.
inline constexpr Window kMostAhead{16384, 64u << 20};

inline bool Window::is_full() const { return results >= kWindow.results || bytes >= kWindow.bytes; }
inline bool Window::is_half() const {
  return results >= kWindow.results / 2 || bytes >= kWindow.bytes / 2;
}

}  // namespace bentohost::runner
