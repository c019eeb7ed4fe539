// Work: one call of an engine, in a runner process: the bento_work that the plugin is given, and
// the ctx of that call. The plugin uses it on one thread at a time.
#pragma once

#include <bento/abi.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "plugin/context.h"
#include "plugin/description.h"
#include "runner/output_sink.h"
#include "wire/frame.h"

namespace bentohost::runner {

class Engines;

class Work final : public bento_ctx {
 public:
  // `method` and `name` outlive it. `frame` is copied.
  Work(Engines& engines, const plugin::MethodSpec& method, const std::string& name,
       const wire::FrameReader::Frame& frame);
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  // INTERNAL: the frame is malformed. Call it first.
  Status decode();

  bento_work* abi() { return &table_.work; }
  std::uint64_t id() const { return header_.id; }
  std::uint32_t method() const { return header_.method; }
  bool is_finished() const { return is_finished_; }
  bool is_cancelled() const { return is_cancelled_; }
  // [any] May its caller take another result?
  bool has_room() const;
  // Whether it is to be in the next step.
  bool is_due() const { return !is_finished_ && (has_room() || is_cancelled_); }

  // [any] Nobody waits for it any more.
  void cancel() { is_cancelled_ = true; }
  // [main] Whether the plugin is to be told so: once.
  bool take_cancel() { return is_cancelled_ && !is_finished_ && !std::exchange(is_told_, true); }
  void give_room(const wire::Room& room);

  // Ends it, unless it has finished.
  void fail(const Status& status);

  // bento_ctx
  bool cancelled() const override;
  std::string_view request_id() const override;
  const bento_caller* caller(std::size_t i) const override;

 private:
  struct Table {
    bento_work work;  // first: its address is the table's
    Work* owner;
  };
  static bento_code emit(bento_work* work, bento_error* error);
  static void finish(bento_work* work, bento_code code, const bento_error* error);

  Status emit();
  Status wait_for_room();
  void finish(Status status);
  Status check_outputs() const;
  Status send_result(bool more);

  Engines& engines_;
  const plugin::MethodSpec& spec_;
  const std::string& name_;
  const wire::FrameHeader header_;
  AlignedBuffer body_;
  wire::DecodedValues inputs_;
  std::vector<const bento_value*> pointers_;
  OutputSink sink_;
  AlignedBuffer out_;
  Table table_{};
  mutable bento_caller caller_{sizeof(bento_caller), 0, {}, {}, 0};
  Status failure_;  // of an emit: a stream that lacks a result must not end well
  bool is_told_ = false;

  std::atomic<bool> is_finished_ = false, is_cancelled_ = false;
  // Sent, and not taken yet.
  std::atomic<std::uint32_t> results_ = 0;
  std::atomic<std::size_t> bytes_ = 0;
};

}  // namespace bentohost::runner
