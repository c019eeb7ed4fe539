// A ticket that gets several results before its loop turns wakes who waits for them once.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "fakes/fake_clock.h"
#include "plugin/ticket.h"

namespace bentohost::plugin {
namespace {

using namespace std::chrono_literals;

class PlainTicket final : public Ticket {
 public:
  using Ticket::Ticket;
};

// Reads all that is there, and asks to be woken again.
struct Reader {
  static void go_on(void* self) {
    auto& reader = *static_cast<Reader*>(self);
    ++reader.woken;
    while (reader.ticket.next().ok()) ++reader.read;
    EXPECT_TRUE(reader.ticket.when(&go_on, self));
  }
  bento_ticket& ticket;
  int woken = 0, read = 0;
};

class TicketWakeTest : public testing::Test, public AsyncScope::Owner {
 protected:
  TicketWakeTest() { scope_->open(loop_); }
  ~TicketWakeTest() override { scope_->close(); }

  void wake(const Wake& wake) override { wake.function(wake.arg); }
  void on_wait() override {}
  void add() { ticket_->add({views_, nullptr, 0}); }

  fakes::FakeClock clock_;
  EventLoop loop_{clock_};
  std::shared_ptr<AsyncScope> scope_ = std::make_shared<AsyncScope>(*this);
  std::shared_ptr<PlainTicket> ticket_ =
      std::make_shared<PlainTicket>(Waiter{scope_, kNoDeadline, {}});
  const std::vector<bento_value> views_ = std::vector<bento_value>(1);
};

TEST_F(TicketWakeTest, DoesNotWakeAgainForAResultThatTheFirstWakeHasTaken) {
  const TicketPtr held = ticket_->hand_out();
  Reader reader{*held};
  EXPECT_TRUE(held->when(&Reader::go_on, &reader));
  add();
  add();
  loop_.step(0ms);
  EXPECT_EQ(reader.woken, 1);
  EXPECT_EQ(reader.read, 2);
  add();
  loop_.step(0ms);
  EXPECT_EQ(reader.woken, 2);
  EXPECT_EQ(reader.read, 3);
}

}  // namespace
}  // namespace bentohost::plugin
