// Work: a call of a streaming runner method, in its worker. Emit: the same for a method that
// computes one call at a time. Part of <bento/bento.hpp>; see <bento/runner.hpp>.
//
//   struct Llm {
//     void generate(Prompt prompt, bento::Emit<Token>& emit) {  // runner.stream<&Llm::generate>
//       while (auto token = model.next(prompt)) emit(*token);
//     }
//   };
//
//   struct BatchedLlm {                                         // runner.engine<&begin, &step>
//     void begin(bento::Work<Prompt, Token>& work) { work.state<Slot>(cache, work.input()); }
//     void step(std::span<bento::Work<Prompt, Token>*> works) {
//       for (auto [work, token] : model.decode(works)) {
//         work->emit(token);
//         if (token.is_last || work->cancelled()) work->finish();
//       }
//     }
//   };
#pragma once

#include <bento/abi.h>

#include <atomic>
#include <bento/batch.hpp>
#include <bento/context.hpp>
#include <bento/detail/pack.hpp>
#include <bento/error.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace bento {

#if BENTO_ABI_TARGET_MINOR >= 1

namespace detail {

// A call under way, for those that share it: the author's Work, and the SDK while begin runs.
struct WorkRecord {
  enum State { kBeginning, kBegan, kDropped, kOver };

  WorkRecord(bento_work* work, const bento_host* h, bool lent)
      : abi(work), host(h), is_lent(lent) {}
  WorkRecord(const WorkRecord&) = delete;
  WorkRecord& operator=(const WorkRecord&) = delete;
  ~WorkRecord() { clear_state(); }

  bool is_over() const { return state.load() == kOver; }
  // The host will not use the work any more.
  bool is_gone() const { return has_gone.load(); }
  bool change(State from, State to) { return state.compare_exchange_strong(from, to); }
  void clear_state() {
    if (destroy != nullptr) destroy(std::exchange(plugin_state, nullptr));
    destroy = nullptr;
    state_type = nullptr;
  }

  bento_work* const abi;  // gone when it is over
  const bento_host* const host;
  const bool is_lent;  // the SDK keeps it, and the author has a reference
  std::atomic<State> state{kBeginning};
  std::atomic<bool> has_gone = false;
  std::optional<Error> failure;  // of emit: how it is going to end
  void* plugin_state = nullptr;
  void (*destroy)(void*) = nullptr;
  const std::type_info* state_type = nullptr;
};

}  // namespace detail

// One call. begin(Work&) is lent it, until it is finished; begin(Work) owns it, and may keep it,
// move it to another thread, and finish it there. An owned Work that is destroyed unfinished ends
// its call with an error, 500.
//
// One thread at a time, whichever.
template <typename In, typename Out>
class Work {
 public:
  using Input = In;
  using Output = Out;

  explicit Work(std::shared_ptr<detail::WorkRecord> record) : record_(std::move(record)) {}
  // Throws Error, 500, for a Work that was lent.
  Work(Work&& other) : record_(other.release()) {}
  Work& operator=(Work&& other) {
    if (this != &other) {
      std::shared_ptr<detail::WorkRecord> record = other.release();
      drop();
      record_ = std::move(record);
    }
    return *this;
  }
  ~Work() { drop(); }

  // What the call was made with. A view in it is valid until the Work is finished. Throws Error,
  // which is the client's, for a struct of <bento/fields.hpp> that it does not fit.
  In input() const {
    expect_running();
    return detail::Pack<In>::get(record_->abi->in);
  }

  // One result; more may follow. It is copied. While the caller has not taken the earlier ones it
  // waits for room, but in a step: a Work without room is left out of the next steps. False: go on
  // no further, and finish() soon: nobody waits any more; or the result does not fit what the
  // method is described to return, and finish() is going to say so.
  bool emit(const Out& result) {
    if (record_ == nullptr || record_->is_over() || record_->failure) return false;
    bento_error error = detail::make_error();
    bento_code code = detail::guard(&error, [&] { detail::put_pack(record_->abi->sink, result); });
    if (code == BENTO_OK) code = record_->abi->emit(record_->abi, &error);
    if (code == BENTO_OK) return true;
    if (code != BENTO_CANCELLED) record_->failure.emplace(code, error.message, error.http_status);
    return false;
  }
  // The end, once; later ones do nothing. After it input() and emit() are of no use.
  void finish() {
    if (record_ != nullptr && record_->failure) return fail(*record_->failure);
    end(BENTO_OK, nullptr);
  }
  // The end with a last result.
  void finish(const Out& last) {
    if (record_ != nullptr && !record_->is_over() && !record_->failure) {
      bento_error error = detail::make_error();
      const bento_code code =
          detail::guard(&error, [&] { detail::put_pack(record_->abi->sink, last); });
      if (code != BENTO_OK) return end(code, &error);
    }
    finish();
  }
  // The end with an error: what its caller is answered, or throws.
  void fail(const Error& why) {
    bento_error error = detail::make_error();
    end(detail::fail(&error, why.code(), why.http_status(), why.what()), &error);
  }
  void fail(bento_code code, const std::string& message) { fail(Error(code, message)); }

