// Requests during a reload: a snapshot replaces another while they are in flight.
#include "service/routing/routing_snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "fakes/fake_clock.h"
#include "fakes/fake_exchange.h"
#include "fakes/fake_plugin.h"
#include "fakes/local_service.h"
#include "service/routing/dispatcher.h"

namespace bentohost::service {
namespace {

using testing::HasSubstr;
using testing::Not;

// Two generations of a service; each answers with its name.
class RoutingSnapshotTest : public testing::Test {
 protected:
  struct Version {
    explicit Version(const char* name) {
      plugin.on_invoke = [name](bento_ctx*, const bento_value&, bento_sink* sink,
                                bento_error* error) {
        bento_value out{};
        out.size = sizeof out;
        out.kind = BENTO_BYTES;
        out.bytes = {name, std::char_traits<char>::length(name)};
        return sink->value(sink, &out, error);
      };
    }
    fakes::FakePlugin plugin;
    std::shared_ptr<const LiveService> service;
  };

  void load(Version& version, const std::string& prefix = "") {
    auto instance = version.plugin.instance();
    ASSERT_TRUE(instance.ok()) << instance.status().message();
    version.service = fakes::start(*std::move(instance), prefix);
  }
  void serve(Version& version) {
    load(version);
    ASSERT_TRUE(fakes::serve(dispatcher_, {version.service}).ok());
  }
  std::string ask(std::string method, std::string path) {
    fakes::FakeExchange exchange(std::move(method), std::move(path));
    fakes::ask(dispatcher_, exchange);
    return std::to_string(exchange.response().status) + " " + exchange.response().body;
  }

