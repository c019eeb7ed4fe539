// A reload moved step by step, with a puppet in place of files, processes and plugins: what is done
// in which order, and what is left when a step fails, is late or is cancelled.
#include "reload/reload_transaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "fakes/fake_clock.h"

namespace bentohost::reload {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing::Not;
using testing::Pair;

constexpr Duration kLimit = 30s;

// What the puppet is asked for, in its order. The step libraries comes twice: the first is
// "brought" here.
const std::vector<std::string> kOrder = {
    "copy",    "elf",       "brought", "probe",    "abi",        "options",
    "symbols", "libraries", "load",    "create",   "on_startup", "start_runners",
    "routes",  "runners",   "sample",  "on_ready", "swap"};

std::vector<std::string> up_to(const std::string& step) {
  return {kOrder.begin(), std::next(std::find(kOrder.begin(), kOrder.end(), step))};
}

// What reloads meet, and what they leave behind.
struct PuppetWorld {
  fakes::FakeClock clock;
  observe::Metrics metrics{"test"};
  std::atomic<bool> is_cancelled = false;

  // What is to happen, by the names above.
  std::string fails_in;
  std::string cancels_in;
  std::map<std::string, Duration> takes;
  std::string hangs_in;      // a plugin call, which does not return within the limit
  std::string not_begun_in;  // a plugin call, which no thread comes to within the limit
  bool is_same_file = false, has_same_bytes = false;
  int looks_until_warm = 1;

  // What has happened.
  std::vector<std::string> calls;
  std::set<std::string> there;  // of the generations after the first: what is begun, and not undone
  std::uint64_t generation = 1;
  std::vector<std::shared_ptr<void>> serving;  // what the slot holds
  std::string plugin_call;                     // the last that was asked for
  std::vector<std::function<void()>> kept;     // calls, by threads that hang in them

  Status step(const std::string& name) {
    calls.push_back(name);
    if (const auto at = takes.find(name); at != takes.end()) clock.advance(at->second);
    if (cancels_in == name) is_cancelled = true;
    return fails_in == name ? Status(BENTO_INTERNAL, "no " + name + " today") : Status();
  }
  // It is there from now on, until it is dropped.
  std::shared_ptr<void> begin(const std::string& what) {
    const std::string name = what + " " + std::to_string(generation + 1);
    there.insert(name);
    return {this, [name](PuppetWorld* world) { world->there.erase(name); }};
  }
  // On a "thread".
  void run(std::function<void()> call) {
    if (plugin_call == not_begun_in) {
      clock.advance(kLimit);
      return kept.push_back(std::move(call));
    }
    call();
    if (plugin_call != hangs_in) return;
    clock.advance(kLimit);
    kept.push_back(std::move(call));
  }
};

class PuppetSteps final : public ReloadSteps {
 public:
  explicit PuppetSteps(PuppetWorld& world) : world_(world) {}

  Serving serving() const override { return {"iris", world_.generation, "1.0"}; }
  bool is_file_serving() const override { return world_.is_same_file; }
  Status copy(Progress& progress) override {
    begin("copy");
    progress.enter(Step::kCopy);
    if (Status status = world_.step("copy"); !status.ok()) return status;
    progress.enter(Step::kElf);
    if (Status status = world_.step("elf"); !status.ok()) return status;
    progress.enter(Step::kLibraries);
    return world_.step("brought");
  }
  bool is_copy_serving() override { return world_.has_same_bytes; }
  Status probe(Progress& progress) override {
    for (const Step step : {Step::kProbe, Step::kAbi, Step::kOptions}) {
      progress.enter(step);
      if (world_.is_cancelled) return Status(BENTO_UNAVAILABLE, "the probe is cancelled");
      if (Status status = world_.step(name_of(step)); !status.ok()) return status;
    }
    return {};
  }
  Status check_symbols() override { return world_.step("symbols"); }
  Status check_libraries() override { return world_.step("libraries"); }
  Status load() override {
    service_ = world_.begin("service");
    return world_.step("load");
  }
  std::function<Status()> plugin_call(Step step) override {
    world_.plugin_call = name_of(step);
    return [&world = world_, service = service_, step] { return world.step(name_of(step)); };
  }
  void start_runners() override {
    begin("runners");
    (void)world_.step("start_runners");
  }
  Status make_routes() override {
    begin("routes");
    return world_.step("routes");
  }
  Result<bool> are_runners_warm() const override {
    if (Status status = world_.step("runners"); !status.ok()) return status;
    return --world_.looks_until_warm <= 0;
  }
  std::string missing_runners() const override { return "runner iris.model"; }
  Status try_samples() override { return world_.step("sample"); }
  void swap() override {
    (void)world_.step("swap");
    begun_.push_back(std::move(service_));
    world_.serving = std::exchange(begun_, {});
    ++world_.generation;
  }

