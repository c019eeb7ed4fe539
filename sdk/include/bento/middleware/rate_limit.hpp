// RateLimit: a token bucket for each client: `burst` requests at once, and `rate` a second in the
// long run. Further requests are answered 429 with Retry-After (RFC 6585 4).
//
//   svc.use(bento::middleware::RateLimit({.rate = 5, .burst = 10}));
//
// At most max_keys clients are remembered. The one that has not been seen for longest is forgotten
// first, and begins again with a full bucket. Each serving process counts for itself.
//
// Its hooks are const, and any number of threads may call them at once. The constructor throws
// Error for options that it cannot use.
#pragma once

#include <algorithm>
#include <bento/detail/address.hpp>
#include <bento/detail/header_fields.hpp>
#include <bento/detail/refusal.hpp>
#include <bento/error.hpp>
#include <bento/middleware.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace bento::middleware {

struct RateLimitOptions {
  double rate = 10;  // requests a second
  std::uint64_t burst = 20;
  // Clients are told apart by this header, which something outside of this has to have checked, for
  // anybody can make values up; "", or where it is missing: by address.
  std::string header = {};
  std::uint64_t max_keys = 10'000;
};

class RateLimit {
 public:
  static constexpr const char* kName = "rate_limit";
  using Clock = std::chrono::steady_clock;

  explicit RateLimit(RateLimitOptions options = {},
                     std::function<Clock::time_point()> now = &Clock::now)
      : header_(bento::detail::lower(options.header)), now_(std::move(now)) {
    if (!(options.rate >= kMinRate && options.rate <= kMaxRate)) {
      throw Error(BENTO_INVALID_ARGUMENT, "rate must be from 0.001 to 1000000 requests a second");
    }
    if (options.burst < 1 || options.burst > kMaxBurst) {
      throw Error(BENTO_INVALID_ARGUMENT, "burst is from 1 to 1000000");
    }
    if (options.max_keys < 1) throw Error(BENTO_INVALID_ARGUMENT, "max_keys is 1 at least");
    if (!header_.empty()) bento::detail::check_header_name(header_, "header");
    const auto interval = std::chrono::duration<double>(1 / options.rate);
    buckets_ = std::make_unique<Buckets>(std::chrono::duration_cast<Clock::duration>(interval),
                                         options.burst, options.max_keys);
  }

  void on_request(Incoming& request) const {
    const Clock::duration wait = buckets_->take(key_of(request), now_());
    if (wait <= Clock::duration::zero()) return;
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
    bento::detail::refuse(request, 429, "Too Many Requests", "too many requests of this client",
                          {{"Retry-After", std::to_string(seconds)}});
  }

 private:
  static constexpr double kMinRate = 0.001, kMaxRate = 1e6;
  static constexpr std::uint64_t kMaxBurst = 1'000'000;
  static constexpr std::size_t kMaxKey = 128;  // bytes; what is longer counts as its beginning

  // The buckets, by GCRA: of each it is enough to know when it will be full again. Any thread.
  class Buckets {
   public:
    Buckets(Clock::duration interval, std::uint64_t burst, std::size_t max_keys)
        : interval_(interval),
          depth_(interval * static_cast<Clock::rep>(burst)),
          max_keys_(max_keys) {}

    // Takes a token; if there is none, how long until there is.
    Clock::duration take(std::string key, Clock::time_point now) {
      const std::lock_guard lock(mutex_);
      Clock::time_point& full = find(std::move(key), now);
      const Clock::time_point after = std::max(full, now) + interval_;
      const Clock::duration wait = after - now - depth_;
      if (wait <= Clock::duration::zero()) full = after;
      return wait;
    }

   private:
    struct Bucket {
      std::string key;
      Clock::time_point full;
    };

    Clock::time_point& find(std::string key, Clock::time_point now) {
      if (const auto found = index_.find(key); found != index_.end()) {
        buckets_.splice(buckets_.begin(), buckets_, found->second);
        return found->second->full;
      }
      if (index_.size() >= max_keys_) {
        index_.erase(buckets_.back().key);
        buckets_.pop_back();
      }
      buckets_.push_front({std::move(key), now});
      index_.emplace(buckets_.front().key, buckets_.begin());
      return buckets_.front().full;
    }

    const Clock::duration interval_, depth_;
    const std::size_t max_keys_;
    std::mutex mutex_;
    std::list<Bucket> buckets_;  // the one seen last is first
    std::unordered_map<std::string_view, std::list<Bucket>::iterator> index_;  // views of the keys
  };

  std::string key_of(const Incoming& request) const {
    if (!header_.empty()) {
      if (const auto value = request.find_request_header(header_)) {
        return "header " + std::string(value->substr(0, kMaxKey));
      }
    }
    return "address " + std::string(bento::detail::address_of(request.client()));
  }

  std::string header_;
  std::function<Clock::time_point()> now_;
  std::unique_ptr<Buckets> buckets_;
};

}  // namespace bento::middleware
