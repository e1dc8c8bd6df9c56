#include "task.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "utf8.h"

namespace edge_ptf {
namespace {

// Probabilities of one row, in double precision.
void softmax(const float* logits, size_t count, std::vector<double>& out) {
  const double largest = *std::max_element(logits, logits + count);
  out.resize(count);
  double sum = 0;
  for (size_t i = 0; i < count; ++i) {
    out[i] = std::exp(double{logits[i]} - largest);
    sum += out[i];
  }
  for (double& each : out) {
    each /= sum;
  }
}

size_t largest_index(const std::vector<double>& values) {
  return static_cast<size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

void find_words(std::string_view text, std::vector<Word>& words) {
  words.clear();
  const auto* start = reinterpret_cast<const unsigned char*>(text.data());
  const auto* end = start + text.size();
  size_t character = 0;
  bool inside = false;
  for (const unsigned char* at = start; at < end; ++character) {
    const Decoded decoded = decode_utf8(at, end);
    const auto byte = static_cast<size_t>(at - start);
    if (is_white_space(decoded.point)) {
      inside = false;
    } else {
      if (!inside) {
        words.push_back({byte, 0, character, 0, 0, 1.0});
        inside = true;
      }
      words.back().end_byte = byte + decoded.size;
      words.back().end_character = character + 1;
    }
    at += decoded.size;
  }
}

}  // namespace

void Answer::clear() {
  made = out_of_scope = false;
  label = nullptr;
  score = 0;
  probabilities.clear();
  order_.clear();
  words.clear();
  entities.clear();
}

const std::vector<uint32_t>& Answer::best_first() const {
  if (order_.size() != probabilities.size()) {
    order_.resize(probabilities.size());
    std::iota(order_.begin(), order_.end(), 0U);
    std::sort(order_.begin(), order_.end(), [this](uint32_t a, uint32_t b) {
      return probabilities[a] != probabilities[b] ? probabilities[a] > probabilities[b] : a < b;
    });
  }
  return order_;
}

Task::Task(const TaskSpec& spec) : spec_(spec) {
  if (spec.name == "text-classification") {
    kind_ = EDGE_PTF_CLASSIFICATION;
    return;
  }
  if (spec.name != "token-classification") {
    refuse("the task " + spec.name + " is not known to this runner");
  }
  kind_ = EDGE_PTF_TOKEN_CLASSIFICATION;
  outside_ = spec.labels.size();
  for (const std::string& label : spec.labels) {
    if (label == "O") {
      outside_ = tags_.size();
      tags_.push_back({Tag::kOutside, 0});
      continue;
    }
    if (label.size() < 3 || (label[0] != 'B' && label[0] != 'I') || label[1] != '-') {
      refuse("manifest.json: the label '" + label + "' is no BIO tag");
    }
    const std::string type = label.substr(2);
    const auto found = std::find(types_.begin(), types_.end(), type);
    tags_.push_back({label[0] == 'B' ? Tag::kBegin : Tag::kInside, static_cast<size_t>(found - types_.begin())});
    if (found == types_.end()) {
      types_.push_back(type);
    }
  }
  if (outside_ == spec.labels.size()) {
    refuse("manifest.json: there is no label O");
  }
}

void Task::classify(const Logits& logits, Answer& answer) const {
  answer.clear();
  softmax(logits.values, logits.columns, answer.probabilities);
  const std::vector<double>& probabilities = answer.probabilities;
  const size_t best = largest_index(probabilities);
  answer.label = &spec_.labels[best];
  answer.score = probabilities[best];
  if (spec_.out_of_scope_label) {
    answer.out_of_scope = *answer.label == *spec_.out_of_scope_label;
    if (spec_.threshold && !answer.out_of_scope && answer.score < *spec_.threshold) {
      answer.label = &*spec_.out_of_scope_label;
      answer.score = 1.0 - answer.score;
      answer.out_of_scope = true;
    }
  }
  answer.made = true;
}

void Task::tag(const Logits& logits, std::string_view text, const std::vector<Token>& tokens, size_t position,
               Answer& answer) const {
  answer.clear();
  find_words(text, answer.words);
  // The first token that shares a character with a word decides its tag. One token can begin two words.
  std::vector<Word>& words = answer.words;
  for (Word& word : words) {
    word.tag = outside_;
  }
  answer.score = 1.0;
  size_t word = 0;
  size_t decided = 0;  // words before this one have their token
  for (size_t i = 0; i < tokens.size(); ++i) {
    const Token& token = tokens[i];
    while (word < words.size() && words[word].begin_byte < token.end) {
      if (word >= decided && words[word].end_byte > token.begin) {
        softmax(logits.values + (position + i) * logits.columns, logits.columns, answer.probabilities);
        words[word].tag = largest_index(answer.probabilities);
        words[word].score = answer.probabilities[words[word].tag];
        answer.score = std::min(answer.score, words[word].score);
        decided = word + 1;
      }
      if (words[word].end_byte > token.end) {
        break;
      }
      ++word;
    }
  }
  find_entities(answer);
  answer.made = true;
}

// By the rules of conlleval: an I- tag that does not continue an entity of its type begins one.
void Task::find_entities(Answer& answer) const {
  bool open = false;
  for (size_t i = 0; i < answer.words.size(); ++i) {
    const Word& word = answer.words[i];
    const Tag& tag = tags_[word.tag];
    if (open && tag.part == Tag::kInside && answer.entities.back().type == tag.type) {
      answer.entities.back().last_word = i;
      answer.entities.back().score = std::min(answer.entities.back().score, word.score);
      continue;
    }
    open = tag.part != Tag::kOutside;
    if (open) {
      answer.entities.push_back({tag.type, i, i, word.score});
    }
  }
}

}  // namespace edge_ptf