 private:
  void begin(const std::string& what) { begun_.push_back(world_.begin(what)); }

  PuppetWorld& world_;
  std::vector<std::shared_ptr<void>> begun_;
  std::shared_ptr<void> service_;
};

class ReloadTransactionTest : public testing::Test {
 protected:
  ReloadResult reload(ReloadOptions options = {false, kLimit, true}) {
    return ReloadTransaction(std::make_unique<PuppetSteps>(world_), options,
                             {world_.clock, world_.metrics, world_.is_cancelled,
                              [this](std::function<void()> call) { world_.run(std::move(call)); },
                              [this] { world_.clock.advance(1s); }})
        .run();
  }
  // That the result is counted so often, and no other is.
  void expect_counted(const std::string& result, int times) const {
    std::vector<std::string> lines;
    std::istringstream text(world_.metrics.text());
    for (std::string line; std::getline(text, line);) {
      if (line.starts_with("bentohost_reload_total{")) lines.push_back(line);
    }
    EXPECT_THAT(lines, ElementsAre("bentohost_reload_total{result=\"" + result +
                                   "\",service=\"iris\"} " + std::to_string(times)));
  }
  // That it has ended in this step, and that the first generation serves on as if nothing had been.
  void expect_failed(const ReloadResult& result, const std::string& step, int http_status) const {
    EXPECT_FALSE(result.status.ok());
    EXPECT_EQ(result.result, step);
    EXPECT_EQ(result.http_status(), http_status);
    EXPECT_EQ(result.generation, 1u);
    EXPECT_EQ(world_.generation, 1u);
    EXPECT_THAT(result.progress.took(), Contains(Key(result.progress.step())));
    EXPECT_EQ(name_of(result.progress.step()), step);
    expect_counted(step, 1);
  }
  // That the next one has its way, whatever the one before came to.
  void expect_the_next_one_serves() {
    world_.calls.clear();
    world_.fails_in = world_.hangs_in = world_.not_begun_in = "";
    world_.takes.clear();
    world_.looks_until_warm = 1;
    const ReloadResult result = reload();
    EXPECT_EQ(result.result, "ok") << result.status.message();
    EXPECT_EQ(result.generation, 2u);
    EXPECT_THAT(world_.calls, ElementsAreArray(kOrder));
  }