  // Whether nobody waits any more: finish soon. Also when it is finished.
  bool cancelled() const {
    return record_ == nullptr || record_->is_over() ||
           record_->host->cancelled(record_->abi->ctx) != 0;
  }

  // The author's own data of this call: state<Slot>(arguments...) makes it, state<Slot>() is the
  // one that was made. It is destroyed after the begin or step in which the Work was finished, or
  // with a Work that is owned. Throws Error, 500, where there is none of that type.
  template <typename T, typename... Args>
  T& state(Args&&... args) {
    if (record_ == nullptr) detail::misuse(BENTO_FAILED_PRECONDITION, "the Work was moved away");
    if constexpr (sizeof...(Args) > 0) {
      record_->clear_state();
      record_->plugin_state = new T{std::forward<Args>(args)...};
      record_->destroy = [](void* state) { delete static_cast<T*>(state); };
      record_->state_type = &typeid(T);
    } else if (record_->state_type == nullptr || *record_->state_type != typeid(T)) {
      detail::misuse(BENTO_FAILED_PRECONDITION, "the Work has no state of this type");
    }
    return *static_cast<T*>(record_->plugin_state);
  }

  // Whose call it is, until it is finished.
  Caller caller() const {
    if (record_ == nullptr || record_->is_over()) return {};
    return detail::caller_at(record_->host, record_->abi->ctx, 0);
  }
  std::string_view request_id() const { return caller().request_id; }
  void log(Log level, std::string_view message) const {
    if (record_ == nullptr) return;
    bento_ctx* const ctx = record_->is_over() ? nullptr : record_->abi->ctx;
    record_->host->log(record_->host, ctx, static_cast<std::int32_t>(level), detail::str(message),
                       {});
  }

 private:
  std::shared_ptr<detail::WorkRecord> release() {
    if (record_ != nullptr && record_->is_lent) {
      detail::misuse(BENTO_FAILED_PRECONDITION,
                     "this Work is lent: to keep it, begin takes a bento::Work by value");
    }
    return std::move(record_);
  }
  void expect_running() const {
    if (record_ == nullptr || record_->is_over()) {
      detail::misuse(BENTO_FAILED_PRECONDITION, "the Work is finished");
    }
  }
  void end(bento_code code, const bento_error* error) {
    const std::shared_ptr<detail::WorkRecord> record =
        record_;  // this may be gone before we return
    if (record == nullptr ||
        record->state.exchange(detail::WorkRecord::kOver) == detail::WorkRecord::kOver) {
      return;
    }
    record->abi->finish(record->abi, code, error);
    record->has_gone = true;
  }
  void drop() {
    using State = detail::WorkRecord::State;
    if (record_ == nullptr || record_->is_lent) return;
    // While begin runs, its end is the SDK's.
    if (!record_->change(State::kBeginning, State::kDropped)) {
      fail(BENTO_INTERNAL, "the engine has dropped the call without finishing it");
    }
    record_.reset();
  }

  std::shared_ptr<detail::WorkRecord> record_;
};

// Where a streaming method puts its results. Valid until the method returns; one thread at a time.
template <typename Out>
class Emit {
 public:
  // For the SDK.
  Emit(const bento_host* host, bento_work* work) : host_(host), work_(work) {}
  Emit(const Emit&) = delete;
  Emit& operator=(const Emit&) = delete;

  // The next result, which is copied. Waits for room while the caller has not taken the earlier
  // ones. Throws Error: CANCELLED when nobody waits any more, which is no failure of the method's;
  // 500 for a result that the method is not described to return.
  void operator()(const Out& result) {
    detail::put_pack(work_->sink, result);
    bento_error error = detail::make_error();
    detail::check(work_->emit(work_, &error), error);
  }
  // For a method that computes long before its next result.
  bool cancelled() const { return host_->cancelled(work_->ctx) != 0; }
  Caller caller() const { return detail::caller_at(host_, work_->ctx, 0); }
  std::string_view request_id() const { return caller().request_id; }
  void log(Log level, std::string_view message) const {
    host_->log(host_, work_->ctx, static_cast<std::int32_t>(level), detail::str(message), {});
  }

 private:
  const bento_host* host_;
  bento_work* work_;
};

#else

template <typename In, typename Out>
class Work {
  static_assert(!std::is_same_v<In, In>,
                "bento::Work: engines need BENTO_ABI_TARGET_MINOR 1, and a host of ABI 1.1");
};
template <typename Out>
class Emit {
  static_assert(!std::is_same_v<Out, Out>,
                "bento::Emit: streaming methods need BENTO_ABI_TARGET_MINOR 1, and a host of ABI "
                "1.1");
};

#endif

}  // namespace bento
