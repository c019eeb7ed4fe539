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
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
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

  // Copies of a call's inputs. Throws 500 for those that the method does not take.
  static Values take_inputs(const Method& method, const bento_value* const* in, std::size_t n) {
    const std::size_t wanted = inputs_of(*method.abi);
    if (n != wanted) {
      detail::misuse(BENTO_INVALID_ARGUMENT, method.name + " takes " + std::to_string(wanted) +
                                                 " inputs, got " + std::to_string(n));
    }
    Values inputs;
    for (std::size_t i = 0; i < n; ++i) {
      inputs.push_back(std::make_unique<Value>());
      inputs.back()->copy(*in[i]);
      check_input(inputs.back()->abi(), input_of(*method.abi, i), method.name);
    }
    return inputs;
  }

  // A caller's share of a run.
  struct Call {
    Values inputs, results;
    std::optional<Error> error;
  };
  // One run, for one call or, of a method with lists, for several. Throws the method's own error,
  // or 500 for results that are not as declared.
  static void run(const Method& method, bento_ctx* batch, std::span<Call* const> calls) {
    std::vector<const bento_value*> pointers;
    std::vector<std::uint32_t> rows;
    const bool joins_rows = is_batchable(*method.abi) && !is_list(*method.abi);
    for (const Call* call : calls) {
      rows.push_back(joins_rows ? count_rows(call->inputs, method.abi->axis_in) : 1);
      for (const auto& input : call->inputs) pointers.push_back(&input->abi());
    }
    Sink sink(is_batchable(*method.abi) ? calls.size() : 0);
    bento_error error = detail::make_error();
    check_plugin(method.abi->run(method.self, method.abi, batch, pointers.data(), pointers.size(),
                                 rows.data(), calls.size(), sink.abi(), &error),
                 error);
    for (const auto& [caller, why] : sink.failures()) calls[caller]->error = why;
    Values results = sink.take();
    const std::size_t wanted = outputs_of(*method.abi);
    const std::size_t failed = sink.failures().size();
    if (!is_list(*method.abi)) {
      calls[0]->results = std::move(results);
      if (failed == 0) check_outputs(calls[0]->results, method, joins_rows ? rows[0] : 0);
      return;
    }
    const bool is_full = results.size() == wanted * calls.size();
    if (!is_full && results.size() != wanted * (calls.size() - failed)) {
      throw Error(BENTO_INTERNAL, "runner " + method.name + " returned " +
                                      std::to_string(results.size()) + " values for " +
                                      std::to_string(calls.size()) + " callers");
    }
    auto result = results.begin();
    for (Call* call : calls) {
      if (call->error && !is_full) continue;
      for (std::size_t k = 0; k < wanted; ++k) call->results.push_back(std::move(*result++));
      if (!call->error) check_result(call->results, method);
    }
  }

  // Throws 500 for a result that is not as declared.
  static void check_result(const Values& results, const Method& method) {
    const std::size_t wanted = outputs_of(*method.abi);
    if (results.size() != wanted) {
      throw Error(BENTO_INTERNAL,
                  "runner " + method.name + " returned " +
                      (results.empty() ? "nothing"
                                       : std::to_string(results.size()) + " values, not " +
                                             std::to_string(wanted)));
    }
    for (std::size_t i = 0; i < wanted; ++i) {
      check_output(results[i]->abi(), output_of(*method.abi, i), "runner " + method.name);
    }
  }

  static bool is_batchable(const bento_method& abi) { return (abi.flags & BENTO_BATCHABLE) != 0; }
#if BENTO_ABI_TARGET_MINOR >= 1
  static bool is_list(const bento_method& abi) { return (abi.flags & BENTO_LISTS) != 0; }
  static std::size_t inputs_of(const bento_method& abi) {
    return abi.in != nullptr ? 1 : abi.n_ins;
  }
  static std::size_t outputs_of(const bento_method& abi) {
    return abi.out != nullptr ? 1 : abi.n_outs;
  }
  static const bento_io& input_of(const bento_method& abi, std::size_t i) {
    return abi.in != nullptr ? *abi.in : *abi.ins[i];
  }
  static const bento_io& output_of(const bento_method& abi, std::size_t i) {
    return abi.out != nullptr ? *abi.out : *abi.outs[i];
  }
#else
  static bool is_list(const bento_method&) { return false; }
  static std::size_t inputs_of(const bento_method&) { return 1; }
  static std::size_t outputs_of(const bento_method&) { return 1; }
  static const bento_io& input_of(const bento_method& abi, std::size_t) { return *abi.in; }
  static const bento_io& output_of(const bento_method& abi, std::size_t) { return *abi.out; }
#endif

 private:
  struct Instance {
    const bento_runner* runner;
    void* self;
  };

  static void check_input(const bento_value& value, const bento_io& io, const std::string& method) {
#if BENTO_ABI_TARGET_MINOR >= 1
    if (value.kind == 0 && (io.flags & BENTO_IO_OPTIONAL) != 0) return;
#endif
    const auto fault = difference(value, io);
    if (!fault) return;
    detail::misuse(BENTO_INVALID_ARGUMENT,
                   method + " takes " + fault->first + ", got " + fault->second);
  }
  // `rows`: 0 for any.
  static void check_outputs(const Values& results, const Method& method, std::uint32_t rows) {
    check_result(results, method);
    if (rows == 0) return;
    const std::uint32_t got = count_rows(results, method.abi->axis_out);
    if (got == rows) return;
    throw Error(BENTO_INTERNAL, "runner " + method.name + " returned " + std::to_string(got) +
                                    " rows for " + std::to_string(rows));
  }
  // All values must have the same number of rows.
  static std::uint32_t count_rows(const Values& values, std::int32_t batch_axis) {
    const auto axis = static_cast<std::size_t>(batch_axis);
    std::int64_t rows = -1;
    for (const auto& value : values) {
      if (value->abi().kind == 0) continue;  // left out
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
