// Runners: one instance of each runner of a service, in this process; a call is run where it is
// submitted. Part of <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/error.hpp>
#include <bento/testing/ndarray.hpp>
#include <bento/testing/value.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bento::testing::internal {

// A method of an instance.
struct Method {
  void* self;
  const bento_method* abi;
};

class Runners {
 public:
  Runners() = default;
  Runners(const Runners&) = delete;
  Runners& operator=(const Runners&) = delete;

  void start(const bento_host* host, const bento_service& service) {
    for (std::size_t i = 0; i < service.n_runners; ++i) {
      Instance instance{service.runners[i], nullptr};
      bento_error error = detail::make_error();
      detail::check(instance.runner->create(host, 0, &instance.self, &error), error);
      instances_.push_back(instance);
    }
  }
  void stop() {
    for (const Instance& instance : instances_) instance.runner->destroy(instance.self);
    instances_.clear();
  }

  Method find(std::string_view runner, std::string_view method) const {
    for (const Instance& instance : instances_) {
      if (detail::view(instance.runner->name) != runner) continue;
      for (std::size_t i = 0; i < instance.runner->n_methods; ++i) {
        const bento_method* abi = instance.runner->methods[i];
        if (detail::view(abi->name) == method) return {instance.self, abi};
      }
    }
    throw Error(BENTO_NOT_FOUND,
                "there is no runner method " + std::string(runner) + "." + std::string(method));
  }

  // Throws what the method failed with, or INVALID_ARGUMENT for inputs that it does not take.
  static Values run(const Method& method, bento_ctx* batch, const bento_value* const* in,
                    std::size_t n) {
    Values inputs;
    std::vector<const bento_value*> pointers;
    for (std::size_t i = 0; i < n; ++i) {
      inputs.push_back(std::make_unique<Value>());
      inputs.back()->copy(*in[i]);
      check_input(inputs.back()->abi(), *method.abi->in);
      pointers.push_back(&inputs.back()->abi());
    }
    const bool is_batchable = (method.abi->flags & BENTO_BATCHABLE) != 0;
    const std::uint32_t rows = is_batchable ? count_rows(inputs, *method.abi) : 1;
    Sink sink;
    bento_error error = detail::make_error();
    detail::check(method.abi->run(method.self, method.abi, batch, pointers.data(), n, &rows, 1,
                                  sink.abi(), &error),
                  error);
    return sink.take();
  }

 private:
  struct Instance {
    const bento_runner* runner;
    void* self;
  };

  static void check_input(const bento_value& value, const bento_io& io) {
    const bool is_tensor = value.kind == BENTO_TENSOR;
    const bool fits = value.kind == io.kind &&
                      (!is_tensor || io.dtype == 0 || value.tensor.dtype == io.dtype) &&
                      (!is_tensor || fits_shape({value.tensor.shape, value.tensor.ndim}, io));
    if (!fits) throw Error(BENTO_INVALID_ARGUMENT, "an input that the runner does not take");
  }
  static std::uint32_t count_rows(const Values& inputs, const bento_method& method) {
    const auto axis = static_cast<std::size_t>(method.axis_in);
    if (inputs.empty() || axis >= inputs[0]->shape().size()) {
      throw Error(BENTO_INVALID_ARGUMENT, "an input without the batch axis");
    }
    return static_cast<std::uint32_t>(inputs[0]->shape()[axis]);
  }

  std::vector<Instance> instances_;
};

}  // namespace bento::testing::internal
