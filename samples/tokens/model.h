// The toy language model: which words have followed a word, or two words, in the text that it was
// trained with. A token is a word with the punctuation at it.
#pragma once

#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

class LanguageModel {
 public:
  // A text that is being written: how far it is, and the dice that it is written with.
  struct Slot {
    std::string before, last = ".";  // "." is where a sentence begins
    std::mt19937_64 dice;
    double temperature = 0;
    bool is_first = true;
  };

  // The file that tokens_train has made. False: it cannot be read, or there is nothing in it.
  bool read(const std::string& path) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      const std::size_t tab = line.find('\t');
      if (tab == std::string::npos) return false;
      std::istringstream words(line.substr(tab + 1));
      std::vector<std::string>& next = next_[line.substr(0, tab)];
      for (std::string word; words >> word;) next.push_back(word);
      if (next.empty()) return false;
    }
    return next_.contains(".");
  }

  // Goes on from the last word of the prompt that the model knows, or begins a sentence.
  Slot begin(std::string_view prompt, double temperature, std::uint64_t seed) const {
    Slot slot;
    slot.temperature = temperature;
    slot.dice.seed(seed);
    std::istringstream words{std::string(prompt)};
    for (std::string word; words >> word;) {
      if (word == "." || !next_.contains(word)) continue;
      slot.before = slot.last;
      slot.last = word;
    }
    return slot;
  }

  // The next token, with the space before it.
  std::string next(Slot& slot) const {
    const std::string* word = &pick(slot);
    if (*word == ".") {  // the end of a sentence
      slot.before.clear();
      slot.last = ".";
      word = &pick(slot);
    }
    slot.before = std::exchange(slot.last, *word);
    return std::exchange(slot.is_first, false) ? *word : " " + *word;
  }

 private:
  // The hotter, the more often one word decides, and not two: less of the text that it has read.
  const std::string& pick(Slot& slot) const {
    std::uniform_real_distribution<double> chance(0, 1);
    auto found = next_.end();
    if (chance(slot.dice) >= slot.temperature) found = next_.find(slot.before + " " + slot.last);
    if (found == next_.end()) found = next_.find(slot.last);
    if (found == next_.end()) found = next_.find(".");
    const std::vector<std::string>& words = found->second;
    return words[std::uniform_int_distribution<std::size_t>(0, words.size() - 1)(slot.dice)];
  }

  std::unordered_map<std::string, std::vector<std::string>> next_;
};