  PuppetWorld world_;
};

TEST_F(ReloadTransactionTest, TakesEachStepInItsOrderAndSwapsLast) {
  const ReloadResult result = reload();
  EXPECT_TRUE(result.status.ok()) << result.status.message();
  EXPECT_EQ(result.result, "ok");
  EXPECT_EQ(result.generation, 2u);
  EXPECT_EQ(result.http_status(), 200);
  EXPECT_THAT(world_.calls, ElementsAreArray(kOrder));
  EXPECT_THAT(world_.there, ElementsAre("copy 2", "routes 2", "runners 2", "service 2"));
  expect_counted("ok", 1);
}

TEST_F(ReloadTransactionTest, LetsGoOfTheGenerationThatItReplaces) {
  (void)reload();
  EXPECT_EQ(reload().generation, 3u);
  EXPECT_THAT(world_.there, ElementsAre("copy 3", "routes 3", "runners 3", "service 3"));
}

TEST_F(ReloadTransactionTest, TellsHowLongEachStepTook) {
  world_.takes = {{"copy", 1s},   {"brought", 2s},    {"libraries", 3s},
                  {"load", 40s},  // it has no limit
                  {"create", 4s}, {"on_startup", 5s}, {"start_runners", 6s}};
  world_.looks_until_warm = 8;
  const ReloadResult result = reload();
  EXPECT_THAT(
      result.progress.took(),
      ElementsAre(Pair(Step::kCopy, 1s), Pair(Step::kElf, 0s), Pair(Step::kLibraries, 5s),
                  Pair(Step::kProbe, 0s), Pair(Step::kAbi, 0s), Pair(Step::kOptions, 0s),
                  Pair(Step::kSymbols, 0s), Pair(Step::kLoad, 40s), Pair(Step::kCreate, 4s),
                  Pair(Step::kOnStartup, 11s), Pair(Step::kRoutes, 0s), Pair(Step::kRunners, 7s),
                  Pair(Step::kSample, 0s), Pair(Step::kOnReady, 0s), Pair(Step::kSwap, 0s)));
}

TEST_F(ReloadTransactionTest, TriesNoSamplesUnlessItIsTold) {
  const ReloadResult result = reload({false, kLimit, false});
  EXPECT_EQ(result.result, "ok");
  EXPECT_THAT(world_.calls, Not(Contains("sample")));
  EXPECT_THAT(result.progress.took(), Not(Contains(Key(Step::kSample))));
}

// ---- what serves already ----

TEST_F(ReloadTransactionTest, DoesNothingForAFileThatServes) {
  world_.is_same_file = true;
  const ReloadResult result = reload();
  EXPECT_TRUE(result.status.ok());
  EXPECT_EQ(result.result, "unchanged");
  EXPECT_EQ(result.http_status(), 200);
  EXPECT_EQ(result.generation, 1u);
  EXPECT_THAT(world_.calls, IsEmpty());
  expect_counted("unchanged", 1);
}

TEST_F(ReloadTransactionTest, EndsAfterTheCopyThatHasTheBytesThatServe) {
  world_.has_same_bytes = true;
  const ReloadResult result = reload();
  EXPECT_TRUE(result.status.ok());
  EXPECT_EQ(result.result, "unchanged");
  EXPECT_EQ(result.generation, 1u);
  EXPECT_THAT(world_.calls, ElementsAreArray(up_to("brought")));
  EXPECT_THAT(world_.there, IsEmpty());
  expect_counted("unchanged", 1);
}

TEST_F(ReloadTransactionTest, ReplacesWhatIsTheSameWhenItIsForced) {
  world_.is_same_file = world_.has_same_bytes = true;
  const ReloadResult result = reload({true, kLimit, true});
  EXPECT_EQ(result.result, "ok");
  EXPECT_EQ(result.generation, 2u);
  EXPECT_THAT(world_.calls, ElementsAreArray(kOrder));
}

// ---- steps that fail ----

struct Failing {
  const char* step;     // the puppet's
  const char* is_told;  // the step of the result
  int http_status;
};
class ReloadStepFails : public ReloadTransactionTest,
                        public testing::WithParamInterface<Failing> {};

TEST_P(ReloadStepFails, LeavesTheOldGenerationServingAndUndoesWhatWasBegun) {
  const auto [step, is_told, http_status] = GetParam();
  world_.fails_in = step;
  const ReloadResult result = reload();
  expect_failed(result, is_told, http_status);
  EXPECT_EQ(result.status.message(), "no " + std::string(step) + " today");
  EXPECT_THAT(world_.calls, ElementsAreArray(up_to(step)));
  EXPECT_THAT(world_.there, IsEmpty());
  expect_the_next_one_serves();
}

INSTANTIATE_TEST_SUITE_P(
    Each, ReloadStepFails,
    testing::Values(Failing{"copy", "copy", 409}, Failing{"elf", "elf", 422},
                    Failing{"brought", "libraries", 409}, Failing{"probe", "probe", 422},
                    Failing{"abi", "abi", 422}, Failing{"options", "options", 422},
                    Failing{"symbols", "symbols", 422}, Failing{"libraries", "libraries", 409},
                    Failing{"load", "load", 422}, Failing{"create", "create", 422},
                    Failing{"on_startup", "on_startup", 422}, Failing{"routes", "routes", 422},
                    Failing{"runners", "runners", 409}, Failing{"sample", "sample", 422},
                    Failing{"on_ready", "on_ready", 422}),
    [](const auto& of) { return std::string(of.param.step); });

// ---- steps that are late ----

class PluginCallIsLate : public ReloadTransactionTest,
                         public testing::WithParamInterface<const char*> {};

TEST_P(PluginCallIsLate, MayTakeAllOfItsLimit) {
  world_.takes[GetParam()] = kLimit - 1ns;
  EXPECT_EQ(reload().result, "ok");
}

TEST_P(PluginCallIsLate, IsLeftBehindWithItsServiceAlone) {
  world_.hangs_in = GetParam();
  world_.takes[GetParam()] = kLimit;
  const ReloadResult result = reload();
  expect_failed(result, GetParam(), 422);
  EXPECT_EQ(result.status.code(), BENTO_DEADLINE_EXCEEDED);
  EXPECT_EQ(result.status.message(), "service iris: " + std::string(GetParam()) +
                                         " did not return within 30 s (--reload-timeout); it is "
                                         "left behind");
  EXPECT_THAT(world_.calls, ElementsAreArray(up_to(GetParam())));
  EXPECT_THAT(world_.there, ElementsAre("service 2"));
  world_.kept.clear();  // it returns
  EXPECT_THAT(world_.there, IsEmpty());
  expect_the_next_one_serves();
}

TEST_P(PluginCallIsLate, IsNeverMadeOnceNobodyWaitsForIt) {
  world_.not_begun_in = GetParam();
  const ReloadResult result = reload();
  expect_failed(result, GetParam(), 422);
  EXPECT_EQ(result.status.code(), BENTO_RESOURCE_EXHAUSTED);
  EXPECT_EQ(result.status.message(),
            "service iris: " + std::string(GetParam()) +
                " was not called: 16 others have never returned; restart bentohost");
  ASSERT_EQ(world_.kept.size(), 1u);
  world_.kept[0]();  // a thread comes to it after all
  EXPECT_THAT(world_.calls, Not(Contains(GetParam())));
  world_.kept.clear();
  EXPECT_THAT(world_.there, IsEmpty());
  expect_the_next_one_serves();
}

INSTANTIATE_TEST_SUITE_P(Each, PluginCallIsLate,
                         testing::Values("create", "on_startup", "on_ready"),
                         [](const auto& of) { return std::string(of.param); });

TEST_F(ReloadTransactionTest, HasTheWholeLimitForEachStep) {
  for (const char* step : {"create", "on_startup", "on_ready"}) world_.takes[step] = kLimit - 1ns;
  world_.looks_until_warm = 30;
  EXPECT_EQ(reload().result, "ok");
}

TEST_F(ReloadTransactionTest, WaitsForTheRunnersNoLongerThanTheLimit) {
  world_.looks_until_warm = 31;  // a second between two looks: warm at the limit itself
  EXPECT_EQ(reload().result, "ok");
  world_.generation = 1;
  world_.looks_until_warm = 32;
  world_.calls.clear();
  const ReloadResult result = reload();
  EXPECT_EQ(result.result, "runners");
  EXPECT_EQ(result.http_status(), 409);
  EXPECT_EQ(result.status.message(), "runner iris.model, after --reload-timeout");
  EXPECT_THAT(result.progress.took(), Contains(Pair(Step::kRunners, kLimit)));
  EXPECT_EQ(world_.generation, 1u);
  EXPECT_EQ(world_.calls.back(), "runners");
}

// ---- cancellation ----

struct Cancelled {
  const char* in;       // the puppet's step
  const char* ends_in;  // the next step that looks at it
  int http_status;
};

class ReloadIsCancelled : public ReloadTransactionTest,
                          public testing::WithParamInterface<Cancelled> {};

TEST_P(ReloadIsCancelled, EndsInTheNextStepThatWaitsAndUndoesWhatWasBegun) {
  const auto [in, ends_in, http_status] = GetParam();
  world_.cancels_in = in;
  world_.looks_until_warm = std::string(ends_in) == "runners" ? 1000 : 1;
  const TimePoint begun = world_.clock.now();
  const ReloadResult result = reload();
  expect_failed(result, ends_in, http_status);
  EXPECT_EQ(result.status.code(), BENTO_UNAVAILABLE);
  EXPECT_EQ(world_.clock.now(), begun) << "it has waited";
  EXPECT_THAT(world_.there, IsEmpty());
  std::vector<std::string> later(up_to("swap"));
  later.erase(later.begin(), std::next(std::find(later.begin(), later.end(), ends_in)));
  for (const std::string& step : later) EXPECT_THAT(world_.calls, Not(Contains(step)));
}

INSTANTIATE_TEST_SUITE_P(
    Each, ReloadIsCancelled,
    testing::Values(Cancelled{"copy", "probe", 422}, Cancelled{"elf", "probe", 422},
                    Cancelled{"brought", "probe", 422}, Cancelled{"options", "create", 422},
                    Cancelled{"symbols", "create", 422}, Cancelled{"libraries", "create", 422},
                    Cancelled{"load", "create", 422}, Cancelled{"create", "create", 422},
                    Cancelled{"on_startup", "on_startup", 422},
                    Cancelled{"start_runners", "runners", 409}, Cancelled{"routes", "runners", 409},
                    Cancelled{"runners", "runners", 409}, Cancelled{"sample", "on_ready", 422},
                    Cancelled{"on_ready", "on_ready", 422}),
    [](const auto& of) { return std::string(of.param.in); });

TEST_F(ReloadTransactionTest, LeavesACancelledCallBehindWithItsServiceAlone) {
  world_.cancels_in = world_.hangs_in = "create";
  const ReloadResult result = reload();
  expect_failed(result, "create", 422);
  EXPECT_EQ(result.status.message(), "the server is shutting down");
  EXPECT_THAT(world_.there, ElementsAre("service 2"));
  world_.kept.clear();
  EXPECT_THAT(world_.there, IsEmpty());
}

TEST_F(ReloadTransactionTest, ServesWhenItIsCancelledInTheSwapItself) {
  world_.cancels_in = "swap";
  EXPECT_EQ(reload().result, "ok");
  EXPECT_EQ(world_.generation, 2u);
}

TEST_F(ReloadTransactionTest, IsNotBegunPastTheProbeOnceReloadsAreCancelled) {
  world_.is_cancelled = true;
  expect_failed(reload(), "probe", 422);
  EXPECT_THAT(world_.calls, ElementsAreArray(up_to("brought")));
}

}  // namespace
}  // namespace bentohost::reload
