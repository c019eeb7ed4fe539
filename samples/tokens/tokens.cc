// A toy language model, served as a real one is: conversations come and go in one batch that never
// stops, tokens are sent as they come, and who stops listening stops the model.
#include <bento/bento.hpp>
#include <chrono>
#include <span>
#include <thread>

#include "model.h"

struct Prompt {
  std::string text;
  int max_tokens = 60;
  double temperature = 0.4;
  int seed = 1;
};
BENTO_FIELDS(Prompt, text, (max_tokens, bento::has_default, bento::min(1), bento::max(100000)),
             (temperature, bento::has_default, bento::min(0.0), bento::max(1.0)),
             (seed, bento::has_default, bento::doc("the same seed gives the same answer")))

struct Token {
  std::string text;
};
BENTO_FIELDS(Token, text)

class Engine {
 public:
  explicit Engine(const bento::RunnerContext& context)
      : turn_(std::chrono::milliseconds(context.options().integer("turn_ms"))) {
    const std::string path = context.options().path("model");
    if (!model_.read(path)) throw bento::Error(BENTO_INVALID_ARGUMENT, path + ": not a model");
  }

  // A prompt joins the batch.
  void begin(bento::Work<Prompt, Token>& work) {
    const Prompt prompt = work.input();
    work.state<Conversation>(
        model_.begin(prompt.text, prompt.temperature, static_cast<std::uint64_t>(prompt.seed)),
        prompt.max_tokens);
    talking_.add(1);
  }

  // One turn: each conversation gets its next token.
  void step(std::span<bento::Work<Prompt, Token>*> works) {
    std::this_thread::sleep_for(turn_);  // what a real model would compute
    for (bento::Work<Prompt, Token>* work : works) {
      auto& conversation = work->state<Conversation>();
      work->emit({model_.next(conversation.slot)});
      made_.add(1);
      if (--conversation.left == 0) end(*work);
    }
  }

  // Nobody listens any more.
  void cancel(bento::Work<Prompt, Token>& work) {
    stopped_.add(1);
    end(work);
  }

 private:
  struct Conversation {
    LanguageModel::Slot slot;
    int left;
  };

  void end(bento::Work<Prompt, Token>& work) {
    talking_.add(-1);
    work.finish();
  }

  const std::chrono::milliseconds turn_;
  LanguageModel model_;
  bento::Gauge talking_{"tokens_conversations", "Conversations in the batch."};
  bento::Counter made_{"tokens_made_total", "Tokens that the model has made."};
  bento::Counter stopped_{"tokens_stopped_total", "Conversations that were stopped by the client."};
};

BENTO_SERVICE(svc) {
  svc.name("tokens").version("1.0").doc("A toy language model");
  svc.option("model", "alice.model", "the file that tokens_train has made");
  svc.option("turn_ms", 40u, "how long a turn of the model takes, in milliseconds");
  auto engine = svc.runner<Engine>("engine");
  auto generate = engine.engine<&Engine::begin, &Engine::step, &Engine::cancel>(
      "generate", {.max_concurrent = 32});

  // From the model to the client, with no code of the plugin in between.
  svc.api("generate", generate,
          {.doc = "Tokens, as server-sent events.", .stream = bento::As::kEvents});

  // The same with words of our own around it.
  svc.api("chat", {.doc = "An answer, token by token, and how it ended."},
          [generate](bento::Context& ctx, Prompt prompt) -> bento::Generator<bento::Event> {
            int count = 0;
            auto tokens = generate.stream(ctx, prompt);
            while (auto token = co_await tokens.next()) {
              ++count;
              co_yield {.data = bento::to_json(*token), .event = "token"};
            }
            co_yield {.data = "{\"tokens\":" + std::to_string(count) + "}", .event = "done"};
          });

  svc.files("/", "tokens_page");
}
