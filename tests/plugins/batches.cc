// Batches of all sorts, written on abi.h alone: several inputs and outputs by name, optional ones,
// lists of JSON, text, bytes and ragged tensors, callers that fail by themselves, waiting for a
// fuller batch, and what a runner learns of its callers.
#include <bento/abi.h>

#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr bento_str text(std::string_view s) { return {s.data(), s.size()}; }
std::string_view view(bento_str s) {
  return s.ptr == nullptr ? std::string_view() : std::string_view(s.ptr, s.len);
}
std::string_view bytes_of(const bento_value& value) {
  return {static_cast<const char*>(value.bytes.ptr), value.bytes.len};
}

bento_code error_of(bento_error* error, bento_code code, std::uint32_t http, std::string_view why) {
  error->code = code;
  error->http_status = http;
  const std::size_t n = why.copy(error->message, sizeof error->message - 1);
  error->message[n] = 0;
  return code;
}

bento_code fail(bento_sink* sink, std::size_t caller, std::uint32_t http, std::string_view why,
                bento_error* error) {
  bento_error reason{};
  reason.size = sizeof reason;
  error_of(&reason, BENTO_INVALID_ARGUMENT, http, why);
  return sink->fail(sink, caller, &reason, error);
}

bento_code put(bento_sink* sink, std::uint32_t kind, std::string_view bytes, std::string_view mime,
               bento_error* error) {
  bento_value value{};
  value.size = sizeof value;
  value.kind = kind;
  value.mime = text(mime);
  value.bytes = {bytes.data(), bytes.size()};
  return sink->value(sink, &value, error);
}

bento_io io(std::string_view name, std::uint32_t kind, std::string_view descriptor,
            std::uint32_t flags = 0, std::string_view mime = {}) {
  bento_io io{};
  io.size = sizeof io;
  io.kind = kind;
  io.flags = flags;
  io.descriptor = text(descriptor);
  io.mime = text(mime);
  io.name = text(name);
  return io;
}

bento_io tensor(std::string_view name, const std::int64_t* shape, std::uint32_t ndim,
                std::uint32_t flags = 0) {
  bento_io made =
      io(name, BENTO_TENSOR, "ndarray",
         flags | BENTO_IO_ENFORCE_DTYPE | (shape ? std::uint32_t{BENTO_IO_ENFORCE_SHAPE} : 0u));
  made.dtype = BENTO_F64;
  made.ndim = ndim;
  made.shape = shape;
  return made;
}

const bento_host* host = nullptr;

// ---- score: joined tensors ---------------------------------------------------------------------

constexpr std::int64_t kPairs[] = {-1, 2}, kColumn[] = {-1};
const bento_io features = tensor("features", kPairs, 2);
const bento_io weights = tensor("weights", kPairs, 2, BENTO_IO_OPTIONAL);
const bento_io sums = tensor("sums", kColumn, 1);
const bento_io products = tensor("products", kColumn, 1);
const bento_io* const score_ins[] = {&features, &weights};
const bento_io* const score_outs[] = {&sums, &products};

// A caller with a negative feature fails; what its rows have then does not matter.
bento_code score(void*, const bento_method*, bento_ctx*, const bento_value* const* in, std::size_t,
                 const std::uint32_t* rows, std::size_t callers, bento_sink* sink,
                 bento_error* error) {
  const std::int64_t n = in[0]->tensor.shape[0];
  const auto* x = static_cast<const double*>(in[0]->tensor.data.ptr);
  const auto* w = in[1]->kind == 0 ? nullptr : static_cast<const double*>(in[1]->tensor.data.ptr);
  std::size_t row = 0;
  for (std::size_t caller = 0; caller < callers; ++caller) {
    for (std::uint32_t i = 0; i < rows[caller]; ++i, ++row) {
      if (x[2 * row] >= 0 && x[2 * row + 1] >= 0) continue;
      if (fail(sink, caller, 422, "a feature is negative", error) != BENTO_OK) return error->code;
    }
  }
  const std::int64_t shape[] = {n};
  auto* sum = static_cast<double*>(sink->tensor(sink, {}, BENTO_F64, 1, shape, error));
  if (sum == nullptr) return error->code;
  auto* product = static_cast<double*>(sink->tensor(sink, {}, BENTO_F64, 1, shape, error));
  if (product == nullptr) return error->code;
  for (std::int64_t i = 0; i < n; ++i) {
    const double a = x[2 * i] * (w == nullptr ? 1 : w[2 * i]);
    const double b = x[2 * i + 1] * (w == nullptr ? 1 : w[2 * i + 1]);
    sum[i] = a + b;
    product[i] = a * b;
  }
  return BENTO_OK;
}

