// Routes and prefixes of services that are to stand beside each other, at the start and in a
// reload.
#include "reload/routing_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes/fake_exchange.h"
#include "fakes/fake_plugin.h"
#include "fakes/local_service.h"

namespace bentohost::reload {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// A service in the test's own process: two APIs, /echo and /raw, or a middleware that counts.
struct Version {
  explicit Version(const char* service) { plugin.service.name = to_bento(service); }

  void become_middleware() {
    counter.size = sizeof counter;
    counter.name = to_bento("counter");
    counter.user = &requests;
    counter.on_request = [](void*, const bento_middleware* m, bento_exchange*, bento_error*) {
      ++*static_cast<int*>(m->user);
      return bento_code{BENTO_OK};
    };
    plugin.middleware[0] = &counter;
    plugin.service.n_middleware = 1;
    plugin.service.n_apis = 0;
  }
  std::shared_ptr<service::LiveService> start(const std::string& prefix = "") {
    auto live = std::make_shared<service::LiveService>(*plugin.instance(), prefix);
    EXPECT_TRUE(live->create().ok());
    EXPECT_TRUE(live->start().ok());
    return live;
  }

  fakes::FakePlugin plugin;
  bento_middleware counter{};
  int requests = 0;
};

class RoutingChangeTest : public testing::Test {
 protected:
  ServiceSlot& slot(Version& version, const std::string& prefix = "") {
    ServiceSlot& made = slots_.all.emplace_back();
    made.live = version.start(prefix);
    made.service = made.live->spec().name;
    return made;
  }
  // --use, around this service or, "", each.
  ServiceSlot& use(Version& version, const std::string& around = "") {
    version.become_middleware();
    ServiceSlot& made = slot(version);
    made.options.is_around = true;
    made.options.around = around;
    return made;
  }
  // As at the start.
  Status serve() {
    RoutingChange change(dispatcher_, slots_);
    for (const ServiceSlot& slot : slots_.all) {
      if (Status status = change.add(slot); !status.ok()) return status;
    }
    change.publish();
    change.hand_over();
    return {};
  }
  // What POST is answered there.
  int status_at(const std::string& path) {
    fakes::FakeExchange exchange("POST", path);
    fakes::ask(dispatcher_, exchange);
    return exchange.response().status;
  }

  SteadyClock clock_;
  observe::Metrics metrics_{"test"};
  service::RequestDeps deps_{clock_, metrics_};
  Version iris_{"iris"}, rose_{"rose"}, next_{"iris"}, other_{"other"};
  service::Dispatcher dispatcher_{deps_};
  ServiceSlots slots_;
};

TEST_F(RoutingChangeTest, ServesEachServiceBelowItsPrefix) {
  slot(iris_, "/a");
  slot(rose_, "/b");
  ASSERT_TRUE(serve().ok());
  EXPECT_EQ(status_at("/a/echo"), 200);
  EXPECT_EQ(status_at("/b/echo"), 200);
  EXPECT_EQ(status_at("/echo"), 404);
}

TEST_F(RoutingChangeTest, RefusesTwoServicesOfOnePrefixWhoseRoutesCollide) {
  slot(iris_, "/a");
  slot(rose_, "/a");
  const Status status = serve();
  EXPECT_EQ(status.code(), BENTO_FAILED_PRECONDITION);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("/a/echo"), HasSubstr("iris"), HasSubstr("rose")));
  EXPECT_EQ(status_at("/a/echo"), 404) << "nothing is published";
}

TEST_F(RoutingChangeTest, LetsTwoServicesHaveOnePrefixWhoseRoutesDiffer) {
  slot(iris_, "/a");
  rose_.plugin.echo.route = to_bento("/other");
  rose_.plugin.service.n_apis = 1;
  slot(rose_, "/a");
  ASSERT_TRUE(serve().ok());
  EXPECT_EQ(status_at("/a/echo"), 200);
  EXPECT_EQ(status_at("/a/other"), 200);
}

TEST_F(RoutingChangeTest, IsNotSeenBeforeItsPublication) {
  ServiceSlot& iris = slot(iris_);
  ASSERT_TRUE(serve().ok());
  next_.plugin.echo.route = to_bento("/new");
  RoutingChange change(dispatcher_, slots_);
  ASSERT_TRUE(change.add(iris, next_.start()).ok());
  EXPECT_EQ(status_at("/echo"), 200);
  EXPECT_EQ(status_at("/new"), 404);
  change.publish();
  EXPECT_EQ(status_at("/echo"), 404);
  EXPECT_EQ(status_at("/new"), 200);
}

TEST_F(RoutingChangeTest, LetsGoOfTheOldServiceWhenItIsHandedOver) {
  ServiceSlot& iris = slot(iris_);
  ASSERT_TRUE(serve().ok());
  const std::weak_ptr<service::LiveService> old = iris.live;
  auto live = next_.start();
  RoutingChange change(dispatcher_, slots_);
  ASSERT_TRUE(change.add(iris, live).ok());
  change.publish();
  iris.live = live;
  EXPECT_FALSE(old.expired());
  change.hand_over();
  EXPECT_TRUE(old.expired());
}

TEST_F(RoutingChangeTest, LetsGoOfACandidateWhoseRoutesCollide) {
  ServiceSlot& iris = slot(iris_, "/a");
  slot(rose_, "/a/b");
  ASSERT_TRUE(serve().ok());
  next_.plugin.echo.route = to_bento("/b/echo");
  auto live = next_.start("/a");
  {
    RoutingChange change(dispatcher_, slots_);
    const Status status = change.add(iris, live);
    EXPECT_EQ(status.code(), BENTO_FAILED_PRECONDITION);
    EXPECT_THAT(status.message(), HasSubstr("/a/b/echo"));
  }
  EXPECT_EQ(live.use_count(), 1);
  EXPECT_EQ(status_at("/a/echo"), 200);
}

TEST_F(RoutingChangeTest, ChangesTheRoutesOfEachServiceThatAMiddlewareGoesAround) {
  ServiceSlot& iris = slot(iris_, "/a");
  ServiceSlot& rose = slot(rose_, "/b");
  ServiceSlot& each = use(other_);
  ASSERT_TRUE(serve().ok());
  status_at("/a/echo");
  status_at("/b/echo");
  EXPECT_EQ(other_.requests, 2);

  next_.become_middleware();
  RoutingChange change(dispatcher_, slots_);
  ASSERT_TRUE(change.add(each, next_.start()).ok());
  EXPECT_NE(change.routes_of(iris), nullptr);
  EXPECT_NE(change.routes_of(rose), nullptr);
  EXPECT_EQ(change.routes_of(each), nullptr) << "it has none of its own";
  change.publish();
  status_at("/a/echo");
  status_at("/b/echo");
  EXPECT_EQ(std::pair(other_.requests, next_.requests), std::pair(2, 2));
}

TEST_F(RoutingChangeTest, LeavesTheRoutesOfOtherServicesThanTheOneThatAMiddlewareGoesAround) {
  ServiceSlot& iris = slot(iris_, "/a");
  ServiceSlot& rose = slot(rose_, "/b");
  ServiceSlot& around_rose = use(other_, "rose");
  ASSERT_TRUE(serve().ok());
  status_at("/a/echo");
  EXPECT_EQ(other_.requests, 0);
  RoutingChange change(dispatcher_, slots_);
  next_.become_middleware();
  ASSERT_TRUE(change.add(around_rose, next_.start()).ok());
  EXPECT_EQ(change.routes_of(iris), nullptr);
  EXPECT_NE(change.routes_of(rose), nullptr);
}

}  // namespace
}  // namespace bentohost::reload
