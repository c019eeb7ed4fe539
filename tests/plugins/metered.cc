// A service with metrics of its own: of its handlers, of its runner and of each kind.
#include <unistd.h>

#include <bento/bento.hpp>
#include <string>
#include <thread>

#ifndef HELP
#define HELP "Words of the texts."
#endif

namespace {

const bento::Counter words{"metered_words_total", HELP, {"language"}};

struct Tagger {
  std::string tag(std::string_view text) {
    words("en").add(static_cast<double>(text.size()));
    lengths.observe(static_cast<double>(text.size()));
    last.set(static_cast<double>(text.size()));
    if (text == "later") {
      std::thread([counter = words] { counter("of a thread").add(); }).detach();
    }
    return std::to_string(::getpid());
  }

  bento::Histogram lengths{"metered_text_bytes", "Sizes of the texts.", {1, 10, 100}};
  bento::Gauge last{"metered_last_bytes", "Size of the last text."};
};

}  // namespace

BENTO_SERVICE(svc) {
  svc.name("metered").option("conflict", false, "whether it defines a metric twice");
  auto tagger = svc.runner<Tagger>("tagger");
  svc.api("tag", tagger.method<&Tagger::tag>("tag"));
  const bento::Counter made{"metered_items_total", "Items made.", {"kind"}};
  const bento::Gauge level{"metered_level", "What was asked for."};
  svc.api("make", [=](std::string_view kind) {
    made(kind).add();
    level.add(0.5);
    words("in the host").add();
    return std::string("made");
  });
  svc.on_startup([](const bento::Options& options) {
    if (options.boolean("conflict")) bento::Gauge("metered_level", "Another.", {"x"});
  });
}