// ---- describe: lists ---------------------------------------------------------------------------

const bento_io words = io("words", BENTO_BYTES, "text");
const bento_io meta = io("meta", BENTO_JSON, "json", BENTO_IO_OPTIONAL);
const bento_io blob = io("blob", BENTO_BYTES, "file", BENTO_IO_OPTIONAL);
const bento_io points = tensor("points", nullptr, 0, BENTO_IO_OPTIONAL);
const bento_io summary = io("summary", BENTO_JSON, "json");
const bento_io loud = io("loud", BENTO_BYTES, "text");
const bento_io back = io("back", BENTO_BYTES, "file");
const bento_io* const describe_ins[] = {&words, &meta, &blob, &points};
const bento_io* const describe_outs[] = {&summary, &loud, &back};

// The words say what happens: "error" fails the batch, "fail ..." its caller alone, which then gets
// no values; with "fill" it gets some all the same. "broken" returns JSON that is none.
bento_code describe(void*, const bento_method*, bento_ctx*, const bento_value* const* in,
                    std::size_t, const std::uint32_t*, std::size_t callers, bento_sink* sink,
                    bento_error* error) {
  bool fills = false;
  for (std::size_t c = 0; c < callers; ++c) {
    const std::string_view said = bytes_of(*in[4 * c]);
    if (said == "error") return error_of(error, BENTO_INTERNAL, 0, "the batch has an error");
    fills = fills || said == "fail fill";
  }
  for (std::size_t c = 0; c < callers; ++c) {
    const bento_value* const* mine = in + 4 * c;
    const std::string said(bytes_of(*mine[0]));
    if (said.starts_with("fail")) {
      if (fail(sink, c, 409, said, error) != BENTO_OK) return error->code;
      if (!fills) continue;
    }
    std::string json = "{\"callers\":" + std::to_string(callers) + ",\"meta\":";
    json += mine[1]->kind == 0 ? "null" : std::string(bytes_of(*mine[1]));
    json += ",\"sum\":";
    double sum = 0;
    if (mine[3]->kind != 0) {
      const auto* x = static_cast<const double*>(mine[3]->tensor.data.ptr);
      for (std::size_t i = 0; i < mine[3]->tensor.data.len / sizeof *x; ++i) sum += x[i];
    }
    json += mine[3]->kind == 0 ? "null}" : std::to_string(sum) + "}";
    if (said == "broken") json = "{";
    const std::string_view blob_bytes =
        mine[2]->kind == 0 ? std::string_view() : bytes_of(*mine[2]);
    if (put(sink, BENTO_JSON, json, {}, error) != BENTO_OK ||
        put(sink, BENTO_BYTES, said + "!", "text/plain", error) != BENTO_OK ||
        put(sink, BENTO_BYTES, blob_bytes, {}, error) != BENTO_OK) {
      return error->code;
    }
  }
  return BENTO_OK;
}

// ---- gather: waits for a fuller batch; whom: what it knows of its callers ----------------------

const bento_io any_text = io({}, BENTO_BYTES, "text");
const bento_io any_json = io({}, BENTO_JSON, "json");

bento_code gather(void*, const bento_method*, bento_ctx*, const bento_value* const*, std::size_t,
                  const std::uint32_t*, std::size_t callers, bento_sink* sink, bento_error* error) {
  for (std::size_t c = 0; c < callers; ++c) {
    if (put(sink, BENTO_JSON, std::to_string(callers), {}, error) != BENTO_OK) return error->code;
  }
  return BENTO_OK;
}

