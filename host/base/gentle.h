// Processes that are started beside others which serve: they are to use what those leave of the
// processor.
#pragma once

namespace bentohost {

// For good: this process, and all that it starts, come after others of its kind.
void be_gentle();

// The same for a while. Only if the priority can be taken back, which needs root (CAP_SYS_NICE) or
// an RLIMIT_NICE of 20: without, it does nothing. One thread.
class GentleWhile {
 public:
  explicit GentleWhile(bool is_wanted);
  ~GentleWhile() { end(); }
  GentleWhile(const GentleWhile&) = delete;
  GentleWhile& operator=(const GentleWhile&) = delete;

  // All threads that there are by then.
  void end();

 private:
  bool is_on_ = false;
  int before_ = 0;
};

}  // namespace bentohost
