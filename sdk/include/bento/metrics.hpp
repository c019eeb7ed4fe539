// Counter, Gauge and Histogram: the service's own metrics, in the host's /metrics beside the
// host's. Part of <bento/bento.hpp>.
//
//   BENTO_SERVICE(svc) {
//     const bento::Counter made{"items_created_total", "Items made.", {"kind"}};
//     svc.api("make", [=](std::string_view kind) {
//       made(kind).add();
//       ...
//     });
//   }
//
//   struct Tagger {  // a runner
//     bento::Histogram lengths{"tagger_text_words", "Words of a text.", {1, 10, 100, 1000}};
//     Tags tag(std::string_view text) {
//       lengths.observe(count_words(text));
//       ...
//     }
//   };
//
// Handlers and runners define and use them alike. Each series has the label `service`, and in a
// runner `runner`; what the workers of a runner count is added up, and appears in the serving
// process a second later. Gauges of a runner have the label `worker`, since they are not added up.
// A reload of the plugin goes on with the same numbers; a new serving process begins at 0.
//
// A metric is an object to copy, for lambdas to capture; copies are the same metric. It is defined
// in the host when the service, or the runner, is created, or at once if it is made later. Then, or
// here, Error is thrown, INVALID_ARGUMENT, for a name or label that Prometheus does not take
// (letters, digits and '_'; a counter's name ends with _total, and no other does; not bentohost_ or
// process_ in front), and FAILED_PRECONDITION if there is a metric of that name which is another
// one. A service has 256 metrics at most, and a metric 16 labels.
//
// A metric has 1000 series at most. Beyond, and for a value of a label that is longer than 128
// bytes or not UTF-8, the series whose values are all "other" counts. Values that are not finite,
// and negative amounts of a counter, are ignored.
//
// All functions: any thread, without waiting. Finding a series by its labels takes a lock and some
// 60 ns. A Series may be kept: adding to it takes no lock, and some 15 ns. A host that does not
// offer metrics to this plugin, such as bento::testing's, ignores them.
#pragma once

#include <bento/abi.h>

#if BENTO_ABI_TARGET_MINOR >= 1

#include <bento/detail/metric_list.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bento {

class Counter {
 public:
  explicit Counter(std::string name, std::string help, std::vector<std::string> labels = {})
      : state_(detail::MetricList::get().add(
            {BENTO_COUNTER, std::move(name), std::move(help), std::move(labels), {}})) {}

  class Series : detail::MetricSeries {
   public:
    void add(double amount = 1) const { call(&bento_metrics::add, amount); }

   private:
    friend class Counter;
    using MetricSeries::MetricSeries;
  };
  // As many values as labels, in their order; throws Error otherwise.
  template <typename... Values>
  Series operator()(const Values&... values) const {
    return Series(*state_, {std::string_view(values)...});
  }
  void add(double amount = 1) const { (*this)().add(amount); }  // of one without labels

 private:
  std::shared_ptr<detail::MetricState> state_;
};

class Gauge {
 public:
  explicit Gauge(std::string name, std::string help, std::vector<std::string> labels = {})
      : state_(detail::MetricList::get().add(
            {BENTO_GAUGE, std::move(name), std::move(help), std::move(labels), {}})) {}

  class Series : detail::MetricSeries {
   public:
    void set(double value) const { call(&bento_metrics::set, value); }
    void add(double amount) const { call(&bento_metrics::add, amount); }

   private:
    friend class Gauge;
    using MetricSeries::MetricSeries;
  };
  template <typename... Values>
  Series operator()(const Values&... values) const {
    return Series(*state_, {std::string_view(values)...});
  }
  void set(double value) const { (*this)().set(value); }
  void add(double amount) const { (*this)().add(amount); }

 private:
  std::shared_ptr<detail::MetricState> state_;
};

class Histogram {
 public:
  // `bounds`: the upper bounds of the buckets, 1 to 200, increasing; +Inf is added.
  Histogram(std::string name, std::string help, std::vector<double> bounds,
            std::vector<std::string> labels = {})
      : state_(detail::MetricList::get().add({BENTO_HISTOGRAM, std::move(name), std::move(help),
                                              std::move(labels), std::move(bounds)})) {}

  class Series : detail::MetricSeries {
   public:
    void observe(double value) const { call(&bento_metrics::observe, value); }

   private:
    friend class Histogram;
    using MetricSeries::MetricSeries;
  };
  template <typename... Values>
  Series operator()(const Values&... values) const {
    return Series(*state_, {std::string_view(values)...});
  }
  void observe(double value) const { (*this)().observe(value); }

 private:
  std::shared_ptr<detail::MetricState> state_;
};

}  // namespace bento

#endif