bento_code whom(void*, const bento_method*, bento_ctx* ctx, const bento_value* const*, std::size_t,
                const std::uint32_t*, std::size_t callers, bento_sink* sink, bento_error* error) {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
                  static_cast<std::uint64_t>(now.tv_nsec);
  host->log(host, ctx, BENTO_LOG_INFO, text("whom is asked"), {});
  for (std::size_t c = 0; c < callers; ++c) {
    const bento_caller* caller = host->caller(ctx, c);
    std::string json =
        "{\"request_id\":\"" + std::string(view(caller->request_id)) + "\",\"traceparent\":\"" +
        std::string(view(caller->traceparent)) + "\",\"milliseconds_left\":" +
        std::to_string(caller->deadline_ns == 0 ? 0 : (caller->deadline_ns - ns) / 1'000'000) +
        ",\"cancelled\":" + std::to_string(caller->cancelled) +
        ",\"beyond\":" + (host->caller(ctx, callers) == nullptr ? "null" : "1") + "}";
    if (put(sink, BENTO_JSON, json, {}, error) != BENTO_OK) return error->code;
  }
  return BENTO_OK;
}

// ---- APIs of handlers ---------------------------------------------------------------------------

const bento_io api_left = io("left", BENTO_JSON, "json");
const bento_io api_right = io("right", BENTO_BYTES, "text", BENTO_IO_OPTIONAL);
const bento_io api_both = io("both", BENTO_JSON, "json");
const bento_io api_note = io("note", BENTO_BYTES, "text");
const bento_io* const pair_ins[] = {&api_left, &api_right};
const bento_io* const pair_outs[] = {&api_both, &api_note};

bento_code answer_pair(const bento_value* const* in, std::size_t n, bento_sink* sink,
                       bento_error* error) {
  const std::string right = in[1]->kind == 0 ? "nothing" : std::string(bytes_of(*in[1]));
  const std::string both = "[" + std::to_string(n) + "," + std::string(bytes_of(*in[0])) + "]";
  if (put(sink, BENTO_JSON, both, {}, error) != BENTO_OK) return error->code;
  return put(sink, BENTO_BYTES, right + " \"said\"", "text/plain", error);
}

bento_code pair(void*, const bento_api*, bento_ctx*, const bento_value* const* in, std::size_t n,
                bento_sink* sink, bento_error* error) {
  return answer_pair(in, n, sink, error);
}

bento_code pair_async(void*, const bento_api*, bento_ctx*, const bento_value* const* in,
                      std::size_t n, bento_done* done, bento_error*) {
  bento_error error{};
  error.size = sizeof error;
  const bento_code code = answer_pair(in, n, done->sink, &error);
  done->finish(done, code, &error);
  return BENTO_OK;
}

// Calls describe by names, in another order than it declares, and by places.
bento_code forward(void*, const bento_api* api, bento_ctx* ctx, const bento_value* const* in,
                   std::size_t, bento_sink* sink, bento_error* error) {
  bento_value said = *in[0], extra{};
  extra.size = sizeof extra;
  extra.kind = BENTO_JSON;
  extra.bytes = {"7", 1};
  const bool by_name = api->user != nullptr;
  said.name = text(by_name ? "words" : "");
  extra.name = text(by_name ? "meta" : "");
  const bento_value* const places[] = {&said, &extra};
  const bento_value* const names[] = {&extra, &said};
  bento_ticket* ticket = nullptr;
  bento_code code =
      host->submit(ctx, text("mix"), text("describe"), by_name ? names : places, 2, &ticket, error);
  if (code != BENTO_OK) return code;
  const bento_value* const* out = nullptr;
  std::size_t n = 0;
  code = host->wait(ticket, &out, &n, error);
  if (code == BENTO_OK) {
    std::string names_of_outs;
    for (std::size_t i = 0; i < n; ++i) names_of_outs += std::string(view(out[i]->name)) + " ";
    const std::string json = "[\"" + names_of_outs + "\"," + std::string(bytes_of(*out[0])) + "]";
    code = put(sink, BENTO_JSON, json, {}, error);
  }
  host->release(ticket);
  return code;
}

