// Connection: one client of the host's runners, on one event loop. It reads frames, submits the
// calls in them, and writes the results. Results are encoded and written by the thread that
// completes a call, so that no loop has to be woken for them; all results of one turn of a loop are
// written at once.
//
// Ownership: ServerState owns it until close(); calls in flight own it until they are completed.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/loop/event_loop.h"
#include "base/mutex.h"
#include "base/unique_fd.h"
#include "runner/call.h"
#include "runner_rpc/server_state.h"
#include "wire/frame.h"

namespace bentohost::runner_rpc {

// The `method` of a kError frame whose call was refused before anything of it was done: it may be
// sent again, on another connection.
inline constexpr std::uint32_t kNotBegun = 1;
inline constexpr int kProtocolVersion = 1;

class Connection final : public std::enable_shared_from_this<Connection>,
                         private EventLoop::TurnEnd,
                         private Timer::Owner {
 public:
  // `token`: what the client has to know; empty: nothing. `is_guest`: it is no process of the
  // host's own.
  Connection(std::shared_ptr<ServerState> server, std::shared_ptr<EventLoop> loop, UniqueFd fd,
             std::string token, bool is_guest);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // [loop] Begins to read.
  void open();
  // [loop] Instead: tells the client that there are too many, and closes.
  void refuse_too_many();
  // [loop] Cancels its calls and closes it at once.
  void close();

  EventLoop& loop() const { return *loop_; }

 private:
  struct PendingCall;
  using PendingPtr = std::shared_ptr<PendingCall>;

  void on_events(std::uint32_t events);
  void on_timer() override;
  void on_turn_end() override;

  // Reading [loop]
  void read();
  void take_frames();
  void on_frame(const wire::FrameReader::Frame& frame);
  void on_hello(const wire::FrameReader::Frame& frame);
  void on_call(const wire::FrameReader::Frame& frame);
  void on_cancel(std::uint64_t id);
  void on_list(std::uint64_t id);
  void submit(const wire::CallTarget& target, const PendingPtr& pending);
  bool pause_if_full();
  void resume();
  // Says why, as far as the client reads it at once, and closes.
  void give_up(const Status& why);

  // Results [any]
  void complete(const PendingPtr& pending, const runner::CallResult& result);
  // `type`: of bytes that come without a media type.
  void write_result(std::uint64_t id, std::span<const bento_value> values,
                    std::span<const plugin::IoSpec> declared) BENTO_REQUIRES(mutex_);
  void write_error(std::uint64_t id, const Status& error, std::uint32_t begun = 0)
      BENTO_REQUIRES(mutex_);
  void schedule_flush_locked() BENTO_REQUIRES(mutex_);
  void flush_locked() BENTO_REQUIRES(mutex_);
  void resume_if_roomy_locked() BENTO_REQUIRES(mutex_);
  void set_events_locked() BENTO_REQUIRES(mutex_);
  std::size_t unsent_locked() const BENTO_REQUIRES(mutex_) { return out_.size() - sent_; }

  const std::shared_ptr<ServerState> server_;
  const std::shared_ptr<EventLoop> loop_;
  const UniqueFd fd_;
  const std::string token_;
  const bool is_guest_;
  wire::FrameReader reader_;     // loop
  wire::DecodedValues decoded_;  // loop
  bool has_said_hello_ = false;  // loop
  Timer timer_;                  // loop: for the hello

  Mutex mutex_;
  bool is_closed_ BENTO_GUARDED_BY(mutex_) = false;
  bool is_paused_ BENTO_GUARDED_BY(mutex_) = false;
  bool is_resuming_ BENTO_GUARDED_BY(mutex_) = false;
  bool wants_to_write_ BENTO_GUARDED_BY(mutex_) = false;
  bool is_flush_scheduled_ BENTO_GUARDED_BY(mutex_) = false;
  std::shared_ptr<Connection> held_for_flush_ BENTO_GUARDED_BY(mutex_);
  std::unordered_map<std::uint64_t, PendingPtr> calls_ BENTO_GUARDED_BY(mutex_);
  std::size_t input_bytes_ BENTO_GUARDED_BY(mutex_) = 0;
  AlignedBuffer out_ BENTO_GUARDED_BY(mutex_);  // whole frames
  std::size_t sent_ BENTO_GUARDED_BY(mutex_) = 0;
};

}  // namespace bentohost::runner_rpc
