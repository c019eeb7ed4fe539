#include "runner/worker_slots.h"

#include <algorithm>

namespace bentohost::runner {
namespace {

// Why a worker does not serve: the text that follows its name.
std::string why_not_ready(const WorkerSlot& slot) {
  if (slot.gave_up) return " failed for good: it " + slot.last_end;
  std::string why;
  if (slot.worker != nullptr) {
    why = slot.worker->is_undying                        ? " does not die of SIGKILL"
          : slot.worker->state == Worker::State::kEnding ? " is ending"
                                                         : " is starting";
  } else {
    why = slot.is_spawning || slot.last_end.empty() ? " is starting" : " will be started again";
  }
  if (!slot.last_end.empty()) why += " (it " + slot.last_end + ")";
  return why;
}

}  // namespace

WorkerSlots::Idle WorkerSlots::find_idle() const {
  Idle idle;
  for (const WorkerSlot& slot : slots_) {
    if (!slot.is_idle()) continue;
    if (idle.count++ == 0) idle.first = &slot.worker;
  }
  return idle;
}

const WorkerPtr* WorkerSlots::find_room(std::uint32_t method) const {
  const WorkerPtr* found = nullptr;
  for (const WorkerSlot& slot : slots_) {
    if (!slot.has_room() || slot.worker->in_flight.front()->method != method) continue;
    if (found == nullptr || slot.worker->in_flight.size() < (*found)->in_flight.size())
      found = &slot.worker;
  }
  return found;
}

std::vector<std::uint32_t> WorkerSlots::methods_with_room() const {
  std::vector<std::uint32_t> methods;
  for (const WorkerSlot& slot : slots_) {
    if (!slot.has_room()) continue;
    const std::uint32_t method = slot.worker->in_flight.front()->method;
    if (std::find(methods.begin(), methods.end(), method) == methods.end())
      methods.push_back(method);
  }
  return methods;
}

bool WorkerSlots::is_any_up() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const auto& slot) { return slot.is_up(); });
}

bool WorkerSlots::are_all_up() const {
  return std::all_of(slots_.begin(), slots_.end(), [](const auto& slot) { return slot.is_up(); });
}

bool WorkerSlots::has_any_ended() const {
  return std::any_of(slots_.begin(), slots_.end(),
                     [](const auto& slot) { return !slot.last_end.empty(); });
}

bool WorkerSlots::have_given_up() const {
  return std::all_of(slots_.begin(), slots_.end(), [](const auto& slot) { return slot.gave_up; });
}

bool WorkerSlots::are_hopeless() const {
  return std::all_of(slots_.begin(), slots_.end(),
                     [](const auto& slot) { return slot.is_hopeless(); });
}

bool WorkerSlots::are_empty() const {
  return std::all_of(slots_.begin(), slots_.end(),
                     [](const auto& slot) { return slot.is_empty(); });
}

std::string WorkerSlots::why_not_ready() const {
  std::string why;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    why += (why.empty() ? "worker " : "; worker ") + std::to_string(i) +
           runner::why_not_ready(slots_[i]);
  }
  return why;
}

}  // namespace bentohost::runner
