#include "observe/route_metrics.h"

#include <algorithm>
#include <array>
#include <atomic>

namespace bentohost::observe {
namespace {

constexpr std::string_view kUnmatched = "__unmatched__";

// Clients may invent methods, and each would be a time series.
constexpr std::array<std::string_view, 8> kMethods{"GET",   "POST",    "HEAD",   "PUT",
                                                   "PATCH", "OPTIONS", "DELETE", "OTHER"};
constexpr int kCodes[] = {200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400,
                          401, 403, 404, 405, 406, 408, 409, 410, 412, 413, 414, 415,
                          416, 422, 429, 431, 499, 500, 501, 502, 503, 504};
constexpr int kFirstCode = 100, kLastCode = 599;
constexpr std::size_t kNoSlot = 255;

// BentoML's default buckets, which are OpenTelemetry's advice for http.server.request.duration, and
// four below them: most of our responses take a fraction of a millisecond.
const std::vector<double> kSeconds{.00025, .0005, .001, .0025, .005, .01, .025, .05, .075,
                                   .1,     .25,   .5,   .75,   1,    2.5, 5,    7.5, 10};
const std::vector<double> kBytes{100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};

constexpr auto kSlotOfCode = [] {
  std::array<unsigned char, kLastCode - kFirstCode + 1> slots{};
  slots.fill(kNoSlot);
  for (std::size_t i = 0; i < std::size(kCodes); ++i) {
    slots[static_cast<std::size_t>(kCodes[i] - kFirstCode)] = static_cast<unsigned char>(i);
  }
  return slots;
}();

std::size_t method_index(std::string_view method) {
  const auto found = std::find(kMethods.begin(), kMethods.end() - 1, method);
  return static_cast<std::size_t>(found - kMethods.begin());
}

bool is_http_code(int code) { return code >= kFirstCode && code <= kLastCode; }

std::size_t code_slot(int code) {
  return is_http_code(code) ? kSlotOfCode[static_cast<std::size_t>(code - kFirstCode)] : kNoSlot;
}

std::string code_label(int code) { return is_http_code(code) ? std::to_string(code) : "OTHER"; }

}  // namespace

class RouteMetricsTable::Route final : public RouteMetrics {
 public:
  Route(HttpFamilies& families, std::string_view name) : families_(families), name_(name) {}

  void observe(std::string_view method, int code, Duration took, std::size_t request_bytes,
               std::size_t response_bytes) override {
    const std::size_t index = method_index(method);
    ByMethod* handles = published_[index].load(std::memory_order_acquire);
    if (handles == nullptr) handles = add_method(index);
    counter(*handles, index, code).add(1);
    handles->duration.observe(seconds(took));
    handles->request_size.observe(static_cast<double>(request_bytes));
    handles->response_size.observe(static_cast<double>(response_bytes));
  }

 private:
  // Made at the first request with that method: most routes have one method.
  struct ByMethod {
    ShardedHistogram& duration;
    ShardedHistogram& request_size;
    ShardedHistogram& response_size;
    std::array<std::atomic<ShardedCounter*>, std::size(kCodes)> requests{};
  };

  ByMethod* add_method(std::size_t index) {
    const MutexLock lock(mutex_);
    if (methods_[index] == nullptr) {
      const prometheus::Labels labels{{"method", std::string(kMethods[index])}, {"route", name_}};
      methods_[index].reset(new ByMethod{families_.duration.add(labels, kSeconds),
                                         families_.request_size.add(labels, kBytes),
                                         families_.response_size.add(labels, kBytes),
                                         {}});
      published_[index].store(methods_[index].get(), std::memory_order_release);
    }
    return methods_[index].get();
  }

  // Two threads may add the same counter at once: the family gives both the same one.
  ShardedCounter& counter(ByMethod& handles, std::size_t method, int code) {
    const std::size_t slot = code_slot(code);
    if (slot != kNoSlot) {
      if (ShardedCounter* known = handles.requests[slot].load(std::memory_order_acquire))
        return *known;
    }
    ShardedCounter& added = families_.requests.add(
        {{"method", std::string(kMethods[method])}, {"route", name_}, {"code", code_label(code)}});
    if (slot != kNoSlot) handles.requests[slot].store(&added, std::memory_order_release);
    return added;
  }

  HttpFamilies& families_;
  const std::string name_;
  std::array<std::atomic<ByMethod*>, kMethods.size()> published_{};
  Mutex mutex_;
  std::array<std::unique_ptr<ByMethod>, kMethods.size()> methods_ BENTO_GUARDED_BY(mutex_);
};

RouteMetricsTable::RouteMetricsTable() = default;
RouteMetricsTable::~RouteMetricsTable() = default;

RouteMetrics* RouteMetricsTable::route(std::string_view route) {
  const std::string_view name = route.empty() ? kUnmatched : route;
  const MutexLock lock(mutex_);
  auto found = routes_.find(name);
  if (found == routes_.end()) {
    found = routes_.emplace(name, std::make_unique<Route>(families_, name)).first;
  }
  return found->second.get();
}

void RouteMetricsTable::collect(
    const std::function<void(std::vector<prometheus::MetricFamily>)>& append) const {
  append(families_.requests.Collect());
  for (const auto* sizes :
       {&families_.duration, &families_.request_size, &families_.response_size}) {
    append(sizes->Collect());
  }
}

}  // namespace bentohost::observe
