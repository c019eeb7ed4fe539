#include "plugin/tickets.h"

#include <limits>
#include <optional>
#include <utility>

#include "plugin/ticket.h"

namespace bentohost::plugin {
namespace {

class TimerTicket final : public Ticket, private Timer::Owner {
 public:
  TimerTicket(Waiter its_waiter, TimePoint when) : Ticket(std::move(its_waiter)) {
    if (waiter().scope == nullptr) {
      end_at(when);
      return;
    }
    timer_.emplace(waiter().scope->loop()->timers(), static_cast<Timer::Owner&>(*this));
    timer_->set(when);
  }

 private:
  void on_timer() override {
    const auto self = shared_from_this();
    timer_->clear();
    end({});
  }
  void let_go() override {
    if (timer_) timer_->clear();
  }

  std::optional<Timer> timer_;  // empty: a thread waits
};

class PromiseTicket final : public Ticket {
 public:
  using Ticket::Ticket;
};

class OffloadTicket final : public Ticket {
 public:
  using Ticket::Ticket;

 private:
  // What the work uses must not be freed while it is at work.
  bool ends_when_cancelled() const override { return false; }
};

class OffloadJob final : public ThreadPool::Job {
 public:
  OffloadJob(std::shared_ptr<OffloadTicket> ticket, std::function<void()> work)
      : ticket_(std::move(ticket)), work_(std::move(work)) {}
  void run() override {
    work_();
    work_ = nullptr;  // what it keeps is released before anybody hears of its end
    ticket_->end({});
  }
  void drop() override { run(); }

 private:
  const std::shared_ptr<OffloadTicket> ticket_;
  std::function<void()> work_;
};

using Resolver = std::shared_ptr<PromiseTicket>;

}  // namespace

TicketPtr make_timer(Waiter waiter, TimePoint now, std::uint64_t ns) {
  const auto most = static_cast<std::uint64_t>((kNoDeadline - now).count());
  const TimePoint when = ns < most ? now + Duration(static_cast<Duration::rep>(ns)) : kNoDeadline;
  return std::make_shared<TimerTicket>(std::move(waiter), when)->hand_out();
}

TicketPtr make_promise(Waiter waiter, void** resolver) {
  auto ticket = std::make_unique<Resolver>(std::make_shared<PromiseTicket>(std::move(waiter)));
  TicketPtr handed_out = (*ticket)->hand_out();
  *resolver = ticket.release();
  return handed_out;
}

void resolve(void* resolver, bento_code code, const bento_value* or_null,
             const bento_error* error) {
  const std::unique_ptr<Resolver> ticket(static_cast<Resolver*>(resolver));
  if (code == BENTO_PENDING) {
    return (*ticket)->end(Status(BENTO_INTERNAL, "a promise cannot be resolved with PENDING"));
  }
  if (code != BENTO_OK) {
    return (*ticket)->end(error == nullptr ? Status(code, "the promise failed without saying why")
                                           : Status::from_plugin(code, *error));
  }
  if (or_null == nullptr) return (*ticket)->end({});
  auto copy = wire::Value::copy(*or_null);
  if (!copy.ok()) return (*ticket)->end(std::move(copy).take_status().as_misuse());
  Ticket::Values values;
  values.push_back(*std::move(copy));
  (*ticket)->end({}, std::move(values));
}

Result<TicketPtr> offload(Waiter waiter, ThreadPool& threads, std::function<void()> work) {
  auto ticket = std::make_shared<OffloadTicket>(std::move(waiter));
  TicketPtr handed_out = ticket->hand_out();
  Status status = threads.run(std::make_unique<OffloadJob>(std::move(ticket), std::move(work)));
  if (!status.ok()) return status;
  return handed_out;
}

}  // namespace bentohost::plugin
