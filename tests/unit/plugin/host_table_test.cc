// The bento_host as a plugin sees it: every call leads to the context behind the handle.
#include "plugin/host_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugin/context.h"
#include "wire/value.h"

namespace bentohost::plugin {
namespace {

using testing::ElementsAre;
using testing::Pair;

// A context that does nothing by itself, like that of a runner's batch.
struct BareContext final : bento_ctx {};

struct FakeTicket final : bento_ticket {
  explicit FakeTicket(int& released) : released_(released) {}
  Result<Results> wait() override { return Results(results_); }
  Result<Results> next() override { return Status(BENTO_PENDING, {}); }
  bool when(void (*)(void*), void*) override { return true; }
  void release() override {
    ++released_;
    delete this;
  }
  int& released_;
  bento_value result_{};
  const bento_value* results_[1] = {&result_};
};

struct FakeContext final : bento_ctx {
  const bento_scope* scope() override { return &scope_; }
  std::string_view request_id() const override { return "r1"; }
  Status set_status(std::uint32_t given) override {
    status = given;
    return {};
  }
  Status add_header(std::string_view name, std::string_view value) override {
    headers.emplace_back(name, value);
    return {};
  }
  bool cancelled() const override { return true; }
  Result<plugin::TicketPtr> submit(std::string_view runner, std::string_view method,
                                   std::span<const bento_value* const> in) override {
    if (runner != "clf") return Status(BENTO_NOT_FOUND, "there is no runner");
    called = std::string(method) + " with " + std::to_string(in.size());
    return plugin::TicketPtr(new FakeTicket(released));
  }

  bento_scope scope_{};
  std::uint32_t status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string called;
  int released = 0;
};

class HostTableTest : public testing::Test {
 protected:
  HostTableTest() { error_.size = sizeof error_; }

  struct Line {
    LogLevel level;
    std::string message;
    std::vector<std::pair<std::string, std::string>> fields;
  };
  std::vector<Line> lines_;
  HostTable table_{
      "1.2", R"({"a":1})", "/plugins",
      [this](LogLevel level, std::string_view message, std::span<const LogField> fields) {
        Line& line = lines_.emplace_back(Line{level, std::string(message), {}});
        for (const LogField& field : fields)
          line.fields.emplace_back(field.name, field.value.text());
      }};
  const bento_host* host_ = table_.get();
  FakeContext ctx_;
  bento_error error_{};
};

TEST_F(HostTableTest, IsFilledIn) {
  EXPECT_EQ(host_->size, sizeof *host_);
  EXPECT_EQ(host_->abi_major, BENTO_ABI_MAJOR);
  EXPECT_EQ(to_view(host_->version), "1.2");
  EXPECT_EQ(to_view(host_->options), R"({"a":1})");
  EXPECT_EQ(to_view(host_->plugin_dir), "/plugins");
}

TEST_F(HostTableTest, LogsWithTheRequestsId) {
  const bento_pair field{to_bento("k"), to_bento("v")};
  host_->log(host_, &ctx_, BENTO_LOG_WARNING, to_bento("careful"), {&field, 1});
  host_->log(host_, nullptr, BENTO_LOG_INFO, to_bento("hello"), {});
  ASSERT_EQ(lines_.size(), 2u);
  EXPECT_EQ(lines_[0].level, LogLevel::kWarning);
  EXPECT_EQ(lines_[0].message, "careful");
  EXPECT_THAT(lines_[0].fields, ElementsAre(Pair("request_id", "r1"), Pair("k", "v")));
  EXPECT_TRUE(lines_[1].fields.empty());
}

TEST_F(HostTableTest, TakesLevelsThatThereAreNotForTheNearest) {
  host_->log(host_, nullptr, 1000, to_bento("x"), {});
  host_->log(host_, nullptr, -5, to_bento("x"), {});
  EXPECT_EQ(lines_[0].level, LogLevel::kError);
  EXPECT_EQ(lines_[1].level, LogLevel::kTrace);
}

TEST_F(HostTableTest, LeadsToTheRequest) {
  EXPECT_EQ(host_->scope(&ctx_), &ctx_.scope_);
  EXPECT_EQ(host_->set_status(&ctx_, 201, &error_), BENTO_OK);
  EXPECT_EQ(ctx_.status, 201u);
  EXPECT_EQ(host_->add_header(&ctx_, {to_bento("X-A"), to_bento("b")}, &error_), BENTO_OK);
  EXPECT_THAT(ctx_.headers, ElementsAre(Pair("X-A", "b")));
  EXPECT_NE(host_->cancelled(&ctx_), 0);
}

TEST_F(HostTableTest, LendsATicketUntilItIsReleased) {
  const bento_value input{};
  const bento_value* const inputs[] = {&input};
  bento_ticket* ticket = nullptr;
  ASSERT_EQ(host_->submit(&ctx_, to_bento("clf"), to_bento("predict"), inputs, 1, &ticket, &error_),
            BENTO_OK);
  EXPECT_EQ(ctx_.called, "predict with 1");
  const bento_value* const* values = nullptr;
  std::size_t n = 0;
  EXPECT_EQ(host_->wait(ticket, &values, &n, &error_), BENTO_OK);
  EXPECT_EQ(n, 1u);
  EXPECT_EQ(ctx_.released, 0);
  host_->release(ticket);
  EXPECT_EQ(ctx_.released, 1);
}

TEST_F(HostTableTest, GivesNoTicketForWhatWasRefused) {
  bento_ticket* ticket = nullptr;
  EXPECT_EQ(host_->submit(&ctx_, to_bento("no"), {}, nullptr, 0, &ticket, &error_),
            BENTO_NOT_FOUND);
  EXPECT_STREQ(error_.message, "there is no runner");
  EXPECT_EQ(error_.http_status, 500u) << "its own mistake, and not the client's";
  EXPECT_EQ(ticket, nullptr);
}

TEST_F(HostTableTest, RefusesInARunnerWhatBelongsToARequest) {
  BareContext bare;
  bento_ticket* ticket = nullptr;
  EXPECT_EQ(host_->scope(&bare), nullptr);
  EXPECT_EQ(host_->set_status(&bare, 200, &error_), BENTO_UNIMPLEMENTED);
  EXPECT_EQ(host_->add_header(&bare, {}, &error_), BENTO_UNIMPLEMENTED);
  EXPECT_EQ(host_->set_route(&bare, to_bento("/a"), &error_), BENTO_UNIMPLEMENTED);
  EXPECT_EQ(host_->submit(&bare, {}, {}, nullptr, 0, &ticket, &error_), BENTO_UNIMPLEMENTED);
  EXPECT_EQ(host_->cancelled(&bare), 0);
}

TEST_F(HostTableTest, TakesNoBackgroundTaskThatItWouldNotRun) {
  int touched = 0;
  const auto task = [](void* arg, bento_ctx*, bento_error*) {
    return bento_code{++*static_cast<int*>(arg)};
  };
  const auto drop = [](void* arg) { ++*static_cast<int*>(arg); };
  EXPECT_EQ(host_->defer(&ctx_, task, &touched, drop, &error_), BENTO_UNIMPLEMENTED);
  EXPECT_EQ(touched, 0) << "an error takes no ownership";
}

}  // namespace
}  // namespace bentohost::plugin
