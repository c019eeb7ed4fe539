// Metrics of a service's own, on a host that the test plays: what is defined when, and what a host
// that does not offer metrics gets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/metrics.hpp>
#include <map>
#include <string>
#include <vector>

namespace bento {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

struct FakeHost {
  FakeHost() {
    host.size = sizeof host;
    host.abi_major = BENTO_ABI_MAJOR;
    host.abi_minor = BENTO_ABI_MINOR;
    host.extension = [](const bento_host*, const char* id) -> const void* {
      return id == std::string_view(BENTO_EXT_METRICS) && offers ? &table : nullptr;
    };
    values.clear();
    defined.clear();
    offers = true;
  }
  ~FakeHost() { detail::MetricList::get().unbind(); }

  static bento_code define(const bento_host*, std::uint32_t kind, bento_str name, bento_str,
                           const bento_str* labels, std::size_t n_labels, const double*,
                           std::size_t n_bounds, bento_metric** out, bento_error* error) {
    return detail::guard(error, [&] {
      if (detail::view(name) == "taken") throw Error(BENTO_FAILED_PRECONDITION, "it is taken");
      std::string what = std::to_string(kind) + " " + std::string(detail::view(name));
      for (std::size_t i = 0; i < n_labels; ++i) what += " " + std::string(detail::view(labels[i]));
      if (n_bounds > 0) what += " " + std::to_string(n_bounds);
      const auto place = defined.emplace(std::string(detail::view(name)), what).first;
      *out = reinterpret_cast<bento_metric*>(const_cast<std::string*>(&place->first));
    });
  }
  static bento_code series(bento_metric* metric, const bento_str* texts, std::size_t n,
                           bento_series** out, bento_error*) {
    std::string key = *reinterpret_cast<const std::string*>(metric);
    for (std::size_t i = 0; i < n; ++i) key += "," + std::string(detail::view(texts[i]));
    *out = reinterpret_cast<bento_series*>(&values[key]);
    return BENTO_OK;
  }
  static double& value_of(bento_series* series) { return *reinterpret_cast<double*>(series); }

  static inline std::map<std::string, double> values;
  static inline std::map<std::string, std::string> defined;
  static inline bool offers = true;
  static inline const bento_metrics table{
      sizeof(bento_metrics),
      0,
      &define,
      &series,
      [](bento_series* s, double amount) { value_of(s) += amount; },
      [](bento_series* s, double value) { value_of(s) = value; },
      [](bento_series* s, double value) { value_of(s) += 100 * value; }};
  bento_host host{};
};

TEST(Metrics, AreDefinedWhenTheServiceIsCreatedOrAtOnce) {
  FakeHost fake;
  const Counter before{"before_total", "Help.", {"kind"}};
  before("nobody listens").add();
  EXPECT_TRUE(FakeHost::defined.empty());
  detail::MetricList::get().bind(&fake.host);
  const Histogram after{"after", "Help.", {1, 2}};
  EXPECT_THAT(FakeHost::defined,
              ElementsAre(Pair("after", "3 after 2"), Pair("before_total", "1 before_total kind")));
  EXPECT_TRUE(FakeHost::values.empty());
}

TEST(Metrics, CopiesAreTheSameMetric) {
  FakeHost fake;
  const Counter made{"made_total", "Help.", {"kind", "color"}};
  const Gauge level{"level", "Help."};
  const Histogram sizes{"sizes", "Help.", {1}};
  detail::MetricList::get().bind(&fake.host);
  const Counter copy = made;
  const auto kept = copy("cup", std::string("red"));
  kept.add();
  made("cup", "red").add(2);
  level.set(5);
  level.add(-1);
  sizes.observe(2);
  EXPECT_THAT(FakeHost::values,
              ElementsAre(Pair("level", 4), Pair("made_total,cup,red", 3), Pair("sizes", 200)));
}

TEST(Metrics, ARefusalIsThrownWhereTheMetricIsDefined) {
  FakeHost fake;
  {
    const Gauge gauge{"taken", "Help."};
    EXPECT_THROW(detail::MetricList::get().bind(&fake.host), Error);
  }
  EXPECT_THROW(Gauge("taken", "Help."), Error);
}

TEST(Metrics, AHostThatOffersNoneIsFine) {
  FakeHost fake;
  FakeHost::offers = false;
  const Counter made{"made_total", "Help."};
  detail::MetricList::get().bind(&fake.host);
  made.add();
  fake.host.size = offsetof(bento_host, extension);  // of 1.0
  detail::MetricList::get().bind(&fake.host);
  made.add();
  EXPECT_TRUE(FakeHost::values.empty());
}

TEST(Metrics, NothingIsCountedOnceTheHostHasGone) {
  const Counter made{"made_total", "Help."};
  {
    FakeHost fake;
    detail::MetricList::get().bind(&fake.host);
    made.add();
    EXPECT_THAT(FakeHost::values, ElementsAre(Pair("made_total", 1)));
  }
  made.add();
  EXPECT_THAT(FakeHost::values, ElementsAre(Pair("made_total", 1)));
}

}  // namespace
}  // namespace bento