// ---- the description ----------------------------------------------------------------------------

using Run = decltype(bento_method::run);
constexpr std::uint32_t kLists = std::uint32_t{BENTO_BATCHABLE} | std::uint32_t{BENTO_LISTS};

bento_method method(std::string_view name, std::uint32_t flags, Run run) {
  bento_method method{};
  method.size = sizeof method;
  method.name = text(name);
  method.flags = flags;
  method.run = run;
  return method;
}

bento_api api(std::string_view name) {
  bento_api api{};
  api.size = sizeof api;
  api.name = text(name);
  return api;
}

bento_api direct(std::string_view name) {
  bento_api made = api(name);
  made.runner = text("mix");
  made.method = text(name);
  return made;
}

bento_code create(const bento_host* of_runner, std::uint32_t, void**, bento_error*) {
  host = of_runner;
  return BENTO_OK;
}

const bento_service* open(const bento_host* given, bento_error*) {
  host = given;
  static bento_method score_method = method("score", BENTO_BATCHABLE | BENTO_IDEMPOTENT, &score);
  score_method.ins = score_ins;
  score_method.n_ins = 2;
  score_method.outs = score_outs;
  score_method.n_outs = 2;
  score_method.max_batch = 4;
  score_method.max_batch_wait_us = 200'000;
  static bento_method describe_method = method("describe", kLists | BENTO_IDEMPOTENT, &describe);
  describe_method.ins = describe_ins;
  describe_method.n_ins = 4;
  describe_method.outs = describe_outs;
  describe_method.n_outs = 3;
  describe_method.max_batch = 4;
  describe_method.max_batch_wait_us = 200'000;
  static bento_method gather_method = method("gather", kLists, &gather);
  gather_method.in = &any_text;
  gather_method.out = &any_json;
  gather_method.max_batch = 3;
  gather_method.max_batch_wait_us = 1'000'000;
  static bento_method whom_method = method("whom", kLists, &whom);
  whom_method.in = &any_text;
  whom_method.out = &any_json;
  static const bento_method* const methods[] = {&score_method, &describe_method, &gather_method,
                                                &whom_method};
  static bento_runner runner{};
  runner.size = sizeof runner;
  runner.name = text("mix");
  runner.methods = methods;
  runner.n_methods = 4;
  runner.create = &create;
  runner.destroy = [](void*) {};

  static bento_api apis[] = {direct("score"),       direct("describe"),  direct("gather"),
                             direct("whom"),        api("pair"),         api("pair_async"),
                             api("forward_places"), api("forward_names")};
  for (bento_api* each : {&apis[4], &apis[5]}) {
    each->ins = pair_ins;
    each->n_ins = 2;
    each->outs = pair_outs;
    each->n_outs = 2;
  }
  apis[4].invoke = &pair;
  apis[5].invoke_async = &pair_async;
  for (bento_api* each : {&apis[6], &apis[7]}) {
    each->in = &any_text;
    each->out = &any_json;
    each->invoke = &forward;
  }
  apis[7].user = &apis[7];
  static std::vector<const bento_api*> all;
  all.clear();
  for (const bento_api& each : apis) all.push_back(&each);
  static const bento_runner* const runners[] = {&runner};
  static bento_service service{};
  service.size = sizeof service;
  service.name = text("batches");
  service.version = text("1");
  service.apis = all.data();
  service.n_apis = all.size();
  service.runners = runners;
  service.n_runners = 1;
  service.create = [](const bento_host* of_service, void**, bento_error*) -> bento_code {
    host = of_service;
    return BENTO_OK;
  };
  service.destroy = [](void*) {};
  return &service;
}

}  // namespace

extern "C" BENTO_EXPORT const bento_plugin_entry bento_entry = {sizeof(bento_plugin_entry),
                                                                BENTO_ABI_MAJOR,
                                                                BENTO_ABI_TARGET_MINOR,
                                                                "hand-made",
                                                                &open,
                                                                [] {},
                                                                nullptr};
