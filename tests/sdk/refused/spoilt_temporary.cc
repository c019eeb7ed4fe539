// g++ says: give it a name
#include <bento/bento.hpp>

using namespace std::chrono_literals;

struct Note {
  std::string text;
};
BENTO_FIELDS(Note, text)

BENTO_SERVICE(svc) {
  svc.name("refused");
  svc.api("a", [](std::string text) -> bento::Generator<Note> { co_yield Note{text}; });
}
