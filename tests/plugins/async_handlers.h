// The handlers of the plugin `async`, each named after what it waits for or does wrong.
#pragma once

#include <chrono>
#include <cstdlib>
#include <list>
#include <mutex>
#include <string>

#include "async_task.h"

namespace {

// ---- held until /let_go ------------------------------------------------------------------------

std::mutex held_mutex;
std::list<Task*> held;

// ---- the handlers of values --------------------------------------------------------------------

using Handler = void (*)(Task&);

void echo(Task& task) { task.answer(task.text); }

void both(Task& task) {
  if (task.step == 0 && task.tickets.empty()) {
    if (!task.call("echo", task.text + "a") || !task.call("echo", task.text + "b")) return;
  }
  if (task.all()) task.answer(task.joined());
}

void nap(Task& task) {
  if (task.tickets.empty() && !task.call("nap", task.text)) return;
  if (task.all()) task.answer("awake");
}

void later(Task& task) {
  if (task.tickets.empty() && !task.sleep(std::strtoull(task.text.c_str(), nullptr, 10))) return;
  if (task.all()) task.answer("later");
}

// A call and a timer: what comes first. The other is released.
void within(Task& task) {
  if (task.tickets.empty() && (!task.call("nap", task.text) || !task.sleep(50))) return;
  for (bento_ticket* ticket : task.tickets) {
    bento_error error = no_error();
    const bento_value* const* out = nullptr;
    std::size_t n = 0;
    const bento_code code = host->next(ticket, &out, &n, &error);
    if (code == BENTO_OK) return task.answer(n != 0 ? "in time" : "too late");
    if (code != BENTO_PENDING) return task.finish(code, &error);
    if (host->when(ticket, &Task::wake, &task) == 0) return task.run();
  }
}

void promised(Task& task) {
  if (task.tickets.empty()) {
    bento_error error = no_error();
    bento_ticket* ticket = nullptr;
    void* resolver = nullptr;
    const bento_code code = host->promise(task.ctx, &ticket, &resolver, &error);
    if (code != BENTO_OK) return task.finish(code, &error);
    task.tickets.push_back(ticket);
    on_a_thread([resolver, text = task.text] {
      if (text == "fail") {
        bento_error why = no_error();
        fail(&why, BENTO_NOT_FOUND, "the promise failed");
        return host->resolve(resolver, BENTO_NOT_FOUND, nullptr, &why);
      }
      if (text == "nothing") return host->resolve(resolver, BENTO_OK, nullptr, nullptr);
      const std::string kept = "kept " + text;
      const bento_value value = bytes_value(kept);
      host->resolve(resolver, BENTO_OK, &value, nullptr);
    });
  }
  if (task.all()) task.answer(task.results.empty() ? "nothing" : task.joined());
}

// The thread of the work counts to its number, in ms.
void offloaded(Task& task) {
  if (task.tickets.empty()) {
    bento_error error = no_error();
    bento_ticket* ticket = nullptr;
    const auto work = [](void* arg) {
      ++at_work;
      sleep_ms(static_cast<Task*>(arg)->text);
      static_cast<Task*>(arg)->results.emplace_back("offloaded");
      --at_work;
    };
    const bento_code code = host->offload(task.ctx, work, &task, &ticket, &error);
    if (code != BENTO_OK) return task.finish(code, &error);
    task.tickets.push_back(ticket);
  }
  if (!task.all()) return;
  if (host->cancelled(task.ctx) != 0) return task.fail(BENTO_CANCELLED, "cancelled");
  task.answer(task.joined());
}

// Waits where it must not.
void waits(Task& task) {
  if (!task.call("echo", task.text)) return;
  bento_error error = no_error();
  const bento_value* const* out = nullptr;
  std::size_t n = 0;
  const bento_code code = host->wait(task.tickets[0], &out, &n, &error);
  task.finish(code, &error);
}

void silent(Task& task) { task.finish(); }

// "5 why": before it has waited; " 5 why": afterwards.
void fails(Task& task) {
  if (task.text.starts_with(' ') && task.tickets.empty() && !task.sleep(1)) return;
  if (!task.all()) return;
  const std::size_t number = task.text.find_first_not_of(' ');
  const auto code = static_cast<bento_code>(std::atoi(task.text.c_str() + number));
  task.fail(code, task.text.substr(task.text.find(' ', number) + 1));
}

void holds(Task& task) {
  const std::lock_guard lock(held_mutex);
  held.push_back(&task);
}

// From another thread, which the host forgives.
void let_go(Task& task) {
  std::list<Task*> all;
  {
    const std::lock_guard lock(held_mutex);
    all.swap(held);
  }
  for (Task* each : all) each->answer("let go");
  task.answer(std::to_string(all.size()));
}

void stalls(Task& task) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(30);
  while (std::chrono::steady_clock::now() < end) {
  }
  task.answer("stalled");
}

