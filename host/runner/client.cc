#include "runner/client.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/mutex.h"
#include "plugin/io_check.h"
#include "plugin/ticket.h"

namespace bentohost::runner {
namespace {

constexpr std::size_t kFewInputs = 4;  // up to this many are checked without an allocation

Status invalid(std::string message) { return Status(BENTO_INVALID_ARGUMENT, std::move(message)); }

// A ticket that keeps the results as they arrive, of a stream no more than fit in its window.
class CallTicket final : public plugin::Ticket {
 public:
  CallTicket(plugin::Waiter its_waiter, Pool& pool) : Ticket(std::move(its_waiter)), pool_(pool) {}

  void take(const CallResult& outcome) {
    auto kept = outcome.keep();
    if (!kept.ok()) return end(std::move(kept).take_status());
    const auto result = std::make_shared<const KeptResult>(*std::move(kept));
    if (outcome.more) return add({result->values(), result, outcome.bytes});
    end({}, {result->values(), result});
  }
  // [where it was made] The calls hold the ticket until they are done.
  void set_calls(const std::vector<CallPtr>& calls) { calls_.assign(calls.begin(), calls.end()); }

 private:
  void let_go() override {
    for (const auto& each : calls_) {
      if (const CallPtr call = each.lock()) call->abandoned = true;
    }
  }

  void on_taken(std::size_t bytes) override {
    if (bytes == 0) return;
    if (const CallPtr call = calls_.front().lock()) pool_.give_room(call, {1, bytes});
  }

  Pool& pool_;
  std::vector<std::weak_ptr<Call>> calls_;
};

// Gathers the parts of a call that was split; the last part to arrive joins them. The first error
// completes the call at once; then nobody waits for the other parts.
class Joiner {
 public:
  Joiner(std::size_t parts, std::int32_t axis, Done done)
      : parts_(parts), missing_(parts), axis_(axis), done_(std::move(done)) {}

  // Must be called before the part is submitted.
  void expect(const CallPtr& call) {
    const MutexLock lock(mutex_);
    calls_.push_back(call);
    if (over_) call->abandoned = true;
  }

  void arrived(std::size_t part, const CallResult& outcome) {
    {
      const MutexLock lock(mutex_);
      if (over_) return;
      keep_locked(part, outcome);
      over_ = --missing_ == 0 || !status_.ok();
      if (!over_) return;
      for (const auto& each : calls_) {
        if (const CallPtr call = each.lock()) call->abandoned = true;
      }
    }
    finish();
  }

 private:
  void keep_locked(std::size_t part, const CallResult& outcome) {
    auto kept = outcome.keep();
    if (kept.ok()) {
      parts_[part] = *std::move(kept);
    } else {
      status_ = std::move(kept).take_status();
    }
  }

  void finish() {
    const auto whole = std::make_shared<std::vector<wire::Value>>();
    for (std::size_t i = 0; status_.ok() && i < parts_[0].values().size(); ++i) {
      std::vector<bento_value> column;
      for (const KeptResult& part : parts_) {
        if (i < part.values().size()) column.push_back(part.values()[i]);
      }
      auto joined = wire::concat(column, axis_);
      if (joined.ok()) {
        whole->push_back(*std::move(joined));
      } else {
        status_ = Status(BENTO_INTERNAL, "the parts of the result: " + joined.status().message());
      }
    }
    std::vector<bento_value> views;
    for (const wire::Value& value : *whole) views.push_back(value.view());
    done_({status_,
           status_.ok() ? std::span<const bento_value>(views) : std::span<const bento_value>(),
           nullptr, whole});
  }

