// Processes that are started beside others which serve: they are to use what those leave of the
// processor.
#pragma once

namespace bentohost {

// For good: this thread, and all that it starts, threads and processes, come after others.
void be_gentle();

// The same for a while, for processes that are started meanwhile: they are gentle from their first
// instruction on. Those who serve do not wait for them (Linux 6.12); they also get less, if that
// can be taken back, which needs root (CAP_SYS_NICE) or an RLIMIT_NICE of 20. One thread.
class GentleWhile {
 public:
  explicit GentleWhile(bool is_wanted);
  ~GentleWhile();
  GentleWhile(const GentleWhile&) = delete;
  GentleWhile& operator=(const GentleWhile&) = delete;

 private:
  bool is_on_ = false, has_long_turns_ = false;
  int before_ = 0;
};

// In a process that was started so: all of its threads become as its parent is.
void end_gentleness();

}  // namespace bentohost
