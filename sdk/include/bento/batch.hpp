// BatchContext: one run of a runner's method, and whose calls it is made of. Batch: the inputs of
// its callers side by side, for methods that take values of any kind and shape. Part of
// <bento/bento.hpp>.
//
//   std::vector<Embedding> embed(bento::Batch<std::string_view> texts) {
//     for (auto i : bento::rows(texts)) {
//       if (texts[i].size() > 8192) texts.fail(i, BENTO_INVALID_ARGUMENT, "too long");
//     }
//     return model.encode(texts);  // as many results, in the order of the texts
//   }
//
//   bento::Tensor<double> predict(bento::BatchContext& batch, bento::TensorView<double> x) {
//     for (auto i : bento::rows(x)) {
//       if (is_broken(x.row(i))) batch.fail(batch.caller_of(i), BENTO_INVALID_ARGUMENT, "broken");
//     }
//     ...
//   }
//
// Both are the host's, and valid until the method returns. One thread at a time.
#pragma once

#include <bento/abi.h>

#include <bento/context.hpp>
#include <bento/error.hpp>
#include <bento/tensor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace bento {

#if BENTO_ABI_TARGET_MINOR >= 1

// Who waits for a result. The texts are valid until the method returns, or the Work is finished.
struct Caller {
  std::string_view request_id;
  std::string_view traceparent;  // W3C's; empty: the request had none
  std::optional<std::chrono::steady_clock::time_point> deadline = {};
  bool cancelled = false;  // it does not wait any more, as of the call that returned this
};

namespace detail {

// Of a host that does not tell (ABI 1.0), or where there is no such caller: one without an id.
inline Caller caller_at(const bento_host* host, bento_ctx* ctx, std::size_t i) {
  const bento_caller* abi = BENTO_HAS(host, caller) ? host->caller(ctx, i) : nullptr;
  if (abi == nullptr) return {};
  Caller caller{view(abi->request_id), view(abi->traceparent), {}, abi->cancelled != 0};
  if (abi->deadline_ns != 0) {
    caller.deadline.emplace(std::chrono::nanoseconds(abi->deadline_ns));
  }
  return caller;
}

}  // namespace detail

// What a method may take as its first argument. Callers are counted from 0.
class BatchContext {
 public:
  BatchContext(const bento_host* host, bento_ctx* ctx, std::span<const std::uint32_t> rows,
               bento_sink* sink)
      : host_(host), ctx_(ctx), rows_(rows), sink_(sink) {}
  BatchContext(const BatchContext&) = delete;
  BatchContext& operator=(const BatchContext&) = delete;

  // How many calls are joined in this run: 1 in a method that is not batchable.
  std::size_t callers() const { return rows_.size(); }
  Caller caller(std::size_t i) const { return detail::caller_at(host_, ctx_, i); }
  // The number of rows of caller i; and the caller whose row it is.
  std::size_t rows_of(std::size_t i) const { return rows_[i]; }
  std::size_t caller_of(std::size_t row) const {
    std::size_t i = 0;
    for (; i + 1 < rows_.size() && row >= rows_[i]; ++i) row -= rows_[i];
    return i;
  }
  // Caller i alone is answered with this error, whatever the result has in the place of its rows.
  // Only in a batchable method; in others a throw does the same. Throws Error, 500, there, and for
  // a caller that the batch does not have.
  void fail(std::size_t i, const Error& why) {
    if (!BENTO_HAS(sink_, fail)) throw why;  // the host has ABI 1.0
    bento_error reason = detail::make_error();
    (void)detail::fail(&reason, why.code(), why.http_status(), why.what());
    bento_error error = detail::make_error();
    detail::check(sink_->fail(sink_, i, &reason, &error), error);
  }
  void fail(std::size_t i, bento_code code, const std::string& message) {
    fail(i, Error(code, message));
  }
  // Whether nobody waits for any of it any more: return soon, with whatever. Cheap.
  bool cancelled() const { return host_->cancelled(ctx_) != 0; }
  void log(Log level, std::string_view message) const {
    host_->log(host_, ctx_, static_cast<std::int32_t>(level), detail::str(message), {});
  }

 private:
  const bento_host* host_;
  bento_ctx* ctx_;
  std::span<const std::uint32_t> rows_;
  bento_sink* sink_;
};

// The inputs of a run, an element for each caller. Cheap to copy. An input that cannot be read, a
// JSON that does not fit its struct, say, has failed already and is not in it.
template <typename In>
class Batch {
 public:
  using value_type = In;

  // For the SDK. All three outlive it; callers[i] is whose element i is.
  Batch(BatchContext& context, std::span<const In> inputs, std::vector<std::size_t>& callers,
        std::vector<bool>& failed)
      : context_(&context), inputs_(inputs), callers_(&callers), failed_(&failed) {}

  std::size_t size() const { return inputs_.size(); }
  bool empty() const { return inputs_.empty(); }
  const In& operator[](std::size_t i) const { return inputs_[i]; }
  auto begin() const { return inputs_.begin(); }
  auto end() const { return inputs_.end(); }
  operator std::span<const In>() const { return inputs_; }  // NOLINT(google-explicit-constructor)

  // The caller of element i alone is answered with this error. The method returns something in its
  // place all the same, which nobody sees.
  void fail(std::size_t i, const Error& why) const {
    if (i >= size()) {
      detail::misuse(BENTO_INVALID_ARGUMENT,
                     "fail(" + std::to_string(i) + ") in a batch of " + std::to_string(size()));
    }
    context_->fail((*callers_)[i], why);
    (*failed_)[(*callers_)[i]] = true;
  }
  void fail(std::size_t i, bento_code code, const std::string& message) const {
    fail(i, Error(code, message));
  }
  Caller caller(std::size_t i) const { return context_->caller((*callers_)[i]); }
  bool cancelled() const { return context_->cancelled(); }
  void log(Log level, std::string_view message) const { context_->log(level, message); }

 private:
  BatchContext* context_;
  std::span<const In> inputs_;
  const std::vector<std::size_t>* callers_;
  std::vector<bool>* failed_;
};

template <typename In>
RowRange rows(const Batch<In>& batch) {
  return RowRange(batch.size());
}

#else

template <typename In>
class Batch {
  static_assert(!std::is_same_v<In, In>,
                "bento::Batch: lists need BENTO_ABI_TARGET_MINOR 1, and a host of ABI 1.1");
};

#endif

}  // namespace bento
