// Streaming runner methods, engines, lists and several values, as an author writes them.
#include <bento/bento.hpp>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;

struct Prompt {
  std::string text;
  int tokens = 3;
};
BENTO_FIELDS(Prompt, text, (tokens, bento::has_default, bento::min(0)))

struct Token {
  std::string text;
};
BENTO_FIELDS(Token, text)

// What the model keeps for a call: its place in the text.
struct Slot {
  std::string text;
  int made = 0, wanted = 0;
};

// Continuous batching: a step makes a token for each call that is there.
struct Llm {
  using Work = bento::Work<Prompt, Token>;

  void begin(Work& work) {
    const Prompt prompt = work.input();
    if (prompt.text.empty()) throw bento::Error(BENTO_INVALID_ARGUMENT, "an empty prompt");
    if (prompt.tokens == 0) return work.finish();
    work.state<Slot>(prompt.text, 0, prompt.tokens);
  }

  void step(std::span<Work*> works) {
    for (Work* work : works) {
      auto& slot = work->state<Slot>();
      if (slot.text == "crash") std::abort();
      if (slot.text == "throw") throw bento::Error(BENTO_RESOURCE_EXHAUSTED, "no memory");
      work->emit({slot.text + std::to_string(slot.made)});
      if (++slot.made == slot.wanted || work->cancelled()) work->finish();
    }
  }

  void cancel(Work& work) {
    work.log(bento::Log::kWarning, "cancelled: " + work.state<Slot>().text);
  }
};

// One call at a time, and nothing to keep.
struct Speller {
  void spell(std::string_view text, bento::Emit<std::string>& emit) {
    for (const char letter : text) {
      if (letter == '!') throw bento::Error(BENTO_INVALID_ARGUMENT, "no shouting");
      emit(std::string(1, letter));
    }
  }
  void numbers(const bento::Json& upto, bento::Emit<bento::Json>& emit) {
    const int n = std::atoi(upto.text.c_str());
    for (int i = 0; i < n; ++i) emit(std::to_string(i));
  }
  void forever(std::string_view text, bento::Emit<std::string_view>& emit) {
    struct End {
      bento::Emit<std::string_view>& emit;
      ~End() { emit.log(bento::Log::kWarning, "the end of forever"); }
    } end{emit};
    while (true) emit(text);
  }
};

// A model with a thread of its own, which takes its calls from a queue.
class Server {
 public:
  using Work = bento::Work<std::string, std::string>;

  Server() : thread_([this] { serve(); }) {}
  ~Server() {
    {
      const std::lock_guard lock(mutex_);
      is_ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void begin(Work work) {
    if (work.input() == "drop") return;
    {
      const std::lock_guard lock(mutex_);
      works_.push_back(std::move(work));
    }
    changed_.notify_all();
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return is_ending_ || !works_.empty(); });
      if (is_ending_) return;
      std::vector<Work> works = std::exchange(works_, {});
      lock.unlock();
      for (Work& work : works) answer(work);
      works.clear();
      lock.lock();
    }
  }
  static void answer(Work& work) {
    const std::string text = work.input();
    for (const char letter : text) work.emit(std::string(1, letter));
    work.finish();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Work> works_;
  bool is_ending_ = false;
  std::thread thread_;
};

// A server that answers a call when the next one comes.
struct Pairs {
  using Work = bento::Work<std::string, std::string>;
  void begin(Work work) {
    if (!waiting) return void(waiting.emplace(std::move(work)));
    const std::string first = waiting->input(), second = work.input();
    waiting->finish(first + " before " + second);
    work.finish(second + " after " + first);
    waiting.reset();
  }
  std::optional<Work> waiting;
};

struct Document {
  std::string title;
  int pages = 1;
};
BENTO_FIELDS(Document, title, (pages, bento::min(1)))

struct Encoded {
  bento::TensorView<std::int64_t> ids, mask;
  std::optional<std::string_view> language;
};
BENTO_VALUES(Encoded, (ids, bento::shape(-1, 2)), (mask, bento::shape(-1, 2)), language)

struct Scored {
  bento::Tensor<double> scores;
  std::string language;
  bento::Json notes;
};
BENTO_VALUES(Scored, scores, language, (notes, bento::as("remarks")))

struct Sides {
  bento::TensorView<double> a, b;
};
BENTO_VALUES(Sides, a, b)

