#include "supervise/control.h"

#include <fcntl.h>

namespace bentohost::supervise {
namespace {

struct Pair {
  Pair() {
    auto made = Control::make();
    EXPECT_TRUE(made.ok());
    auto [first, second] = *std::move(made);
    ours = std::move(first);
    theirs = Control(std::move(second));
  }
  Control ours, theirs;
};

TEST(Control, MessagesArriveWholeAndInOrder) {
  Pair pair;
  EXPECT_TRUE(pair.ours.send("stop 15"));
  EXPECT_TRUE(pair.ours.send("hand_over"));
  EXPECT_EQ(pair.theirs.receive(), "stop 15");
  EXPECT_EQ(pair.theirs.receive(), "hand_over");
  EXPECT_EQ(pair.theirs.receive(), std::nullopt);
  EXPECT_FALSE(pair.theirs.has_ended());
}

TEST(Control, WhatWasSaidBeforeTheEndIsHeard) {
  Pair pair;
  EXPECT_TRUE(pair.theirs.send("ready"));
  pair.theirs = Control();
  EXPECT_EQ(pair.ours.receive(), "ready");
  EXPECT_FALSE(pair.ours.has_ended());
  EXPECT_EQ(pair.ours.receive(), std::nullopt);
  EXPECT_TRUE(pair.ours.has_ended());
  EXPECT_FALSE(pair.ours.send("stop 15"));  // and no SIGPIPE
}

TEST(Control, OneThatDoesNotReadKeepsNobody) {
  Pair pair;
  int sent = 0;
  while (sent < 1'000'000 && pair.ours.send("beat")) ++sent;
  EXPECT_LT(sent, 1'000'000);
}

TEST(Control, BothEndsCloseOnExec) {
  Pair pair;
  for (const Control* end : {&pair.ours, &pair.theirs}) {
    EXPECT_NE(::fcntl(end->fd(), F_GETFD) & FD_CLOEXEC, 0);
  }
}

}  // namespace
}  // namespace bentohost::supervise