// Finishes its call once more at once, or "later": with the next request.
void twice(Task& task) {
  static bento_done* finished = nullptr;
  const bool is_later = task.text == "later", is_next = task.text == "again";
  bento_done* const done = is_next ? finished : task.done;
  finished = task.done;
  if (!is_next) task.answer("once");
  if (is_later) return;
  bento_error error = no_error();
  done->finish(done, BENTO_OK, &error);
}

void defers(Task& task) {
  if (task.tickets.empty() && !task.sleep(1)) return;
  if (!task.all()) return;
  bento_error error = no_error();
  const auto run = [](void*, bento_ctx*, bento_error*) -> bento_code {
    ++deferred;
    return BENTO_OK;
  };
  const bento_code code = host->defer(
      task.ctx, run, nullptr, [](void*) {}, &error);
  if (code != BENTO_OK) return task.finish(code, &error);
  task.answer("deferred");
}

void crashes(Task& task) {
  if (task.tickets.empty() && !task.sleep(1)) return;
  if (task.all()) std::abort();
}

void large(Task& task) {
  if (task.tickets.empty() && !task.sleep(1)) return;
  if (task.all()) task.answer(task.text + task.text);
}

// Many timers, of which none is asked again.
void leaves_tickets(Task& task) {
  if (task.tickets.empty()) {
    for (int i = 0; i < 10; ++i) {
      if (!task.sleep(3'600'000)) return;
    }
    if (!task.call("nap", "0")) return;
  }
  if (task.next(task.tickets.back())) task.answer("left");
}

// ---- the handlers of channels ------------------------------------------------------------------

void upload(Task& task) {
  while (!task.has_ended_body) {
    if (!task.receive()) return;
  }
  const std::string result = std::to_string(task.received) + " " + std::to_string(task.sum);
  if (task.start() && task.write(result, false)) task.finish();
}

// The number of MiB is in the query.
void download(Task& task) {
  const bento_scope* scope = host->scope(task.ctx);
  const std::size_t size = std::strtoull(std::string(view(scope->query)).c_str(), nullptr, 10)
                           << 20;
  if (task.step++ == 0) {
    task.text.assign(64u << 10, 'x');
    if (!task.start()) return;
  }
  while (task.sent < size) {
    if (!task.has_room()) return;
    if (!task.write(task.text)) return;
  }
  if (task.write({}, false)) task.finish();
}

void mirror(Task& task) {
  if (task.step++ == 0 && !task.start()) return;
  while (!task.has_ended_body) {
    if (!task.has_room() || !task.receive()) return;
    if (!task.has_ended_body && !task.write(task.piece)) return;
  }
  if (task.write(task.piece, false)) task.finish();
}

// Until it is told that nobody listens.
void events(Task& task) {
  if (task.step++ == 0 && !task.start()) return;
  while (true) {
    if (!task.tickets.empty()) {
      if (!task.next(task.tickets.back())) return;
      host->release(task.tickets.back());
      task.tickets.clear();
    }
    if (!task.write("data: tick\n\n") || !task.sleep(20)) return;
  }
}

// Does not ask whether there is room.
void floods(Task& task) {
  const std::string piece(1u << 20, 'y');
  if (!task.start()) return;
  for (int i = 0; i < 1000; ++i) {
    if (!task.write(piece)) return;
  }
  if (task.write({}, false)) task.finish();
}

void fails_late(Task& task) {
  if (task.step++ == 0 && (!task.start() || !task.write("begun") || !task.sleep(1))) return;
  if (task.next(task.tickets[0])) task.fail(BENTO_INTERNAL, "after its start");
}

void ends_early(Task& task) {
  if (task.start() && task.write("begun")) task.finish();
}

void whole(Task& task) {
  if (task.tickets.empty() && !task.sleep(1)) return;
  if (!task.next(task.tickets[0])) return;
  if (task.start(201) && task.write("whole", false)) task.finish();
}

}  // namespace
