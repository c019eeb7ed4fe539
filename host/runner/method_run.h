// MethodRun: computes the batches of a runner's `run` methods, in its process: reads a call frame,
// calls the plugin, checks what it returned, and writes the frame that answers. One thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/process/plugin_call_note.h"
#include "base/status.h"
#include "plugin/context.h"
#include "plugin/description.h"
#include "runner/frame_pipe.h"
#include "runner/output_sink.h"
#include "runner/worker_arenas.h"
#include "wire/frame.h"

namespace bentohost::runner {

class MethodRun {
 public:
  // `self` is what the runner's create() left. All that `note` views, `runner` and `arenas` must
  // outlive this; `note` names the service and its plugin.
  MethodRun(const plugin::RunnerSpec& runner, void* self, const PluginCallNote& note,
            WorkerArenas& arenas, FramePipe& pipe);

  // Computes the batch, and appends the answer to `out`: a kResult, kError or kNoArena frame.
  void answer(const wire::FrameReader::Frame& call, AlignedBuffer& out);
  // Releases what the plugin has given as results: they are in the answer's frame.
  void end() { sink_.clear(); }
  // [any] Nobody waits for any call of the batch with this id.
  void on_cancel(std::uint64_t id) { context_.on_cancel(id); }

 private:
  // The callers of a batch, as the plugin sees them.
  class Context final : public bento_ctx {
   public:
    explicit Context(FramePipe& pipe) : pipe_(pipe) {}
    // The texts of `callers` outlive the batch.
    void begin(std::uint64_t id, std::span<const wire::Caller> callers);
    void end() { id_ = 0; }
    void on_cancel(std::uint64_t id) {
      if (id == id_) is_cancelled_ = true;
    }
    bool cancelled() const override {
      if (!is_cancelled_) pipe_.look_sometimes();
      return is_cancelled_;
    }
    std::string_view request_id() const override {
      return callers_.size() == 1 ? to_view(callers_.front().request_id) : std::string_view();
    }
    const bento_caller* caller(std::size_t i) const override {
      if (i >= callers_.size()) return nullptr;
      callers_[i].cancelled = cancelled() ? 1 : 0;
      return &callers_[i];
    }

   private:
    FramePipe& pipe_;
    mutable std::vector<bento_caller> callers_;
    std::atomic<std::uint64_t> id_ = 0;  // of the batch that is computed; 0: none is
    std::atomic<bool> is_cancelled_ = false;
  };

  Status compute(const wire::FrameReader::Frame& call);
  Status check_inputs(const plugin::MethodSpec& method) const;
  Status check_outputs(const plugin::MethodSpec& method, const std::string& who);
  Status check_rows(const plugin::MethodSpec& method, const std::string& who) const;
  Status check_lists(const plugin::MethodSpec& method, const std::string& who);
  Status write_result(const wire::FrameHeader& call, AlignedBuffer& out);

  const plugin::RunnerSpec& runner_;
  void* const self_;
  const PluginCallNote note_;
  std::vector<std::string> names_;  // of the methods, for messages and the crash report
  WorkerArenas& arenas_;
  OutputSink sink_;
  Context context_;
  wire::DecodedValues inputs_;
  std::vector<const bento_value*> pointers_;
  // What is sent: the indices of the sink's outputs; kNothing: a value that is not there.
  static constexpr std::size_t kNothing = static_cast<std::size_t>(-1);
  std::vector<bento_value> outputs_;  // the sink's
  std::vector<std::size_t> sent_;
  std::vector<wire::FailedCaller> failed_;
};

}  // namespace bentohost::runner