struct Embedder {
  std::vector<std::string> upper(bento::Batch<std::string_view> texts) {
    std::vector<std::string> all;
    for (auto i : bento::rows(texts)) {
      if (texts[i].empty()) texts.fail(i, BENTO_INVALID_ARGUMENT, "an empty text");
      std::string text(texts[i]);
      for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
      all.push_back(text + " of " + std::to_string(texts.size()));
    }
    return all;
  }
  std::vector<Document> grow(std::span<const Document> documents) {
    std::vector<Document> all(documents.begin(), documents.end());
    for (Document& document : all) ++document.pages;
    return all;
  }
  std::vector<bento::Tensor<double>> sums(bento::Batch<bento::TensorView<double>> ragged) {
    std::vector<bento::Tensor<double>> all;
    for (const auto& one : ragged) {
      double sum = 0;
      for (const double x : one) sum += x;
      all.push_back(bento::Tensor<double>{sum});
    }
    return all;
  }
  bento::Tensor<double> halves(bento::BatchContext& batch, bento::TensorView<double> x) {
    auto halves = bento::Tensor<double>::copy(x);
    for (auto i : bento::rows(x)) {
      if (x(i) < 0) batch.fail(batch.caller_of(i), BENTO_INVALID_ARGUMENT, "a negative number");
      halves(i) /= 2;
    }
    return halves;
  }
  std::string who(bento::BatchContext& batch, std::string_view) {
    const bento::Caller caller = batch.caller(0);
    return std::string(caller.request_id) + " " + std::string(caller.traceparent) +
           (caller.deadline ? " due" : "");
  }
  Scored score(const Encoded& in) {
    auto scores = bento::Tensor<double>::zeros({in.ids.rows()});
    for (auto i : bento::rows(in.ids)) {
      scores(i) = static_cast<double>(in.ids(i, 0) * in.mask(i, 0) + in.ids(i, 1) * in.mask(i, 1));
    }
    return {scores, std::string(in.language.value_or("none")), bento::Json(R"({"by":"score"})")};
  }
  bento::Tensor<double> add(const Sides& sides) {
    auto sums = bento::Tensor<double>::copy(sides.a);
    for (auto i : bento::rows(sums)) sums(i) += sides.b(i);
    return sums;
  }
};

}  // namespace

BENTO_SERVICE(svc) {
  svc.name("generating");
  auto llm = svc.runner<Llm>("llm");
  auto generate =
      llm.engine<&Llm::begin, &Llm::step, &Llm::cancel>("generate", {.max_concurrent = 32});
  svc.api("tokens", generate, {.stream = bento::As::kEvents});
  svc.api("token_lines", generate, {.stream = bento::As::kLines});
  svc.api("chat", [=](bento::Context& ctx, Prompt prompt) -> bento::Generator<bento::Event> {
    auto tokens = generate.stream(ctx, prompt);
    while (auto token = co_await tokens.next()) co_yield {.data = token->text};
    co_yield {.data = "[DONE]"};
  });
  svc.api("whole", [=](bento::Context& ctx, const Prompt& prompt) {
    std::string all;
    auto tokens = generate.stream(ctx, prompt);
    for (const Token& token : tokens) all += token.text + " ";
    return all;
  });
  svc.api("first", [=](bento::Context& ctx, Prompt prompt) -> bento::Async<std::string> {
    auto tokens = generate.stream(ctx, prompt);
    auto token = co_await tokens.next();
    co_return token ? token->text : "none";
  });
  svc.api("both", [=](bento::Context& ctx, Prompt prompt) -> bento::Async<std::string> {
    auto a = generate.stream(ctx, prompt);
    auto b = generate.stream(ctx, prompt);
    std::string all;
    while (auto token = co_await a.next()) {
      auto other = co_await b.next().within(10s);
      all += token->text + "/" + other->text + " ";
    }
    co_return all;
  });

  auto speller = svc.runner<Speller>("speller");
  auto spell = speller.stream<&Speller::spell>("spell");
  auto numbers = speller.stream<&Speller::numbers>("numbers");
  auto forever = speller.stream<&Speller::forever>("forever");
  svc.api("spell", spell);
  svc.api("numbers", numbers, {.stream = bento::As::kLines});
  svc.api("forever", forever);
  svc.api("sum", [=](bento::Context& ctx, bento::Json upto) -> bento::Async<std::string> {
    long sum = 0;
    auto all = numbers.stream(ctx, upto);
    while (auto number = co_await all.next()) sum += std::atol(number->text.c_str());
    co_return std::to_string(sum);
  });
  svc.api("sum_on_thread", [=](bento::Context& ctx, bento::Json upto) {
    long sum = 0;
    auto all = numbers.stream(ctx, upto);
    for (const bento::Json& number : all) sum += std::atol(number.text.c_str());
    return std::to_string(sum);
  });

  auto server = svc.runner<Server>("server").engine<&Server::begin>("spell", {.max_concurrent = 8});
  svc.api("served", server);
  auto pairs = svc.runner<Pairs>("pairs").concurrent<&Pairs::begin>("pair", {.max_concurrent = 8});
  svc.api("pair", pairs);
  svc.api("pair_of_one", [=](bento::Context& ctx, std::string text) -> bento::Async<std::string> {
    auto a = pairs.async_run(ctx, text + "1");
    auto b = pairs.async_run(ctx, text + "2");
    co_return co_await a + ", " + co_await b;
  });

  auto embedder = svc.runner<Embedder>("embedder");
  auto upper = embedder.method<&Embedder::upper>(
      "upper", {.max_batch = 16, .batch = bento::kLists, .max_batch_wait_us = 200'000});
  auto grow = embedder.method<&Embedder::grow>("grow", {.batch = bento::kLists});
  auto sums = embedder.method<&Embedder::sums>("sums", {.batch = bento::kLists});
  auto halves = embedder.method<&Embedder::halves>(
      "halves", {.batchable = true, .max_batch_wait_us = 200'000});
  auto who = embedder.method<&Embedder::who>("who");
  auto score = embedder.method<&Embedder::score>("score");
  auto add = embedder.method<&Embedder::add>("add", {.batchable = true});
  svc.api("upper", upper).api("grow", grow).api("sums", sums).api("halves", halves);
  svc.api("who", who).api("score", score).api("add", add);
  svc.api("scored", [=](bento::Context& ctx, Encoded in) { return score.run(ctx, in); });
  svc.api("scored_later", [=](bento::Context& ctx, Encoded in) -> bento::Async<Scored> {
    co_return co_await score.async_run(ctx, in);
  });
}
