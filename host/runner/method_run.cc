#include "runner/method_run.h"

#include "plugin/io_check.h"

namespace bentohost::runner {
namespace {

constexpr std::size_t kMaxJoinedOutputs = 64;

}  // namespace

void MethodRun::Context::begin(std::uint64_t id, std::span<const wire::Caller> callers) {
  is_cancelled_ = false;
  id_ = id;
  callers_.clear();
  for (const wire::Caller& caller : callers) {
    callers_.push_back({sizeof(bento_caller), 0, to_bento(caller.request_id),
                        to_bento(caller.traceparent), caller.deadline_ns});
  }
}

MethodRun::MethodRun(const plugin::RunnerSpec& runner, void* self, const PluginCallNote& note,
                     WorkerArenas& arenas, FramePipe& pipe)
    : runner_(runner), self_(self), note_(note), arenas_(arenas), sink_(&arenas), context_(pipe) {
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
  if (Status status = check_inputs(method); !status.ok()) return status;
  pointers_.clear();
  for (const bento_value& input : inputs_.values) pointers_.push_back(&input);
  context_.begin(call.header.id, inputs_.callers);
  const std::size_t callers = inputs_.rows.size();
  if (method.batchable) {
    sink_.begin_batch(callers, method.lists ? callers * method.outs.size() : kMaxJoinedOutputs);
  }
  PluginCallNote note = note_;
  note.what = who;
  note.request_id = context_.request_id();
  Status status = call_plugin(note, [&](bento_error* error) {
    return method.abi->run(self_, method.abi, &context_, pointers_.data(), pointers_.size(),
                           inputs_.rows.data(), callers, sink_.get(), error);
  });
  context_.end();
  return status.ok() ? check_outputs(method, who) : status;
}

// The plugin is promised so many.
Status MethodRun::check_inputs(const plugin::MethodSpec& method) const {
  const std::size_t values = inputs_.values.size(), callers = inputs_.rows.size();
  const std::size_t expected = method.ins.size() * (method.lists ? callers : 1);
  const bool is_any_number = !method.lists && !plugin::are_named(method.ins);
  if (callers > 0 && (values == expected || (is_any_number && values > 0))) return {};
  return Status(BENTO_INTERNAL, "the host sent " + std::to_string(values) + " inputs of " +
                                    std::to_string(callers) + " callers");
}

// Here and not in the host, so that checking a long JSON text does not delay other requests.
Status MethodRun::check_outputs(const plugin::MethodSpec& method, const std::string& who) {
  outputs_ = sink_.views();
  sent_.clear();
  if (method.lists) return check_lists(method, who);
  // When all have failed, nobody is left to whom the outputs matter.
  if (method.batchable && sink_.failed().size() == inputs_.rows.size()) return {};
  for (std::size_t i = 0; i < outputs_.size(); ++i) sent_.push_back(i);
  if (Status status = plugin::check_outputs(outputs_, method.outs, who); !status.ok()) {
    return status;
  }
  return method.batchable ? check_rows(method, who) : Status();
}

Status MethodRun::check_rows(const plugin::MethodSpec& method, const std::string& who) const {
  std::int64_t rows = 0;
  for (const std::uint32_t n : inputs_.rows) rows += n;
  for (const bento_value& value : outputs_) {
    auto got = wire::rows_of(value, method.axis_out);
    if (!got.ok()) return Status(BENTO_INTERNAL, who + "'s output: " + got.status().message());
    if (*got != rows) {
      return Status(BENTO_INTERNAL, who + " returned " + std::to_string(*got) + " rows for " +
                                        std::to_string(rows));
    }
  }
  return {};
}

// Of the callers that have failed, all have values, or none has.
Status MethodRun::check_lists(const plugin::MethodSpec& method, const std::string& who) {
  const std::size_t each = method.outs.size(), callers = inputs_.rows.size();
  const std::size_t failed = sink_.failed().size();
  const bool is_full = outputs_.size() == each * callers;
  if (!is_full && outputs_.size() != each * (callers - failed)) {
    return Status(BENTO_INTERNAL,
                  who + " returned " + std::to_string(outputs_.size()) + " values for " +
                      std::to_string(callers) + " callers" +
                      (failed == 0 ? "" : ", of whom " + std::to_string(failed) + " have failed") +
                      "; each has " + std::to_string(each));
  }
  std::size_t next = 0;
  for (std::uint32_t caller = 0; caller < callers; ++caller) {
    bool is_sent = !sink_.failed().contains(caller);
    const std::size_t first = next;
    if (is_sent || is_full) next += each;
    if (is_sent) {
      Status status =
          plugin::check_outputs(std::span(outputs_).subspan(first, each), method.outs, who);
      is_sent = status.ok();
      if (!is_sent) sink_.fail(caller, std::move(status));
    }
    for (std::size_t i = 0; i < each; ++i) sent_.push_back(is_sent ? first + i : kNothing);
  }
  return {};
}

Status MethodRun::write_result(const wire::FrameHeader& call, AlignedBuffer& out) {
  const plugin::MethodSpec& method = runner_.methods[call.method];
  wire::FrameWriter result(out, wire::FrameType::kResult, call.id, call.method);
  for (const std::size_t i : sent_) {
    if (i != kNothing) sink_.move_to_arena(i);
  }
  outputs_ = sink_.views();
  failed_.clear();
  for (const auto& [caller, why] : sink_.failed()) failed_.push_back({caller, why});
  result.value_count(static_cast<std::uint32_t>(sent_.size()), failed_);
  for (std::size_t i = 0; i < sent_.size(); ++i) {
    if (sent_[i] == kNothing) {
      result.value({});
      continue;
    }
    bento_value& value = outputs_[sent_[i]];
    if (plugin::are_named(method.outs)) {
      value.name = to_bento(method.outs[i % method.outs.size()].name);
    }
    if (const std::uint32_t arena = sink_.arena_of(sent_[i]); arena != 0) {
      result.value_in(arena, value);
    } else {
      result.value(value);
    }
  }
  if (!result.finish()) return Status(BENTO_INTERNAL, "the result is too large to be sent");
  for (const std::size_t i : sent_) {
    if (i != kNothing) sink_.hand_over_arena(i);
  }
  return {};
}

}  // namespace bentohost::runner
