// Counts which word follows which in a text, and writes what was counted as the model's file. Run
// at build time:
//   tokens_train alice.txt alice.model
// Each line is a context of one word, or of two, a tab, and all words that have followed it, as
// often as they have. "." stands for the beginning of a sentence.
#include <fstream>
#include <iostream>
#include <map>
#include <string>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: tokens_train TEXT MODEL\n";
    return 2;
  }
  std::ifstream text(argv[1]);
  const std::string sentence = ".";
  std::map<std::string, std::string> next;
  std::string before, last = sentence;
  for (std::string word; text >> word;) {
    if (!before.empty()) next[before + " " + last] += " " + word;
    next[last] += " " + word;
    before = last;
    last = word;
    const auto end = word.find_last_not_of("\"”)’") + 1;
    if (end > 0 && std::string(".!?").find(word[end - 1]) != std::string::npos) {
      next[word] += " .";
      before.clear();
      last = sentence;
    }
  }
  std::ofstream model(argv[2]);
  for (const auto& [context, words] : next) model << context << '\t' << words.substr(1) << '\n';
  model.close();
  if (!next.empty() && model) return 0;
  std::cerr << "tokens_train: cannot read " << argv[1] << ", or write " << argv[2] << '\n';
  return 1;
}
