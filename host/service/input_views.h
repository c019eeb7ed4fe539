// InputViews: decoded inputs as a plugin's function takes them. The values must outlive it,
// unmoved.
#pragma once

#include <bento/abi.h>

#include <span>
#include <vector>

#include "codec/codec.h"

namespace bentohost::service {

class InputViews {
 public:
  explicit InputViews(std::span<const wire::Value> values) {
    views_.reserve(values.size());
    pointers_.reserve(values.size());
    for (const wire::Value& value : values) pointers_.push_back(&views_.emplace_back(value.view()));
  }
  InputViews(const InputViews&) = delete;
  InputViews& operator=(const InputViews&) = delete;

  std::span<const bento_value* const> pointers() const { return pointers_; }

 private:
  std::vector<bento_value> views_;
  std::vector<const bento_value*> pointers_;
};

}  // namespace bentohost::service