  Mutex mutex_;
  bool over_ BENTO_GUARDED_BY(mutex_) = false;
  std::vector<std::weak_ptr<Call>> calls_ BENTO_GUARDED_BY(mutex_);  // weak: calls own the joiner
  std::vector<KeptResult> parts_;  // guarded by mutex_ until over_
  std::size_t missing_ BENTO_GUARDED_BY(mutex_);
  Status status_;  // guarded by mutex_ until over_
  const std::int32_t axis_;
  const Done done_;
};

CallPtr make_call(std::vector<wire::Value> inputs, std::uint32_t rows,
                  const Client::CallLimits& wanted, Done done) {
  auto call = std::make_shared<Call>();
  call->inputs = std::move(inputs);
  call->rows = rows;
  call->wanted_until = call->deadline = wanted.deadline;
  call->cancelled = wanted.cancelled;
  call->request_id = wanted.request_id;
  call->traceparent = wanted.traceparent;
  call->done = std::move(done);
  return call;
}

std::size_t parts_of(std::int64_t rows, const plugin::MethodSpec& method) {
  if (!method.batchable || method.lists || rows <= method.max_batch) return 1;
  return static_cast<std::size_t>((rows - 1) / method.max_batch + 1);
}

Result<std::vector<CallPtr>> submit_split(const Target& target,
                                          const std::vector<wire::Value>& inputs, std::int64_t rows,
                                          const Client::CallLimits& wanted, Done done) {
  const plugin::MethodSpec& method = target.spec();
  const std::int64_t part_rows = method.max_batch;
  const std::size_t parts = parts_of(rows, method);
  const auto joiner = std::make_shared<Joiner>(parts, method.axis_out, std::move(done));
  std::vector<CallPtr> calls;
  for (std::size_t part = 0; part < parts; ++part) {
    const std::int64_t first = static_cast<std::int64_t>(part) * part_rows;
    const std::int64_t count = std::min(part_rows, rows - first);
    std::vector<wire::Value> slices;
    for (const wire::Value& input : inputs) {
      slices.push_back(input.kind == 0 ? input
                                       : wire::slice(input.view(), method.axis_in, first, count));
    }
    calls.push_back(
        make_call(std::move(slices), static_cast<std::uint32_t>(count), wanted,
                  [joiner, part](const CallResult& outcome) { joiner->arrived(part, outcome); }));
    joiner->expect(calls.back());
    Status status = target.pool->submit(target.method, calls.back());
    if (status.ok()) continue;
    // Earlier parts may be running, so this error is reported like theirs, through `done`.
    joiner->arrived(part, {status, {}});
    break;
  }
  return calls;
}

Result<std::int64_t> rows_of_inputs(std::span<const bento_value> inputs,
                                    const plugin::MethodSpec& method) {
  if (!method.batchable || method.lists) return std::int64_t{1};
  std::int64_t rows = -1;
  for (const bento_value& input : inputs) {
    if (input.kind == 0) continue;
    auto extent = wire::rows_of(input, method.axis_in);
    if (!extent.ok()) return extent;
    if (rows >= 0 && *extent != rows) {
      return invalid("the inputs have " + std::to_string(rows) + " and " + std::to_string(*extent) +
                     " rows on the batch axis: they must agree");
    }
    rows = *extent;
  }
  return rows;
}

std::size_t bytes_of(const bento_value& value) {
  if (value.kind == BENTO_TENSOR) {
    // A copy has this size, whatever the strides of the original.
    const auto bytes = wire::tensor_bytes(value.tensor.dtype, wire::shape_of(value.tensor));
    return bytes < 0 ? 0 : static_cast<std::size_t>(bytes);
  }
  return value.bytes.len;
}

std::string name_of(const Target& target) {
  return target.pool->spec().name + "." + target.spec().name;
}

// As they are declared; inputs by name have been put in order.
Status check_inputs(const Target& target, std::span<const bento_value> inputs) {
  const plugin::MethodSpec& method = target.spec();
  if (inputs.empty()) return invalid("a runner call needs an input");
  const bool is_named = plugin::are_named(method.ins);
  if (!is_named && method.lists && inputs.size() != 1) {
    return invalid(name_of(target) + " takes one input, got " + std::to_string(inputs.size()));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const plugin::IoSpec& declared = is_named ? method.ins[i] : method.ins.front();
    if (inputs[i].kind == 0 && declared.is_optional) continue;
    Status status = plugin::check_input(inputs[i], declared, name_of(target));
    if (status.ok()) continue;
    return is_named ? std::move(status).prefixed("input " + declared.name + ": ") : status;
  }
  return {};
}

std::string names_of(const std::vector<plugin::IoSpec>& ins) {
  std::string names;
  for (const plugin::IoSpec& in : ins) names += (names.empty() ? "" : ", ") + in.name;
  return names;
}

// Where each of the inputs goes: places[i] is the one of method.ins that gets inputs[i].
template <typename NameOf>
Result<std::vector<std::size_t>> places_of(const Target& target, std::size_t n, NameOf&& name) {
  const std::vector<plugin::IoSpec>& ins = target.spec().ins;
  std::vector<std::size_t> places(n);
  std::vector<bool> is_taken(ins.size());
  for (std::size_t i = 0; i < n; ++i) {
    const std::string_view wanted = name(i);
    std::size_t place = i;
    if (!wanted.empty()) {
      place = static_cast<std::size_t>(
          std::find_if(ins.begin(), ins.end(),
                       [&](const plugin::IoSpec& in) { return in.name == wanted; }) -
          ins.begin());
    }
    if (place >= ins.size()) {
      return invalid(
          name_of(target) + " has no input " +
          (wanted.empty() ? "number " + std::to_string(i) : "\"" + std::string(wanted) + "\"") +
          "; it takes " + names_of(ins));
    }
    if (is_taken[place])
      return invalid(name_of(target) + " got its input " + ins[place].name + " twice");
    is_taken[place] = true;
    places[i] = place;
  }
  for (std::size_t i = 0; i < ins.size(); ++i) {
    if (is_taken[i] || ins[i].is_optional) continue;
    return invalid(name_of(target) + " needs its input " + ins[i].name);
  }
  return places;
}

// Checks, before anything is copied, that the method takes the inputs and that its queue has room.
// Returns the number of rows.
Result<std::int64_t> admit(const Target& target, std::span<const bento_value> inputs,
                           bool copies_whole) {
  const plugin::MethodSpec& method = target.spec();
  if (Status status = check_inputs(target, inputs); !status.ok()) return status;
  std::size_t bytes = 0;
  for (const bento_value& input : inputs) bytes += bytes_of(input);
  auto rows = rows_of_inputs(inputs, method);
  if (!rows.ok()) return rows;
  const std::size_t parts = parts_of(*rows, method);
  if (parts == 1 && !copies_whole) return rows;  // submit() checks it
  if (Status status = target.pool->room_for(target.method, parts, bytes); !status.ok()) {
    return status;
  }
  return rows;
}

Result<std::vector<CallPtr>> submit_admitted(const Target& target, std::vector<wire::Value> inputs,
                                             std::int64_t rows, const Client::CallLimits& wanted,
                                             Done done) {
  const plugin::MethodSpec& method = target.spec();
  if (method.batchable && rows > method.max_batch) {
    return submit_split(target, inputs, rows, wanted, std::move(done));
  }
  std::vector<CallPtr> calls{
      make_call(std::move(inputs), static_cast<std::uint32_t>(rows), wanted, std::move(done))};
  Status status = target.pool->submit(target.method, calls.front());
  if (!status.ok()) return status;
  return calls;
}

}  // namespace

Result<Target> Client::find(std::string_view runner, std::string_view method) const {
  for (Pool* pool : pools_) {
    if (pool->spec().name != runner) continue;
    const int index = pool->spec().find_method(method);
    if (index >= 0) return Target{pool, static_cast<std::uint32_t>(index)};
    return Status(BENTO_NOT_FOUND, "runner " + std::string(runner) + " has no method \"" +
                                       std::string(method) + "\"");
  }
  return Status(BENTO_NOT_FOUND, "there is no runner \"" + std::string(runner) + "\"");
}

Result<std::vector<CallPtr>> Client::submit(const Target& target, std::vector<wire::Value> inputs,
                                            const CallLimits& wanted, Done done) {
  if (target.spec().streams) {
    return Status(BENTO_UNIMPLEMENTED, target.pool->spec().name + "." + target.spec().name +
                                           " has a stream of results, which can be had in the "
                                           "service's own process alone");
  }
  if (const auto& ins = target.spec().ins; plugin::are_named(ins)) {
    auto places = places_of(target, inputs.size(),
                            [&](std::size_t i) -> std::string_view { return inputs[i].name; });
    if (!places.ok()) return std::move(places).take_status();
    std::vector<wire::Value> placed(ins.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) placed[(*places)[i]] = std::move(inputs[i]);
    for (std::size_t i = 0; i < ins.size(); ++i) placed[i].name = ins[i].name;
    inputs = std::move(placed);
  }
  std::array<bento_value, kFewInputs> few;
  std::vector<bento_value> many;
  std::span<bento_value> views(few.data(), std::min(inputs.size(), kFewInputs));
  if (inputs.size() > kFewInputs) {
    many.resize(inputs.size());
    views = many;
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) views[i] = inputs[i].view();
  auto rows = admit(target, views, false);
  if (!rows.ok()) return std::move(rows).take_status();
  return submit_admitted(target, std::move(inputs), *rows, wanted, std::move(done));
}

Result<plugin::TicketPtr> Client::submit(const Target& target,
                                         std::span<const bento_value* const> inputs,
                                         const CallLimits& wanted,
                                         std::shared_ptr<plugin::AsyncScope> scope) {
  std::vector<bento_value> views;
  const auto& ins = target.spec().ins;
  const bool is_named = plugin::are_named(ins);
  for (const bento_value* input : inputs) {
    const bool is_left_out = is_named && input->kind == 0;
    Status status = is_left_out ? Status() : wire::check_value(*input);
    if (!status.ok()) return status;
    views.push_back(is_left_out ? bento_value{.size = sizeof(bento_value),
                                              .kind = 0,
                                              .name = input->name,
                                              .mime = {},
                                              .bytes = {},
                                              .tensor = {}}
                                : *input);
  }
  if (is_named) {
    auto places =
        places_of(target, views.size(), [&](std::size_t i) { return to_view(views[i].name); });
    if (!places.ok()) return std::move(places).take_status();
    std::vector<bento_value> placed(ins.size());
    for (std::size_t i = 0; i < views.size(); ++i) placed[(*places)[i]] = views[i];
    for (std::size_t i = 0; i < ins.size(); ++i) placed[i].name = to_bento(ins[i].name);
    views = std::move(placed);
  }
  auto rows = admit(target, views, true);
  if (!rows.ok()) return std::move(rows).take_status();
  std::vector<wire::Value> copies;
  for (const bento_value& view : views) {
    if (view.kind == 0) {
      copies.emplace_back().name = to_view(view.name);
      continue;
    }
    auto copy = wire::Value::copy(view);
    if (!copy.ok()) return std::move(copy).take_status();
    copies.push_back(*std::move(copy));
  }
  // A thread needs no limits of its own: the pool ends the call.
  const auto ticket =
      std::make_shared<CallTicket>(plugin::Waiter{std::move(scope), kNoDeadline, {}}, *target.pool);
  auto calls = submit_admitted(target, std::move(copies), *rows, wanted,
                               [ticket](const CallResult& outcome) { ticket->take(outcome); });
  if (!calls.ok()) return std::move(calls).take_status();
  ticket->set_calls(*calls);
  return ticket->hand_out();
}

Status Client::readiness() const {
  std::string reasons;
  for (const Pool* pool : pools_) {
    if (Status status = pool->readiness(); !status.ok()) {
      reasons += (reasons.empty() ? "" : "; ") + status.message();
    }
  }
  return reasons.empty() ? Status() : Status(BENTO_UNAVAILABLE, std::move(reasons));
}

}  // namespace bentohost::runner
