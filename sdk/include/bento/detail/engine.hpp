// The functions of the ABI for a runner method whose calls come and go one by one. Part of
// <bento/bento.hpp>; see <bento/work.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/detail/method_record.hpp>
#include <bento/detail/pack.hpp>
#include <bento/detail/signature.hpp>
#include <bento/error.hpp>
#include <bento/work.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#if BENTO_ABI_TARGET_MINOR >= 1
namespace bento::detail {

template <typename T>
inline constexpr bool kIsWork = false;
template <typename In, typename Out>
inline constexpr bool kIsWork<Work<In, Out>> = true;

template <typename W>
class Lent final : public LentWork {
 public:
  Lent(bento_work* abi, const bento_host* host)
      : record_(std::make_shared<WorkRecord>(abi, host, true)), work(record_) {}
  bool is_gone() const override { return record_->is_gone(); }
  bool is_over() const { return record_->is_over(); }
  // The host has ended it, unless the author has: nothing is to be finished.
  void give_up() {
    if (record_->state.exchange(WorkRecord::kOver) != WorkRecord::kOver) record_->has_gone = true;
  }

 private:
  std::shared_ptr<WorkRecord> record_;

 public:
  W work;
};

// Begin, Step and Cancel are member functions of Model; the last two may be null.
template <typename Model, auto Begin, auto Step, auto Cancel>
class Engine {
  using BeginSignature = Signature<decltype(Begin)>;

 public:
  using W = typename BeginSignature::Last;
  static constexpr bool kHasStep = !std::is_null_pointer_v<decltype(Step)>;
  static constexpr bool kHasCancel = !std::is_null_pointer_v<decltype(Cancel)>;
  static constexpr bool kIsOwned = !std::is_reference_v<typename BeginSignature::LastAsked>;

  static_assert(kIsWork<W> && BeginSignature::kCount == 1,
                "an engine's begin takes a bento::Work<In, Out>& or, to keep it, a "
                "bento::Work<In, Out>");
  static_assert(!kIsOwned || (!kHasStep && !kHasCancel),
                "a begin that takes its Work by value owns it: it needs neither step nor cancel. "
                "With these it takes a bento::Work<In, Out>&");
  static_assert(!kHasCancel || kHasStep,
                "a begin without step has ended when it returns: nothing would be cancelled");

  static bento_engine abi() {
    bento_engine engine{sizeof(bento_engine), 0, &begin, nullptr, nullptr};
    if constexpr (kHasStep) engine.step = &step;
    if constexpr (kHasCancel) engine.cancel = &cancel;
    return engine;
  }

 private:
  using Instance = detail::Instance<Model>;
  using Lent = detail::Lent<W>;

  static bento_code begin(void* self, const bento_method*, bento_work* abi, bento_error* error) {
    Instance& instance = *static_cast<Instance*>(self);
    instance.sweep();
    if constexpr (kIsOwned) {
      return begin_owned(instance, abi, error);
    } else {
      return begin_lent(instance, abi, error);
    }
  }

  static bento_code begin_lent(Instance& instance, bento_work* abi, bento_error* error) {
    std::unique_ptr<Lent> lent;
    const bento_code code = guard(error, [&] {
      lent = std::make_unique<Lent>(abi, instance.context.host());
      abi->state = lent.get();
      (instance.model.*Begin)(lent->work);
      if constexpr (!kHasStep) {
        lent->work.finish();
      } else {
        instance.works.push_back(std::move(lent));
      }
    });
    if (code == BENTO_OK || lent == nullptr) {
      instance.sweep();
      return code;
    }
    if (lent->is_over()) {
      tell(instance, "after the end of its call: ", *error);
      return BENTO_OK;
    }
    lent->give_up();
    return code;
  }

  static bento_code begin_owned(Instance& instance, bento_work* abi, bento_error* error) {
    using State = WorkRecord::State;
    std::shared_ptr<WorkRecord> record;
    const bento_code code = guard(error, [&] {
      record = std::make_shared<WorkRecord>(abi, instance.context.host(), false);
      (instance.model.*Begin)(W(record));
    });
    if (record == nullptr) return code;
    if (record->change(State::kBeginning, State::kBegan) || record->is_over()) {
      if (code != BENTO_OK) tell(instance, "after the end of its call: ", *error);
      return BENTO_OK;  // somebody has it, or has finished it
    }
    record->state.store(State::kOver);
    if (code != BENTO_OK) return code;
    return fail(error, BENTO_INTERNAL, 0, "the engine has dropped the call without finishing it");
  }

  static bento_code step(void* self, const bento_method*, bento_work* const* abi, std::size_t n,
                         bento_error* error) {
    Instance& instance = *static_cast<Instance*>(self);
    std::vector<Lent*> lent;
    const bento_code code = guard(error, [&] {
      std::vector<W*> works;
      for (std::size_t i = 0; i < n; ++i) {
        lent.push_back(static_cast<Lent*>(abi[i]->state));
        works.push_back(&lent.back()->work);
      }
      (instance.model.*Step)(works);
    });
    if (code != BENTO_OK) {
      for (Lent* work : lent) work->give_up();
    }
    instance.sweep();
    return code;
  }

  static void cancel(void* self, const bento_method*, bento_work* abi) {
    Instance& instance = *static_cast<Instance*>(self);
    bento_error error = make_error();
    const bento_code code =
        guard(&error, [&] { (instance.model.*Cancel)(static_cast<Lent*>(abi->state)->work); });
    if (code != BENTO_OK) tell(instance, "cancel: ", error);
    instance.sweep();
  }

  static void tell(const Instance& instance, const std::string& when, const bento_error& error) {
    instance.context.log(Log::kError, when + error.message);
  }
};

// A method that emits its results and returns: one call at a time.
template <typename Model, typename In, typename Out, typename F>
class StreamEngine {
 public:
  static bento_engine abi() { return {sizeof(bento_engine), 0, &begin, nullptr, nullptr}; }

 private:
  static bento_code begin(void* self, const bento_method*, bento_work* work, bento_error* error) {
    auto& instance = *static_cast<Instance<Model>*>(self);
    const bento_code code = guard(error, [&] {
      Emit<Out> emit(instance.context.host(), work);
      F{}(instance.model, Pack<In>::get(work->in), emit);
    });
    if (code == BENTO_OK) work->finish(work, BENTO_OK, nullptr);
    return code;
  }
};

}  // namespace bento::detail
#endif
