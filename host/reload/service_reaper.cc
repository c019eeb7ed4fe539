#include "reload/service_reaper.h"

#include <prometheus/gauge.h>

#include <atomic>
#include <cstddef>
#include <string>
#include <thread>
#include <utility>

#include "base/log.h"

namespace bentohost::reload {
namespace {

// This many plugins may hang in their end before others have to wait for them.
constexpr std::size_t kThreads = 32;
constexpr Duration kPoll = std::chrono::milliseconds(1);

}  // namespace

const char* name_of(State state) {
  switch (state) {
    case State::kStarting:
      return "starting";
    case State::kServing:
      return "serving";
    case State::kDraining:
      return "draining";
    case State::kRetiring:
      return "retiring";
    case State::kRetired:
      return "retired";
    case State::kUnmapped:
      return "unmapped";
  }
  return "unknown";
}

struct ServiceReaper::Shared {
  Shared(const Clock& its_clock, observe::Metrics& its_metrics, bool its_unmaps)
      : clock(its_clock),
        metrics(its_metrics),
        unmaps(its_unmaps),
        // One thread is kept: the system may refuse to start one when the host stops.
        threads({.max_threads = kThreads, .permits = kThreads, .kept_threads = 1}) {}

  void retire(service::LiveService* raw, const GenerationPtr& generation);

  const Clock& clock;
  observe::Metrics& metrics;
  const bool unmaps;
  std::atomic<std::size_t> waiting = 0;  // ends that no thread has begun yet
  ThreadPool threads;
};

void ServiceReaper::Shared::retire(service::LiveService* raw, const GenerationPtr& generation) {
  std::unique_ptr<service::LiveService> service(raw);
  const bool has_served = generation->state == State::kDraining;
  generation->state = State::kRetiring;
  service->stop(clock.now() + kRunnerExitTime);
  State end = State::kRetired;
  if (unmaps) {
    Status status = service->unmap();
    if (status.ok()) {
      end = State::kUnmapped;
      metrics.generations_mapped(generation->service).Decrement();
    } else {
      log_warning("a retired generation cannot be unmapped: " + status.message(),
                  {{"service", generation->service}, {"generation", generation->number}});
    }
  }
  if (end == State::kRetired) service->drop_clean_pages();
  service.reset();
  generation->copy.reset();
  generation->state = end;
  if (has_served) {
    log_info("a generation has ended", {{"service", generation->service},
                                        {"generation", generation->number},
                                        {"state", name_of(end)}});
  }
}

ServiceReaper::ServiceReaper(const Clock& clock, observe::Metrics& metrics, bool unmaps)
    : shared_(std::make_shared<Shared>(clock, metrics, unmaps)) {}

std::shared_ptr<service::LiveService> ServiceReaper::adopt(
    std::unique_ptr<service::LiveService> service, GenerationPtr generation) {
  shared_->metrics.generations_mapped(generation->service).Increment();
  // A call empties the deleter: generation->live keeps the deleter, so it must not keep generation.
  return {service.release(), [shared = shared_, generation = std::move(generation)](
                                 service::LiveService* raw) mutable {
            const auto here = std::move(shared);
            ++here->waiting;
            here->threads.run([here, of = std::move(generation), raw] {
              --here->waiting;
              here->retire(raw, of);
            });
          }};
}

bool ServiceReaper::stop(TimePoint deadline) {
  // ThreadPool::stop() runs queued ends on this thread, which must not hang in a plugin: so wait.
  while (shared_->waiting.load() != 0) {
    if (shared_->clock.now() >= deadline) return false;
    std::this_thread::sleep_for(kPoll);
  }
  return shared_->threads.stop(deadline) == 0;
}

}  // namespace bentohost::reload
