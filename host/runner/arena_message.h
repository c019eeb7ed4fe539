// ArenaMessage: what the host and a worker tell each other about their arenas, over a socket beside
// the pipes. Both ends are the same release, on one machine.
//
// A worker's arenas have numbers from 1 on, which are never used again. An arena holds one value at
// a time, and each goes one way for its whole life:
//   input    the host fills it, and names it in a call frame. Until the call is answered it is the
//            worker's to read.
//   output   the worker's to fill, until it names it in a result frame. Then it is the host's to
//            read, until the host returns it.
// The host makes them all, so that it need not believe what a worker says of their sizes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace bentohost::runner {

// Values with more bytes than this go through arenas, smaller ones through the pipes: below it, a
// pipe costs about as much.
inline constexpr std::size_t kArenaThreshold = 256u << 10;

struct ArenaMessage {
  enum class Kind : std::uint32_t {
    kInput = 1,   // host to worker, with its descriptor: a new arena of `bytes` bytes
    kOutput = 2,  // the same, to fill
    kReturn = 3,  // host to worker: the output arena may be filled again
    kDrop = 4,    // host to worker: the arena is gone
    kAsk = 5,     // worker to host: an output arena of at least `bytes` bytes is needed
    kRefuse = 6,  // host to worker: no arena for it. This or kOutput answers each kAsk
  };
  Kind kind{};
  std::uint32_t arena = 0;
  std::uint64_t bytes = 0;

  std::span<const char> view() const { return {reinterpret_cast<const char*>(this), sizeof *this}; }
  std::span<char> room() { return {reinterpret_cast<char*>(this), sizeof *this}; }
};
static_assert(sizeof(ArenaMessage) == 16);

}  // namespace bentohost::runner
