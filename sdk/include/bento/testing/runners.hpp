// Runners: one instance of each runner of a service, in this process; a call runs on the thread
// that submits it. Part of <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/error.hpp>
#include <bento/testing/codec.hpp>
#include <bento/testing/ndarray.hpp>
#include <bento/testing/value.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bento::testing::internal {

// A method of a runner's instance.
struct Method {
  void* self;
  const bento_method* abi;
  std::string name;  // "keeper.predict"
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
        if (detail::view(abi->name) != method) continue;
        return {instance.self, abi, std::string(runner) + "." + std::string(method)};
      }
      detail::misuse(BENTO_NOT_FOUND, "runner " + std::string(runner) + " has no method \"" +
                                          std::string(method) + "\"");
    }
    detail::misuse(BENTO_NOT_FOUND, "there is no runner \"" + std::string(runner) + "\"");
  }

  // Throws the method's own error, or 500 for inputs that it does not take and for results that are
  // not as declared.
  static Values run(const Method& method, bento_ctx* batch, const bento_value* const* in,
                    std::size_t n) {
    Values inputs;
    std::vector<const bento_value*> pointers;
    for (std::size_t i = 0; i < n; ++i) {
      inputs.push_back(std::make_unique<Value>());
      inputs.back()->copy(*in[i]);
      check_input(inputs.back()->abi(), method);
      pointers.push_back(&inputs.back()->abi());
    }
    const bool is_batchable = (method.abi->flags & BENTO_BATCHABLE) != 0;
    const std::uint32_t rows = is_batchable ? count_rows(inputs, method.abi->axis_in) : 1;
    Sink sink;
    bento_error error = detail::make_error();
    check_plugin(method.abi->run(method.self, method.abi, batch, pointers.data(), n, &rows, 1,
                                 sink.abi(), &error),
                 error);
    Values results = sink.take();
    check_outputs(results, method, rows);
    return results;
  }

 private:
  struct Instance {
    const bento_runner* runner;
    void* self;
  };

  static void check_input(const bento_value& value, const Method& method) {
    const auto fault = difference(value, *method.abi->in);
    if (!fault) return;
    detail::misuse(BENTO_INVALID_ARGUMENT,
                   method.name + " takes " + fault->first + ", got " + fault->second);
  }
  static void check_outputs(const Values& results, const Method& method, std::uint32_t rows) {
    const std::string who = "runner " + method.name;
    if (results.empty()) throw Error(BENTO_INTERNAL, who + " returned nothing");
    for (const auto& result : results) check_output(result->abi(), *method.abi->out, who);
    if ((method.abi->flags & BENTO_BATCHABLE) == 0) return;
    const std::uint32_t got = count_rows(results, method.abi->axis_out);
    if (got == rows) return;
    throw Error(BENTO_INTERNAL,
                who + " returned " + std::to_string(got) + " rows for " + std::to_string(rows));
  }
  // All values must have the same number of rows.
  static std::uint32_t count_rows(const Values& values, std::int32_t batch_axis) {
    const auto axis = static_cast<std::size_t>(batch_axis);
    std::int64_t rows = -1;
    for (const auto& value : values) {
      if (axis >= value->shape().size() || (rows >= 0 && value->shape()[axis] != rows)) {
        detail::misuse(BENTO_INVALID_ARGUMENT, "values without the batch axis, or of other rows");
      }
      rows = value->shape()[axis];
    }
    if (rows < 0) detail::misuse(BENTO_INVALID_ARGUMENT, "a runner call needs an input");
    return static_cast<std::uint32_t>(rows);
  }

  std::vector<Instance> instances_;
};

}  // namespace bento::testing::internal
