// A bento_host, a sink and a context made by hand: what a plugin sees of a host, without one.
#pragma once

#include <bento/abi.h>

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The ABI's opaque handles, as this host makes them.
struct bento_ctx {
  bento_scope scope{};
  std::uint32_t status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  bool cancelled = false;
};
struct bento_ticket {
  std::vector<const bento_value*> results;
  bento_code code = BENTO_OK;
};

namespace bento::fakes {

inline bento_str str(std::string_view text) { return {text.data(), text.size()}; }
inline std::string text(bento_str s) { return s.len == 0 ? "" : std::string(s.ptr, s.len); }

inline bento_error make_error() {
  bento_error error{};
  error.size = sizeof error;
  return error;
}

inline bento_value make_bytes(std::uint32_t kind, std::string_view bytes) {
  bento_value value{};
  value.size = sizeof value;
  value.kind = kind;
  value.bytes = {bytes.data(), bytes.size()};
  return value;
}

// `shape` and `elements` must outlive it.
template <typename T>
bento_value make_tensor(std::uint32_t dtype, const std::vector<std::int64_t>& shape,
                        const std::vector<T>& elements) {
  bento_value value{};
  value.size = sizeof value;
  value.kind = BENTO_TENSOR;
  value.tensor.dtype = dtype;
  value.tensor.ndim = static_cast<std::uint32_t>(shape.size());
  value.tensor.shape = shape.data();
  value.tensor.data = {elements.data(), elements.size() * sizeof(T)};
  return value;
}

class FakeHost {
 public:
  explicit FakeHost(std::string options = "{}") : options_(std::move(options)) {
    the_one = this;
    table.size = sizeof table;
    table.options = str(options_);
    table.plugin_dir = str("/plugins");
    table.log = [](const bento_host*, bento_ctx*, std::int32_t level, bento_str message,
                   bento_pairs) { the_one->logged.emplace_back(level, text(message)); };
    table.scope = [](bento_ctx* ctx) -> const bento_scope* { return &ctx->scope; };
    table.set_status = [](bento_ctx* ctx, std::uint32_t status, bento_error* error) {
      if (status > 599) return fail(error, "no status");
      ctx->status = status;
      return bento_code{BENTO_OK};
    };
    table.add_header = [](bento_ctx* ctx, bento_pair header, bento_error*) {
      ctx->headers.emplace_back(text(header.name), text(header.value));
      return bento_code{BENTO_OK};
    };
    table.set_route = [](bento_ctx*, bento_str route, bento_error*) {
      the_one->routes.push_back(text(route));
      return bento_code{BENTO_OK};
    };
    table.cancelled = [](bento_ctx* ctx) -> std::int32_t { return ctx->cancelled ? 1 : 0; };
    table.submit = [](bento_ctx*, bento_str runner, bento_str method, const bento_value* const* in,
                      std::size_t, bento_ticket** out, bento_error* error) {
      the_one->called = text(runner) + "." + text(method);
      if (the_one->refuses_calls) return fail(error, "overloaded");
      ++the_one->tickets;
      *out = new bento_ticket{{in[0]}, the_one->call_code};
      return bento_code{BENTO_OK};
    };
    table.wait = [](bento_ticket* ticket, const bento_value* const** out, std::size_t* n,
                    bento_error* error) {
      if (ticket->code != BENTO_OK) return fail(error, "the runner failed", ticket->code);
      *out = ticket->results.data();
      *n = ticket->results.size();
      return bento_code{BENTO_OK};
    };
    table.release = [](bento_ticket* ticket) {
      --the_one->tickets;
      delete ticket;
    };
  }
  FakeHost(const FakeHost&) = delete;

  bento_host table{};
  std::vector<std::pair<std::int32_t, std::string>> logged;
  std::vector<std::string> routes;  // that the plugin has told of
  // Runner calls are answered with their own input, which the caller keeps alive; or so:
  bool refuses_calls = false;
  bento_code call_code = BENTO_OK;
  std::string called;  // "runner.method"
  int tickets = 0;     // not released

 private:
  static bento_code fail(bento_error* error, const char* message,
                         bento_code code = BENTO_UNAVAILABLE) {
    error->code = code;
    std::snprintf(error->message, sizeof error->message, "%s", message);
    return code;
  }
  inline static FakeHost* the_one = nullptr;
  std::string options_;
};

// Keeps what is put into it.
class FakeSink {
 public:
  struct Result {
    std::uint32_t kind = 0, dtype = 0;
    std::vector<std::int64_t> shape;
    std::string mime, bytes;
  };

  FakeSink() {
    table_.owner = this;
    table_.sink.size = sizeof table_.sink;
    table_.sink.value = [](bento_sink* sink, const bento_value* value, bento_error* error) {
      auto& self = *reinterpret_cast<Table*>(sink)->owner;
      if (self.is_full) {
        error->code = BENTO_RESOURCE_EXHAUSTED;
        return bento_code{BENTO_RESOURCE_EXHAUSTED};
      }
      const bool is_tensor = value->kind == BENTO_TENSOR;
      const bento_bytes& data = is_tensor ? value->tensor.data : value->bytes;
      Result& result = self.results.emplace_back();
      result.kind = value->kind;
      result.mime = text(value->mime);
      result.bytes.assign(static_cast<const char*>(data.ptr), data.len);
      if (is_tensor) {
        result.dtype = value->tensor.dtype;
        result.shape.assign(value->tensor.shape, value->tensor.shape + value->tensor.ndim);
      }
      return bento_code{BENTO_OK};
    };
  }
  FakeSink(const FakeSink&) = delete;

  bento_sink* get() { return &table_.sink; }
  std::vector<Result> results;
  bool is_full = false;

 private:
  struct Table {
    bento_sink sink{};  // first: its address is the table's
    FakeSink* owner = nullptr;
  } table_;
};

}  // namespace bento::fakes
