// Task: a handler on the ABI that waits without a thread: it is called again when what it waits for
// is worth asking. One plugin; each call on the loop of its ctx.
#pragma once

#include <bento/abi.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

void sleep_ms(std::string_view number) {
  std::this_thread::sleep_for(
      std::chrono::milliseconds(std::strtoul(std::string(number).c_str(), nullptr, 10)));
}

const bento_host* host = nullptr;  // set by open

bento_str str(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view(bento_str text) { return {text.ptr, text.len}; }
std::string_view view(bento_bytes bytes) {
  return {static_cast<const char*>(bytes.ptr), bytes.len};
}

bento_error no_error() {
  bento_error error{};
  error.size = sizeof error;
  return error;
}
bento_code fail(bento_error* error, bento_code code, std::string_view message) {
  error->code = code;
  error->http_status = 0;
  std::snprintf(error->message, sizeof error->message, "%.*s", static_cast<int>(message.size()),
                message.data());
  return code;
}
bento_value bytes_value(std::string_view text) {
  bento_value value{};
  value.size = sizeof value;
  value.kind = BENTO_BYTES;
  value.bytes = {text.data(), text.size()};
  return value;
}

// What GET /counts tells.
std::atomic<int> alive = 0, cancelled = 0, late = 0, at_work = 0, deferred = 0;

// ---- threads that resolve promises, ended by destroy -------------------------------------------

std::mutex threads_mutex;
std::vector<std::thread> threads;

template <typename F>
void on_a_thread(F f) {
  const std::lock_guard lock(threads_mutex);
  threads.emplace_back(std::move(f));
}

// ---- a handler that waits ----------------------------------------------------------------------

// `go_on` is called until it has finished: once at first, then each time that something it waits
// for is worth asking.
struct Task {
  bento_ctx* ctx = nullptr;
  bento_done* done = nullptr;
  bento_channel* channel = nullptr;
  std::string text;  // the input
  std::vector<bento_ticket*> tickets;
  std::vector<std::string> results;
  int step = 0;
  std::size_t sent = 0, received = 0;
  unsigned sum = 0;
  std::string piece;
  bool has_ended_body = false;
  void (*go_on)(Task&) = nullptr;

  Task() { ++alive; }
  ~Task() {
    for (bento_ticket* ticket : tickets) host->release(ticket);
    --alive;
  }
  void run() { go_on(*this); }
  static void wake(void* task) { static_cast<Task*>(task)->run(); }

  // The last call: the task is gone afterwards.
  void finish(bento_code code = BENTO_OK, const bento_error* error = nullptr) {
    if (code == BENTO_CANCELLED) ++cancelled;
    if (code == BENTO_DEADLINE_EXCEEDED) ++late;
    bento_done* const its_done = done;
    for (bento_ticket* ticket : tickets) host->release(ticket);
    tickets.clear();
    bento_error copy = error != nullptr ? *error : no_error();
    delete this;
    its_done->finish(its_done, code, &copy);
  }
  void answer(std::string_view result) {
    bento_error error = no_error();
    const bento_value value = bytes_value(result);
    const bento_code code = done->sink->value(done->sink, &value, &error);
    finish(code, &error);
  }
  void fail(bento_code code, std::string_view message) {
    bento_error error = no_error();
    ::fail(&error, code, message);
    finish(code, &error);
  }

  bool call(std::string_view method, std::string_view input) {
    bento_error error = no_error();
    const bento_value value = bytes_value(input);
    const bento_value* const in[] = {&value};
    bento_ticket* ticket = nullptr;
    const bento_code code = host->submit(ctx, str("worker"), str(method), in, 1, &ticket, &error);
    if (code != BENTO_OK) return finish(code, &error), false;
    tickets.push_back(ticket);
    return true;
  }
  bool sleep(std::uint64_t ms) {
    bento_error error = no_error();
    bento_ticket* ticket = nullptr;
    const bento_code code = host->after(ctx, ms * 1'000'000, &ticket, &error);
    if (code != BENTO_OK) return finish(code, &error), false;
    tickets.push_back(ticket);
    return true;
  }
  // False: not yet, or it has finished. A result, if there is one, is among the results.
  bool next(bento_ticket* ticket) {
    while (true) {
      bento_error error = no_error();
      const bento_value* const* out = nullptr;
      std::size_t n = 0;
      const bento_code code = host->next(ticket, &out, &n, &error);
      if (code == BENTO_PENDING) {
        if (host->when(ticket, &wake, this) != 0) return false;
        continue;
      }
      if (code != BENTO_OK) return finish(code, &error), false;
      if (n != 0) results.emplace_back(view(out[0]->bytes));
      return true;
    }
  }
  bool all() {
    while (static_cast<std::size_t>(step) < tickets.size()) {
      if (!next(tickets[static_cast<std::size_t>(step)])) return false;
      ++step;
    }
    return true;
  }
  std::string joined() const {
    std::string whole;
    for (const std::string& each : results) whole += (whole.empty() ? "" : "+") + each;
    return whole;
  }

  // ---- of the channel
  bool send(const bento_event& event) {
    bento_error error = no_error();
    const bento_code code = channel->send(channel, &event, &error);
    return code == BENTO_OK || (finish(code, &error), false);
  }
  bool start(std::uint32_t status = 200) {
    bento_event event{};
    event.size = sizeof event;
    event.type = BENTO_RESPONSE_START;
    event.status = status;
    return send(event);
  }
  bool write(std::string_view bytes, bool more = true) {
    bento_event event{};
    event.size = sizeof event;
    event.type = BENTO_RESPONSE_BODY;
    event.more = more ? 1 : 0;
    event.body = {bytes.data(), bytes.size()};
    sent += bytes.size();
    return send(event);
  }
  bool has_room() { return channel->when(channel, BENTO_CAN_SEND, &wake, this) == 0; }
  // False: not yet, or it has finished. `piece` is the next one.
  bool receive() {
    while (true) {
      bento_error error = no_error();
      bento_event event{};
      event.size = sizeof event;
      const bento_code code = channel->receive(channel, &event, &error);
      if (code == BENTO_PENDING) {
        if (channel->when(channel, BENTO_CAN_RECEIVE, &wake, this) != 0) return false;
        continue;
      }
      if (code != BENTO_OK) return finish(code, &error), false;
      if (event.type == BENTO_DISCONNECT) return fail(BENTO_CANCELLED, "disconnected"), false;
      piece = view(event.body);
      received += piece.size();
      for (const char c : piece) sum = sum * 31 + static_cast<unsigned char>(c);
      has_ended_body = event.more == 0;
      return true;
    }
  }
};

}  // namespace
