#include "runner/work.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/log.h"
#include "plugin/io_check.h"
#include "runner/engines.h"
#include "runner/window.h"

namespace bentohost::runner {
namespace {

Status nobody_waits() { return Status(BENTO_CANCELLED, "nobody waits for this call any more"); }

}  // namespace

Work::Work(Engines& engines, const plugin::MethodSpec& method, const std::string& name,
           const wire::FrameReader::Frame& frame)
    : engines_(engines),
      spec_(method),
      name_(name),
      header_(frame.header),
      body_(frame.body.begin(), frame.body.end()) {
  table_.owner = this;
  bento_work& work = table_.work;
  work.size = sizeof work;
  work.ctx = this;
  work.sink = sink_.get();
  work.emit = &Work::emit;
  work.finish = &Work::finish;
}

Status Work::decode() {
  if (Status status = wire::decode_call({body_.data(), body_.size()}, inputs_); !status.ok()) {
    return Status(BENTO_INTERNAL, status.message());
  }
  const std::size_t given = inputs_.values.size();
  if (given == 0 || (plugin::are_named(spec_.ins) && given != spec_.ins.size())) {
    return Status(BENTO_INTERNAL, "the host sent " + std::to_string(given) + " inputs");
  }
  for (const bento_value& input : inputs_.values) pointers_.push_back(&input);
  if (!inputs_.callers.empty()) {
    const wire::Caller& caller = inputs_.callers.front();
    caller_ = {sizeof(bento_caller), 0, to_bento(caller.request_id), to_bento(caller.traceparent),
               caller.deadline_ns};
  }
  table_.work.in = pointers_.data();
  table_.work.n = pointers_.size();
  return {};
}

bool Work::has_room() const { return !Window{results_, bytes_}.is_full(); }

void Work::give_room(const wire::Room& room) {
  results_ -= std::min<std::uint32_t>(room.results, results_);
  bytes_ -= std::min<std::size_t>(room.bytes, bytes_);
}

bool Work::cancelled() const {
  if (!is_cancelled_) engines_.pipe_.look_sometimes();
  return is_cancelled_;
}

std::string_view Work::request_id() const { return to_view(caller_.request_id); }

const bento_caller* Work::caller(std::size_t i) const {
  if (i != 0) return nullptr;
  caller_.cancelled = cancelled() ? 1 : 0;
  return &caller_;
}

// ---- results -----------------------------------------------------------------------------------

bento_code Work::emit(bento_work* work, bento_error* error) {
  Work& self = *reinterpret_cast<Table*>(work)->owner;
  return answer_plugin(error, [&self] {
    Status status = self.emit();
    self.sink_.clear();
    return status;
  });
}

Status Work::emit() {
  if (!spec_.streams) {
    return Status(BENTO_FAILED_PRECONDITION,
                  name_ + " has one result, which finish() sends: it does not have BENTO_STREAMS")
        .as_misuse();
  }
  if (cancelled()) return nobody_waits();
  Status status = sink_.size() != 0
                      ? check_outputs()
                      : Status(BENTO_INVALID_ARGUMENT, name_ + " emitted nothing").as_misuse();
  if (status.ok() && !engines_.is_in_step()) status = wait_for_room();
  try {
    if (status.ok()) status = send_result(true);
  } catch (const std::bad_alloc&) {
    status = Status::with_http(503, BENTO_RESOURCE_EXHAUSTED, "out of memory");
  }
  if (!status.ok() && status.code() != BENTO_CANCELLED && failure_.ok()) failure_ = status;
  return status;
}

Status Work::wait_for_room() {
  if (has_room()) return {};
  const bool is_main = engines_.is_main();
  const bool is_there = engines_.pipe_.wait_until([this] { return has_room() || is_cancelled_; },
                                                  [this, is_main] {
                                                    if (is_main) engines_.meanwhile_();
                                                  });
  return is_there && !is_cancelled_ ? Status() : nobody_waits();
}

// Here and not in the host, so that checking a long JSON text does not delay other requests.
Status Work::check_outputs() const {
  const std::vector<bento_value> outputs = sink_.views();
  // The end of a stream needs no result.
  if (outputs.empty() && spec_.streams) return {};
  return plugin::check_outputs(outputs, spec_.outs, name_);
}

Status Work::send_result(bool more) {
  out_.clear();  // of one that there was no memory for
  wire::FrameWriter frame(out_, wire::FrameType::kResult, header_.id, header_.method);
  if (more) frame.more();
  std::vector<bento_value> outputs = sink_.views();
  if (plugin::are_named(spec_.outs)) {
    for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i].name = to_bento(spec_.outs[i].name);
  }
  frame.value_count(static_cast<std::uint32_t>(outputs.size()));
  for (const bento_value& output : outputs) frame.value(output);
  if (!frame.finish()) return Status(BENTO_INTERNAL, "the result is too large to be sent");
  if (more) {
    ++results_;
    bytes_ += wire::decode_header(out_)->body_length;
  }
  return engines_.pipe_.write(out_) ? Status() : nobody_waits();
}

// ---- the end -----------------------------------------------------------------------------------

void Work::finish(bento_work* work, bento_code code, const bento_error* error) {
  Work& self = *reinterpret_cast<Table*>(work)->owner;
  if (code == BENTO_OK) return self.finish(Status());
  if (code == BENTO_PENDING) {
    return self.finish(Status(BENTO_INTERNAL, "nothing can finish with PENDING"));
  }
  self.finish(error == nullptr ? Status(code, "it failed without saying why")
                               : Status::from_plugin(code, *error));
}

void Work::fail(const Status& status) {
  if (!is_finished_) finish(status);
}

void Work::finish(Status status) {
  const WorkPtr self = engines_.find(header_.id);  // it ends with this function
  if (is_finished_.exchange(true)) return;
  if (status.ok()) status = std::exchange(failure_, {});
  if (status.ok()) status = check_outputs();
  if (status.ok() && sink_.size() == 0 && !spec_.streams) {
    status = Status(BENTO_INTERNAL, name_ + " returned nothing");
  }
  if (status.ok()) status = send_result(false);
  // CANCELLED may be the host's end, or its wish: it takes any answer for the end of the call.
  if (!status.ok()) engines_.send_error(header_.id, status);
  sink_.clear();
  engines_.remove(header_.id);
}

}  // namespace bentohost::runner
