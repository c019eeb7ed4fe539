// MethodRun: computes the batches of a runner's `run` methods, in its process: reads a call frame,
// calls the plugin, checks what it returned, and writes the frame that answers. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/process/plugin_call_note.h"
#include "plugin/context.h"
#include "plugin/description.h"
#include "runner/output_sink.h"
#include "runner/worker_arenas.h"
#include "wire/frame.h"

namespace bentohost::runner {

class MethodRun {
 public:
  // `self` is what the runner's create() left. All that `note` views, `runner` and `arenas` must
  // outlive this; `note` names the service and its plugin.
  MethodRun(const plugin::RunnerSpec& runner, void* self, const PluginCallNote& note,
            WorkerArenas& arenas);

  // Computes the batch, and appends the answer to `out`: a kResult, kError or kNoArena frame.
  void answer(const wire::FrameReader::Frame& call, AlignedBuffer& out);
  // Releases what the plugin has given as results: they are in the answer's frame.
  void end() { sink_.clear(); }

 private:
  struct Context final : bento_ctx {};

  Status compute(const wire::FrameReader::Frame& call);
  Status check_outputs(const plugin::MethodSpec& method, const std::string& who) const;
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
};

}  // namespace bentohost::runner
