// A bento_exchange made by hand, and the hooks of a middleware called on it: a request and its
// answer over plain values.
#pragma once

#include <bento/abi.h>

#include <algorithm>
#include <bento/middleware.hpp>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sdk/fake_host.h"

namespace bento::fakes {

using Fields = std::vector<std::pair<std::string, std::string>>;

// The first of that name, in any case, or "".
inline std::string find(const Fields& fields, std::string_view name) {
  for (const auto& field : fields) {
    if (bento::detail::same_name(field.first, name)) return field.second;
  }
  return "";
}

struct FakeAnswer {
  std::uint32_t status = 0;
  Fields headers;
  std::string body;
};

class FakeExchange {
 public:
  FakeExchange() {
    table_.owner = this;
    table_.exchange.size = sizeof table_.exchange;
    table_.exchange.ctx = &ctx_;
    table_.exchange.scope = &scope_;
    table_.exchange.set = [](bento_exchange* e, bento_str what, bento_str value,
                             bento_error* error) {
      return of(e).set(text(what), text(value), error);
    };
    table_.exchange.set_header = [](bento_exchange* e, bento_str name, bento_str value,
                                    bento_error*) {
      replace(of(e).headers, in_lower_case(text(name)), value);
      of(e).describe();
      return bento_code{BENTO_OK};
    };
    table_.exchange.set_body = [](bento_exchange* e, bento_bytes copied, bento_error*) {
      of(e).body_ = std::string(static_cast<const char*>(copied.ptr), copied.len);
      of(e).describe();
      return bento_code{BENTO_OK};
    };
    table_.exchange.limit_body = [](bento_exchange* e, std::uint64_t bytes, bento_error*) {
      of(e).body_limit = bytes;
      return bento_code{BENTO_OK};
    };
    table_.exchange.set_deadline = [](bento_exchange* e, std::uint64_t at, bento_error*) {
      of(e).deadline_ns = at;
      return bento_code{BENTO_OK};
    };
    table_.exchange.answer = [](bento_exchange* e, const bento_event* event, bento_error* error) {
      if (of(e).answer || event->type != BENTO_RESPONSE_START || event->more != 0) {
        return fail(error, BENTO_FAILED_PRECONDITION);
      }
      FakeAnswer& made = of(e).answer.emplace();
      made.status = event->status;
      for (std::size_t i = 0; i < event->headers.len; ++i) {
        made.headers.emplace_back(text(event->headers.ptr[i].name),
                                  text(event->headers.ptr[i].value));
      }
      made.body.assign(static_cast<const char*>(event->body.ptr), event->body.len);
      return bento_code{BENTO_OK};
    };
    table_.exchange.response_header = [](bento_exchange* e, bento_str name, std::size_t nth) {
      for (const auto& field : of(e).response_headers) {
        if (bento::detail::same_name(field.first, text(name)) && nth-- == 0) {
          return str(of(e).looked_up_ = field.second);
        }
      }
      return bento_str{};
    };
    table_.exchange.set_response_header = [](bento_exchange* e, bento_str name, bento_str value,
                                             bento_error*) {
      replace(of(e).response_headers, text(name), value);
      return bento_code{BENTO_OK};
    };
    table_.exchange.add_response_header = [](bento_exchange* e, bento_str name, bento_str value,
                                             bento_error*) {
      of(e).response_headers.emplace_back(text(name), text(value));
      return bento_code{BENTO_OK};
    };
  }
  FakeExchange(const FakeExchange&) = delete;

  // The request; header names in lower case.
  std::string method = "GET", path = "/", query, scheme = "http";
  std::string client = "192.0.2.7:5000", server = "127.0.0.1:3000";
  Fields headers;
  // What on_request did.
  std::optional<FakeAnswer> answer;
  std::optional<std::uint64_t> body_limit, deadline_ns;
  // The response.
  std::uint32_t status = 200;
  Fields response_headers;

  FakeHost host;

  // The response's header of that name, or "".
  std::string header(std::string_view name) const { return find(response_headers, name); }

  // Whether the middleware lets the request pass.
  template <typename M>
  bool request(const M& middleware) {
    request_with([&](Incoming& incoming) { middleware.on_request(incoming); });
    return !answer;
  }
  template <typename F>
  void request_with(F hook) {
    describe();
    Incoming incoming(&host.table, &table_.exchange);
    hook(incoming);
  }
  // The head and the first piece; what goes on of that.
  template <typename M, typename... State>
  std::string respond(const M& middleware, std::string piece, bool is_last, State&... state) {
    return pass(std::move(piece), is_last, [&](Outgoing& outgoing) {
      middleware.on_response(outgoing, state...);
      status = outgoing.status();
    });
  }
  template <typename M, typename... State>
  std::string body(const M& middleware, std::string piece, bool is_last, State&... state) {
    return pass(std::move(piece), is_last,
                [&](Outgoing& outgoing) { middleware.on_body(outgoing, state...); });
  }

 private:
  struct Table {
    bento_exchange exchange{};  // first: its address is the table's
    FakeExchange* owner = nullptr;
  };

  static FakeExchange& of(bento_exchange* exchange) {
    return *reinterpret_cast<Table*>(exchange)->owner;
  }
  static bento_code fail(bento_error* error, bento_code code) {
    error->code = code;
    std::snprintf(error->message, sizeof error->message, "out of order");
    return code;
  }
  static std::string in_lower_case(std::string name) {
    for (char& c : name) c = bento::detail::lower(c);
    return name;
  }
  static void replace(Fields& fields, const std::string& name, bento_str value) {
    std::erase_if(fields,
                  [&](const auto& field) { return bento::detail::same_name(field.first, name); });
    if (value.ptr != nullptr) fields.emplace_back(name, text(value));
  }
  bento_code set(const std::string& what, const std::string& value, bento_error* error) {
    const std::pair<const char*, std::string*> parts[] = {{"method", &method},
                                                          {"path", &path},
                                                          {"query", &query},
                                                          {"scheme", &scheme},
                                                          {"client", &client}};
    for (const auto& [name, part] : parts) {
      if (what != name) continue;
      *part = value;
      describe();
      return BENTO_OK;
    }
    return fail(error, BENTO_INVALID_ARGUMENT);
  }
  template <typename F>
  std::string pass(std::string piece, bool is_last, F hook) {
    body_ = std::move(piece);
    table_.exchange.status = status;
    table_.exchange.more = is_last ? 0 : 1;
    describe();
    Outgoing outgoing(&host.table, &table_.exchange);
    hook(outgoing);
    return std::exchange(body_, "");
  }
  // Brings the ABI's structs up to date.
  void describe() {
    pairs_.clear();
    for (const auto& [name, value] : headers) pairs_.push_back({str(name), str(value)});
    scope_.size = sizeof scope_;
    scope_.method = str(method);
    scope_.path = str(path);
    scope_.query = str(query);
    scope_.scheme = str(scheme);
    scope_.client = str(client);
    scope_.server = str(server);
    scope_.request_id = str("r1");
    scope_.headers = {pairs_.data(), pairs_.size()};
    table_.exchange.body = {body_.data(), body_.size()};
  }

  Table table_;
  bento_ctx ctx_;
  bento_scope scope_{};
  std::vector<bento_pair> pairs_;
  std::string body_, looked_up_;
};

}  // namespace bento::fakes
