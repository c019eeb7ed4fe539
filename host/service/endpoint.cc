#include "service/endpoint.h"

#include <utility>

#include "codec/members.h"
#include "plugin/io_description.h"
#include "runner/output_sink.h"
#include "service/channel.h"
#include "service/input_views.h"
#include "service/work.h"

namespace bentohost::service {
std::size_t size_of(std::span<const bento_value> values) {
  std::size_t size = 0;
  for (const bento_value& value : values) size += value.bytes.len + value.tensor.data.len;
  return size;
}

Endpoint::Endpoint(const LiveService& service, const plugin::ApiSpec& api)
    : service_(service),
      api_(api),
      who_("api " + api.name),
      has_names_(plugin::are_named(api.ins)),
      decoder_(api.ins.front()),
      stalls_(service.spec().name, api.name) {
  if (api.form != plugin::ApiSpec::Form::kDirect) return;
  // The method's own description: its worker has checked it.
  is_checked_ = !plugin::outputs_of(*api.abi).are_given();
  // describe() has checked that the method exists.
  target_ = *service.runners().find(api.runner, api.method);
}

http::BodyPlan Endpoint::plan() const {
  return {api_.max_body, api_.form == plugin::ApiSpec::Form::kRaw};
}

void Endpoint::call(const RequestPtr& request, RequestDeps& deps) const {
  switch (api_.form) {
    case plugin::ApiSpec::Form::kDirect: {
      if (api_.stream != 0) return call_stream(request, deps);
      if (request->is_on_thread()) {
        return guard(request, [this, &request] { call_and_wait(*request); });
      }
      const bool is_large = request->request().body.size() > kMaxOnLoop;
      if (!is_large) return call_direct(request, deps);
      return run_for(request, deps, [this, request, &deps] { call_direct(request, deps); });
    }
    case plugin::ApiSpec::Form::kInvoke:
      if (api_.is_async) return call_invoke_async(request, deps);
      if (api_.is_quick && request->request().body.size() <= kMaxOnLoop) {
        request->forbid_calls();
        const LoopStalls::Call watched(request->is_on_thread() ? nullptr : &stalls_, deps);
        return guard(request, [this, &request] { call_invoke(*request); });
      }
      return run_for(request, deps, [this, request] { call_invoke(*request); });
    case plugin::ApiSpec::Form::kRaw:
      if (api_.is_async) return call_raw_async(request, deps);
      return run_for(request, deps, [this, request] { call_raw(*request); });
  }
}

// As many as the API declares.
Result<std::vector<wire::Value>> Endpoint::decode_inputs(const http::Request& request) const {
  if (has_names_) return decode_members(request.body, api_.ins);
  auto value = decoder_.decode(request);
  if (!value.ok()) return std::move(value).take_status();
  std::vector<wire::Value> inputs;
  inputs.push_back(*std::move(value));
  return inputs;
}

void Endpoint::call_direct(const RequestPtr& request, RequestDeps& deps) const {
  auto inputs = decode_inputs(request->request());
  if (!inputs.ok()) return request->fail(inputs.status());
  auto calls = runner::Client::submit(target_, *std::move(inputs), request->wanted(),
                                      [this, request, &deps](const runner::CallResult& outcome) {
                                        answer_call(request, outcome, deps);
                                      });
  if (!calls.ok()) request->fail(calls.status());
}

void Endpoint::answer_call(const RequestPtr& request, const runner::CallResult& outcome,
                           RequestDeps& deps) const {
  if (!outcome.status.ok()) return request->fail(outcome.status);
  guard(request, [&] {
    if (size_of(outcome.values) > kMaxOnLoop) {
      return answer_on_thread(request, outcome, deps);
    }
    answer_with(*request, outcome.values);
  });
}

void Endpoint::answer_with(RequestContext& request, std::span<const bento_value> values) const {
  auto response = plugin::are_named(api_.outs)
                      ? encode_members(values, api_.outs, who_, is_checked_)
                      : encode(values, api_.outs.front(), who_, is_checked_);
  if (!response.ok()) return request.fail(response.status());
  request.answer(*std::move(response));
}

// The same on a thread.
void Endpoint::answer_on_thread(const RequestPtr& request, const runner::CallResult& outcome,
                                RequestDeps& deps) const {
  auto kept = outcome.keep();
  if (!kept.ok()) return request->fail(kept.status());
  run_for(request, deps,
          [this, request, kept = std::make_shared<runner::KeptResult>(*std::move(kept))] {
            answer_with(*request, kept->values());
          });
}

// call_direct() for a request that already has a thread: it decodes and encodes on that thread, as
// queueing a job could deadlock when all threads wait.
void Endpoint::call_and_wait(RequestContext& request) const {
  auto values = decode_inputs(request.request());
  if (!values.ok()) return request.fail(values.status());
  const InputViews inputs(*values);
  auto ticket = runner::Client::submit(target_, inputs.pointers(), request.wanted());
  if (!ticket.ok()) return request.fail(ticket.status());
  const auto results = (*ticket)->wait();
  if (!results.ok()) return request.fail(results.status());
  std::vector<bento_value> views;
  for (const bento_value* result : *results) views.push_back(*result);
  answer_with(request, views);
}

void Endpoint::call_invoke(RequestContext& request) const {
  auto values = decode_inputs(request.request());
  if (!values.ok()) return request.fail(values.status());
  const InputViews inputs(*values);
  runner::OutputSink sink;
  const Status status = call_plugin(request.note(who_), [&](bento_error* error) {
    return api_.abi->invoke(service_.instance().self(), api_.abi, &request,
                            inputs.pointers().data(), inputs.pointers().size(), sink.get(), error);
  });
  if (!status.ok()) return request.fail(status);
  answer_with(request, sink.views());
}

void Endpoint::call_raw(RequestContext& request) const {
  answer_through_channel(request, "the handler", who_,
                         [&](const bento_call& call, bento_error* error) {
                           return api_.abi->raw(service_.instance().self(), api_.abi, &call, error);
                         });
}

}  // namespace bentohost::service
