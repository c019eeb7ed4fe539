#include "runner/engines.h"

#include <algorithm>
#include <utility>

#include "runner/work.h"

namespace bentohost::runner {

void Engines::open(const plugin::RunnerSpec& runner, void* self, const PluginCallNote& note,
                   const std::vector<std::string>& names) {
  runner_ = &runner;
  self_ = self;
  note_ = note;
  names_ = &names;
  main_ = std::this_thread::get_id();
}

PluginCallNote Engines::note_of(std::uint32_t method) const {
  PluginCallNote note = note_;
  note.what = (*names_)[method];
  return note;
}

WorkPtr Engines::find(std::uint64_t id) {
  const MutexLock lock(mutex_);
  const auto found = works_.find(id);
  return found == works_.end() ? nullptr : found->second;
}

std::vector<WorkPtr> Engines::all() {
  const MutexLock lock(mutex_);
  std::vector<WorkPtr> all;
  all.reserve(works_.size());
  for (const auto& [id, work] : works_) all.push_back(work);
  return all;
}

void Engines::remove(std::uint64_t id) {
  const MutexLock lock(mutex_);
  works_.erase(id);
}

bool Engines::send_error(std::uint64_t id, const Status& status) {
  AlignedBuffer out;
  wire::FrameWriter frame(out, wire::FrameType::kError, id, 0);
  frame.error(status);
  (void)frame.finish();  // it fits: the message was truncated
  return pipe_.write(out);
}

bool Engines::begin(const wire::FrameReader::Frame& frame) {
  const std::uint32_t method = frame.header.method;
  const auto work =
      std::make_shared<Work>(*this, runner_->methods[method], (*names_)[method], frame);
  if (Status status = work->decode(); !status.ok()) return send_error(work->id(), status);
  {
    const MutexLock lock(mutex_);
    if (!works_.emplace(work->id(), work).second) return true;
    if (early_cancels_.erase(work->id()) != 0) work->cancel();
  }
  const Status status = call_plugin(note_of(method), [&](bento_error* error) {
    return engine_of(method).begin(self_, runner_->methods[method].abi, work->abi(), error);
  });
  if (!status.ok()) work->fail(status);
  return true;
}

bool Engines::has_turn() {
  const MutexLock lock(mutex_);
  return std::any_of(works_.begin(), works_.end(), [this](const auto& entry) {
    const Work& work = *entry.second;
    return engine_of(work.method()).step != nullptr && work.is_due();
  });
}

void Engines::tell_cancelled() {
  for (const WorkPtr& work : all()) {
    if (!work->take_cancel()) continue;
    const std::uint32_t method = work->method();
    const bento_engine& engine = engine_of(method);
    if (engine.cancel == nullptr) continue;
    (void)call_plugin(note_of(method), [&](bento_error*) {
      engine.cancel(self_, runner_->methods[method].abi, work->abi());
      return BENTO_OK;
    });
  }
}

void Engines::turn() {
  tell_cancelled();
  for (std::uint32_t method = 0; method < runner_->methods.size(); ++method) {
    const bento_engine* const engine = runner_->methods[method].engine;
    if (engine != nullptr && engine->step != nullptr) step(method);
  }
}

void Engines::step(std::uint32_t method) {
  std::vector<WorkPtr> works = all();
  std::erase_if(
      works, [method](const WorkPtr& work) { return work->method() != method || !work->is_due(); });
  if (works.empty()) return;
  std::vector<bento_work*> pointers;
  pointers.reserve(works.size());
  for (const WorkPtr& work : works) pointers.push_back(work->abi());
  is_stepping_ = true;
  const Status status = call_plugin(note_of(method), [&](bento_error* error) {
    return engine_of(method).step(self_, runner_->methods[method].abi, pointers.data(),
                                  pointers.size(), error);
  });
  is_stepping_ = false;
  if (status.ok()) return;
  for (const WorkPtr& work : works) work->fail(status);
}

void Engines::end() {
  for (const WorkPtr& work : all()) work->cancel();
  tell_cancelled();
}

bool Engines::on_cancel(std::uint64_t id) {
  // Ids grow: the lowest are of calls that were over before.
  constexpr std::size_t kMostEarly = 4096;
  const MutexLock lock(mutex_);
  if (const auto found = works_.find(id); found != works_.end()) {
    found->second->cancel();
    return true;
  }
  early_cancels_.insert(id);
  if (early_cancels_.size() > kMostEarly) early_cancels_.erase(early_cancels_.begin());
  return false;
}

void Engines::on_room(std::uint64_t id, const wire::Room& room) {
  if (const WorkPtr work = find(id)) work->give_room(room);
}

}  // namespace bentohost::runner
