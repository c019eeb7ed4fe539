#include "runner/method_run.h"

#include "plugin/io_check.h"

namespace bentohost::runner {

MethodRun::MethodRun(const plugin::RunnerSpec& runner, void* self, const PluginCallNote& note,
                     WorkerArenas& arenas)
    : runner_(runner), self_(self), note_(note), arenas_(arenas), sink_(&arenas) {
  for (const plugin::MethodSpec& method : runner_.methods)
    names_.push_back("runner " + runner_.name + "." + method.name);
}

void MethodRun::answer(const wire::FrameReader::Frame& call, AlignedBuffer& out) {
  arenas_.begin_call();
  Status status = compute(call);
  if (arenas_.is_missing()) {
    (void)wire::FrameWriter(out, wire::FrameType::kNoArena, call.header.id, 0).finish();
    return;
  }
  if (status.ok()) status = write_result(call.header, out);
  if (status.ok()) return;
  wire::FrameWriter frame(out, wire::FrameType::kError, call.header.id, 0);
  frame.error(status);
  (void)frame.finish();  // it fits: the message was truncated
}

Status MethodRun::compute(const wire::FrameReader::Frame& call) {
  if (call.header.type != wire::FrameType::kCall || call.header.method >= runner_.methods.size())
    return Status(BENTO_INTERNAL, "not a call of a method of this runner");
  if (Status status = wire::decode_call(call.body, inputs_, &arenas_); !status.ok())
    return Status(BENTO_INTERNAL, status.message());
  const plugin::MethodSpec& method = runner_.methods[call.header.method];
  const std::string& who = names_[call.header.method];
  pointers_.clear();
  for (const bento_value& input : inputs_.values) pointers_.push_back(&input);
  PluginCallNote note = note_;
  note.what = who;
  Status status = call_plugin(note, [&](bento_error* error) {
    return method.abi->run(self_, method.abi, &context_, pointers_.data(), pointers_.size(),
                           inputs_.rows.data(), inputs_.rows.size(), sink_.get(), error);
  });
  return status.ok() ? check_outputs(method, who) : status;
}

// Here and not in the host, so that checking a long JSON text does not delay other requests.
Status MethodRun::check_outputs(const plugin::MethodSpec& method, const std::string& who) const {
  const std::vector<bento_value> outputs = sink_.views();
  if (outputs.empty()) return Status(BENTO_INTERNAL, who + " returned nothing");
  for (const bento_value& value : outputs) {
    if (Status status = plugin::check_output(value, method.out, who); !status.ok()) return status;
  }
  if (!method.batchable) return {};
  std::int64_t rows = 0;
  for (const std::uint32_t n : inputs_.rows) rows += n;
  for (const bento_value& value : outputs) {
    auto got = wire::rows_of(value, method.axis_out);
    if (!got.ok()) return Status(BENTO_INTERNAL, who + "'s output: " + got.status().message());
    if (*got != rows) {
      return Status(BENTO_INTERNAL, who + " returned " + std::to_string(*got) + " rows for " +
                                        std::to_string(rows));
    }
  }
  return {};
}

Status MethodRun::write_result(const wire::FrameHeader& call, AlignedBuffer& out) {
  wire::FrameWriter result(out, wire::FrameType::kResult, call.id, call.method);
  for (std::size_t i = 0; i < sink_.size(); ++i) sink_.move_to_arena(i);
  const std::vector<bento_value> outputs = sink_.views();
  result.value_count(static_cast<std::uint32_t>(outputs.size()));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (const std::uint32_t arena = sink_.arena_of(i); arena != 0) {
      result.value_in(arena, outputs[i]);
    } else {
      result.value(outputs[i]);
    }
  }
  if (!result.finish()) return Status(BENTO_INTERNAL, "the result is too large to be sent");
  sink_.hand_over_arenas();
  return {};
}

}  // namespace bentohost::runner
