#include "service/endpoint.h"

#include <utility>

#include "runner/output_sink.h"
#include "service/buffered_channel.h"

namespace bentohost::service {
namespace {

bento_error empty_error() {
  bento_error error{};
  error.size = sizeof error;
  return error;
}

void answer_with(RequestContext& request, std::span<const bento_value> values,
                 const plugin::IoSpec& out) {
  auto response = encode(values, out);
  if (!response.ok()) return request.fail(response.status());
  request.answer(*std::move(response));
}

}  // namespace

Endpoint::Endpoint(const LiveService& service, const plugin::ApiSpec& api)
    : service_(service), api_(api), decoder_(api.in) {
  if (api.form != plugin::ApiSpec::Form::kDirect) return;
  // describe() has checked that there is such a method.
  target_ = *service.runners().find(api.runner, api.method);
}

void Endpoint::call(const RequestPtr& request) const {
  switch (api_.form) {
    case plugin::ApiSpec::Form::kDirect:
      return call_direct(request);
    case plugin::ApiSpec::Form::kInvoke:
      return call_invoke(*request);
    case plugin::ApiSpec::Form::kRaw:
      return call_raw(*request);
  }
}

void Endpoint::call_direct(const RequestPtr& request) const {
  auto value = decoder_.decode(request->request());
  if (!value.ok()) return request->fail(value.status());
  std::vector<wire::Value> inputs;
  inputs.push_back(*std::move(value));
  auto calls = runner::Client::submit(target_, std::move(inputs), request->deadline(),
                                      [this, request](const runner::Outcome& outcome) {
                                        if (!outcome.status.ok())
                                          return request->fail(outcome.status);
                                        answer_with(*request, outcome.values, api_.out);
                                      });
  if (!calls.ok()) request->fail(calls.status());
}

void Endpoint::call_invoke(RequestContext& request) const {
  auto value = decoder_.decode(request.request());
  if (!value.ok()) return request.fail(value.status());
  const bento_value view = (*value).view();
  const bento_value* const inputs[] = {&view};
  runner::OutputSink sink;
  bento_error error = empty_error();
  const bento_code code = api_.abi->invoke(service_.instance().self(), api_.abi, &request, inputs,
                                           1, sink.get(), &error);
  if (code != BENTO_OK) return request.fail(Status::from_plugin(code, error));
  answer_with(request, sink.views(), api_.out);
}

void Endpoint::call_raw(RequestContext& request) const {
  BufferedChannel channel(request.request());
  const bento_call call{sizeof call, 0, &request, request.scope(), channel.get()};
  bento_error error = empty_error();
  const bento_code code = api_.abi->raw(service_.instance().self(), api_.abi, &call, &error);
  if (code != BENTO_OK) return request.fail(Status::from_plugin(code, error));
  auto response = channel.take_response();
  if (!response.ok()) {
    return request.fail(
        Status(BENTO_INTERNAL, "api " + api_.name + ": " + response.status().message()));
  }
  request.answer(*std::move(response));
}

}  // namespace bentohost::service