  fakes::FakeClock clock_;
  observe::Metrics metrics_{"test"};
  RequestDeps deps_{clock_, metrics_};
  Version old_{"old"}, new_{"new"};
  Dispatcher dispatcher_{deps_};
};

TEST_F(RoutingSnapshotTest, HasOnlyTheHostsPagesUntilThereIsOne) {
  EXPECT_EQ(ask("GET", "/livez"), "200 ok\n");
  EXPECT_THAT(ask("POST", "/echo"), HasSubstr("404"));
}

TEST_F(RoutingSnapshotTest, IsTakenByAllRequestsThatComeAfterItsPublication) {
  serve(old_);
  EXPECT_EQ(ask("POST", "/echo"), "200 old");
  new_.plugin.echo.route = to_bento("/other");
  serve(new_);
  EXPECT_THAT(ask("POST", "/echo"), HasSubstr("404"));
  EXPECT_EQ(ask("POST", "/other"), "200 new");
}

TEST_F(RoutingSnapshotTest, IsNotTakenByARequestWhoseHeadCameBefore) {
  serve(old_);
  fakes::FakeExchange exchange("POST", "/echo");
  exchange.target = dispatcher_.plan(exchange.request()).target;
  serve(new_);
  dispatcher_.handle(exchange);
  EXPECT_EQ(exchange.response().body, "old");
}

TEST_F(RoutingSnapshotTest, TakesWithItAPathWithParameters) {
  old_.plugin.echo.route = to_bento("/models/{name}");
  serve(old_);
  fakes::FakeExchange exchange("POST", "/models/iris");
  exchange.target = dispatcher_.plan(exchange.request()).target;
  serve(new_);
  old_.plugin.on_invoke = [this](bento_ctx* ctx, const bento_value& in, bento_sink* sink,
                                 bento_error* error) {
    const bento_pairs params = old_.plugin.host->scope(ctx)->path_params;
    EXPECT_EQ(params.len, 1u);
    EXPECT_EQ(to_view(params.ptr[0].value), "iris");
    return sink->value(sink, &in, error);
  };
  dispatcher_.handle(exchange);
  EXPECT_EQ(exchange.response().status, 200);
}

TEST_F(RoutingSnapshotTest, AnswersWhatWasNowhereWhenItsHeadCame) {
  fakes::FakeExchange exchange("POST", "/echo");
  exchange.target = dispatcher_.plan(exchange.request()).target;
  serve(new_);
  dispatcher_.handle(exchange);
  EXPECT_EQ(exchange.response().body, "new");
  EXPECT_EQ(deps_.slots, 0u);
}

TEST_F(RoutingSnapshotTest, IsHeldByItsRequestsAndByNobodyElse) {
  serve(old_);
  const std::weak_ptr<const LiveService> service = old_.service;
  old_.service.reset();
  auto exchange = std::make_unique<fakes::FakeExchange>("POST", "/echo");
  exchange->target = dispatcher_.plan(exchange->request()).target;
  serve(new_);
  EXPECT_FALSE(service.expired()) << "there is a request whose body is on its way";
  exchange.reset();
  EXPECT_TRUE(service.expired());
}

TEST_F(RoutingSnapshotTest, CountsTheRequestsOfAGeneration) {
  serve(old_);
  std::size_t during = 0;
  old_.plugin.on_invoke = [&](bento_ctx*, const bento_value& in, bento_sink* sink,
                              bento_error* error) {
    during = old_.service->leases;
    return sink->value(sink, &in, error);
  };
  ask("POST", "/echo");
  EXPECT_EQ(during, 1u);
  EXPECT_EQ(old_.service->leases, 0u);
}

TEST_F(RoutingSnapshotTest, KeepsTheSeriesOfARouteThatIsGone) {
  serve(old_);
  ask("POST", "/echo");
  new_.plugin.echo.route = to_bento("/other");
  serve(new_);
  EXPECT_THAT(metrics_.text(), HasSubstr("route=\"/echo\""));
  ask("POST", "/echo");
  EXPECT_THAT(metrics_.text(), HasSubstr("code=\"404\",method=\"POST\",route=\"__unmatched__\""));
}

TEST_F(RoutingSnapshotTest, RefusesTwoOnOnePathAndLeavesThePresentOne) {
  serve(old_);
  load(new_);
  const Status status = fakes::serve(dispatcher_, {old_.service, new_.service});
  EXPECT_EQ(status.code(), BENTO_FAILED_PRECONDITION);
  EXPECT_EQ(ask("POST", "/echo"), "200 old");
}

// Its middleware changes the path after the snapshot was replaced.
class RoutingSnapshotMiddlewareTest : public RoutingSnapshotTest {
 protected:
  RoutingSnapshotMiddlewareTest() {
    rewrite_.size = sizeof rewrite_;
    rewrite_.name = to_bento("rewrite");
    rewrite_.user = this;
    rewrite_.on_request = [](void*, const bento_middleware* m, bento_exchange* e,
                             bento_error* error) {
      auto& self = *static_cast<RoutingSnapshotMiddlewareTest*>(m->user);
      if (self.in_between_) self.in_between_();
      return e->set(e, to_bento("path"), to_bento(self.path_), error);
    };
    old_.plugin.middleware[0] = &rewrite_;
    old_.plugin.service.n_middleware = 1;
  }

  bento_middleware rewrite_{};
  std::string path_ = "/echo";
  std::function<void()> in_between_;
};

TEST_F(RoutingSnapshotMiddlewareTest, GoesOnInItsOwnGeneration) {
  serve(old_);
  in_between_ = [this] { serve(new_); };
  EXPECT_EQ(ask("POST", "/echo"), "200 old");
}

TEST_F(RoutingSnapshotMiddlewareTest, DoesNotReachWhatOnlyTheNextGenerationHas) {
  serve(old_);
  path_ = "/other";
  in_between_ = [this] {
    new_.plugin.echo.route = to_bento("/other");
    serve(new_);
  };
  EXPECT_THAT(ask("POST", "/echo"), HasSubstr("404"));
}

TEST_F(RoutingSnapshotMiddlewareTest, ReachesTheHostsPages) {
  serve(old_);
  path_ = "/livez";
  in_between_ = [this] { serve(new_); };
  EXPECT_THAT(ask("GET", "/echo"), HasSubstr("200 ok"));
}

}  // namespace
}  // namespace bentohost::service
