// Stream: the two bounded buffers between a connection, on its loop, and a handler that reads a
// body as it arrives or writes a response piece by piece. A handler on a thread waits for the
// connection only in these functions. The loop never waits, nor does a handler that answers on it:
// see never_wait().
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/memory_budget.h"
#include "base/mutex.h"
#include "base/status.h"
#include "http/message.h"

namespace bentohost::http {

class Stream {
 public:
  // For each direction: at this size, the faster side must wait.
  static constexpr std::size_t kHighWater = 256u << 10;

  // Buffered bytes of the body are counted in `body_memory`; null: they are not counted.
  explicit Stream(MemoryBudget* body_memory = nullptr) : body_memory_(body_memory) {}

  // [loop] From now on the handler is on the loop: take_body() and give_output() do not wait.
  void never_wait();

  // ---- the body, from the loop to the handler
  // [loop] `is_last`: these bytes end the body. False when the buffer is full now: give no more
  // until the handler has taken it. If there is no memory for it, the body fails with 503.
  bool give_body(std::string& bytes, bool is_last);
  void fail_body(Status status);
  // [loop] A body of other bytes follows the one that has ended: those of a tunnel.
  void begin_tunnel();
  // [handler] (waits) As Exchange::receive(). Sets `was_full` if the loop waits for room.
  Result<ReceivedBody> take_body(bool& was_full);

  // ---- the response, from the handler to the loop
  // [handler] (waits) While the buffer is full. CANCELLED after cancel(). If `is_first` is set, the
  // caller must tell the loop about the bytes.
  Status give_output(std::string_view bytes, bool& is_first);
  // [loop] Appends the buffered output to `out`.
  void take_output(std::string& out);
  // [loop] `unsent` bytes have not been sent yet: they count as buffered. True when there is room
  // again, after has_room() was false.
  bool set_unsent(std::size_t unsent);
  // [handler] Whether give_output() would not wait.
  bool has_room();

  // [loop] The client will not get the rest: the handler gets CANCELLED in both directions.
  void cancel();
  // [any] If so, the output is no longer complete.
  bool is_cancelled();

 private:
  bool is_body_due() const BENTO_REQUIRES(mutex_) {
    return !body_.empty() || body_ended_ || cancelled_;
  }
  bool is_below_mark() const BENTO_REQUIRES(mutex_) {
    return output_.size() + unsent_ < kHighWater;
  }

  Mutex mutex_;
  CondVar changed_;
  Reservation body_memory_ BENTO_GUARDED_BY(mutex_);
  std::string body_ BENTO_GUARDED_BY(mutex_);
  std::string output_ BENTO_GUARDED_BY(mutex_);
  std::size_t unsent_ BENTO_GUARDED_BY(mutex_) = 0;
  bool body_ended_ BENTO_GUARDED_BY(mutex_) = false;
  bool cancelled_ BENTO_GUARDED_BY(mutex_) = false;
  bool is_told_ BENTO_GUARDED_BY(mutex_) = false;
  bool waits_ BENTO_GUARDED_BY(mutex_) = true;
  bool is_room_awaited_ BENTO_GUARDED_BY(mutex_) = false;
  Status body_status_ BENTO_GUARDED_BY(mutex_);
};

}  // namespace bentohost::http
