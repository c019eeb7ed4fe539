#include "plugin/async_scope.h"

#include <cassert>
#include <memory>
#include <vector>

#include "plugin/ticket.h"

namespace bentohost::plugin {

AsyncScope::~AsyncScope() { assert(first_ == nullptr); }

void AsyncScope::add(Ticket& ticket) {
  ticket.in_scope_ = {true, nullptr, first_};
  if (first_ != nullptr) first_->in_scope_.previous = &ticket;
  first_ = &ticket;
}

void AsyncScope::remove(Ticket& ticket) {
  const Ticket::Link link = std::exchange(ticket.in_scope_, {});
  if (!link.is_in) return;
  if (link.next != nullptr) link.next->in_scope_.previous = link.previous;
  (link.previous == nullptr ? first_ : link.previous->in_scope_.next) = link.next;
}

void AsyncScope::cancel(const Status& why) {
  if (!over_.ok()) return;
  over_ = why;
  // A plugin that is woken may release any of them.
  std::vector<std::shared_ptr<Ticket>> all;
  for (Ticket* each = first_; each != nullptr; each = each->in_scope_.next) {
    all.push_back(each->shared_from_this());
  }
  for (const auto& ticket : all) ticket->cancel(over_);
}

void AsyncScope::close() {
  owner_ = nullptr;
  while (first_ != nullptr) {
    const std::shared_ptr<Ticket> ticket = first_->shared_from_this();
    remove(*ticket);
    ticket->leave_scope();
  }
}

}  // namespace bentohost::plugin
