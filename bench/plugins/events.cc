// POST /events: ten server-sent events a second until the client is gone. On the ABI alone: it is
// the channel's `send` that is measured, one RESPONSE_BODY with `more` for each event.
#include <bento/abi.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <thread>

namespace {

constexpr std::chrono::milliseconds kPeriod{100};

template <std::size_t size>
constexpr bento_str str(const char (&literal)[size]) {
  return {literal, size - 1};
}

constexpr bento_pair kHeaders[] = {{str("content-type"), str("text/event-stream")},
                                   {str("cache-control"), str("no-store")}};

bento_code start(bento_channel* channel, bento_error* error) {
  bento_event event{};
  event.size = sizeof event;
  event.type = BENTO_RESPONSE_START;
  event.status = 200;
  event.headers = {kHeaders, 2};
  return channel->send(channel, &event, error);
}

bento_code body(bento_channel* channel, const char* text, std::uint32_t more, bento_error* error) {
  bento_event event{};
  event.size = sizeof event;
  event.type = BENTO_RESPONSE_BODY;
  event.more = more;
  event.body = {text, std::strlen(text)};
  return channel->send(channel, &event, error);
}

// `self` is the host's table, as create() left it. A send that fails is a client that is gone.
bento_code events(void* self, const bento_api*, const bento_call* call, bento_error* error) {
  const auto& host = *static_cast<const bento_host*>(self);
  bento_code code = start(call->channel, error);
  auto due = std::chrono::steady_clock::now();
  char text[64];
  for (std::uint64_t number = 0; code == BENTO_OK && host.cancelled(call->ctx) == 0; ++number) {
    std::snprintf(text, sizeof text, "data: %llu\n\n", static_cast<unsigned long long>(number));
    code = body(call->channel, text, 1, error);
    std::this_thread::sleep_until(due += kPeriod);
  }
  return code == BENTO_OK ? body(call->channel, "", 0, error) : code;
}

bento_code create(const bento_host* host, void** self, bento_error*) {
  *self = const_cast<bento_host*>(host);
  return BENTO_OK;
}

constexpr bento_api describe_api() {
  bento_api api{};
  api.size = sizeof api;
  api.name = str("events");
  api.raw = events;
  return api;
}

constexpr bento_api kApi = describe_api();
constexpr const bento_api* kApis[] = {&kApi};

constexpr bento_service describe_service() {
  bento_service service{};
  service.size = sizeof service;
  service.name = str("events");
  service.version = str("1.0");
  service.apis = kApis;
  service.n_apis = 1;
  service.create = create;
  return service;
}

constexpr bento_service kService = describe_service();

const bento_service* open_plugin(const bento_host*, bento_error*) { return &kService; }
void close_plugin() {}

}  // namespace

extern "C" {
const bento_plugin_entry bento_entry = {sizeof(bento_plugin_entry),
                                        BENTO_ABI_MAJOR,
                                        BENTO_ABI_MINOR,
                                        "bench",
                                        open_plugin,
                                        close_plugin};
}
