// MethodRecord, RunnerRecord: a runner and its methods as declared by Service::runner(). Instance:
// a runner in its worker. Part of <bento/bento.hpp>; see <bento/runner.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/context.hpp>
#include <bento/detail/pack.hpp>
#include <bento/error.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace bento::detail {

struct MethodRecord {
  explicit MethodRecord(std::string_view method) : name(method) {
    abi.size = sizeof abi;
    abi.name = str(name);
  }
  MethodRecord(const MethodRecord&) = delete;

  void describe_io() {
    abi.in = in.single();
    abi.out = out.single();
#if BENTO_ABI_TARGET_MINOR >= 1
    abi.ins = in.named();
    abi.n_ins = in.named_size();
    abi.outs = out.named();
    abi.n_outs = out.named_size();
#endif
  }

  std::string name;
  IoList in, out;
#if BENTO_ABI_TARGET_MINOR >= 1
  bento_engine engine{};
#endif
  bento_method abi{};
};

struct RunnerRecord {
  explicit RunnerRecord(std::string_view runner) : name(runner) {
    abi.size = sizeof abi;
    abi.name = str(name);
    abi.resources = str("cpu");
  }
  RunnerRecord(const RunnerRecord&) = delete;

  MethodRecord& add(std::string_view method) {
    methods.emplace_back(method);
    pointers.push_back(&methods.back().abi);
    abi.methods = pointers.data();
    abi.n_methods = pointers.size();
    return methods.back();
  }

  std::string name;
  std::deque<MethodRecord> methods;  // a deque: handles point into it
  std::vector<const bento_method*> pointers;
  bento_runner abi{};
};

// A Work that begin was lent, until the host has no more use for it.
struct LentWork {
  LentWork() = default;
  LentWork(const LentWork&) = delete;
  virtual ~LentWork() = default;
  virtual bool is_gone() const = 0;
};

// An instance of a runner's class, after the context that it was made from and may refer to, and
// before the calls under way, whose states may refer to it.
template <typename Model>
struct Instance {
  Instance(const bento_host* host, std::uint32_t worker)
      : context(host, worker), model(make(context)) {}

  static Model make(const RunnerContext& context) {
    if constexpr (std::is_constructible_v<Model, const RunnerContext&>) {
      return Model(context);
    } else {
      return Model();
    }
  }
  void sweep() {
    std::erase_if(works, [](const auto& work) { return work->is_gone(); });
  }

  RunnerContext context;
  Model model;
  std::vector<std::unique_ptr<LentWork>> works;
};

}  // namespace bento::detail
