// A clock that stands still until a test moves it.
#pragma once

#include "base/clock.h"

namespace bentohost::fakes {

class FakeClock final : public Clock {
 public:
  TimePoint now() const override { return now_; }
  void advance(Duration by) { now_ += by; }

 private:
  TimePoint now_{std::chrono::hours(1)};
};

}  // namespace bentohost::fakes
