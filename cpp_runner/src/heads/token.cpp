// The kind "token": a BIO tag for each word, and the entities that the tags form.
#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "heads/head.h"
#include "package/field.h"
#include "utf8.h"

namespace edge_ptf::core {
namespace {

// Each word takes memory, and words behind max_length tokens have no answer of their own.
constexpr size_t kMostWords = 1 << 20;
// The row of logits of a word without a token.
constexpr uint32_t kNoRow = std::numeric_limits<uint32_t>::max();

// A word is a maximal run of characters that are not white space.
void find_words(std::string_view text, const edge_ptf_item& untagged, std::vector<edge_ptf_item>& words) {
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
        if (words.size() == kMostWords) {
          refuse("the text has more than " + std::to_string(kMostWords) + " words; truncate it first");
        }
        words.push_back(untagged);
        words.back().begin_byte = byte;
        words.back().begin_character = character;
        words.back().first_word = words.back().last_word = words.size() - 1;
        inside = true;
      }
      words.back().end_byte = byte + decoded.size;
      words.back().end_character = character + 1;
    }
    at += decoded.size;
  }
}

class TokenHead final : public Head {
 public:
  explicit TokenHead(const HeadSpec& given)
      : Head(given), logits_(need_output("logits", {Axis::kBatch, Axis::kToken, Axis::kLabel})) {
    outside_ = spec().labels.size();
    for (const std::string& label : spec().labels) {
      if (label == "O") {
        outside_ = tags_.size();
        tags_.push_back({Tag::kOutside, 0});
        continue;
      }
      if (label.size() < 3 || (label[0] != 'B' && label[0] != 'I') || label[1] != '-') {
        refuse("manifest.json: heads: the label " + in_quotes(label) + " of " + in_quotes(spec().name) +
               " is not a BIO tag");
      }
      const std::string type = label.substr(2);
      const auto found = std::find(types_.begin(), types_.end(), type);
      tags_.push_back({label[0] == 'B' ? Tag::kBegin : Tag::kInside, static_cast<size_t>(found - types_.begin())});
      if (found == types_.end()) {
        types_.push_back(type);
      }
    }
    if (outside_ == spec().labels.size()) {
      refuse("manifest.json: heads: " + in_quotes(spec().name) + " has no label O");
    }
    read_decoding();
  }

  void decode(const TextContext* context, Answer& answer) const override {
    if (context == nullptr) {
      return;  // words exist only in a text
    }
    edge_ptf_item untagged = make_item(spec().labels[outside_], 1.0);
    untagged.flags = EDGE_PTF_HAS_PLACE;
    find_words(context->text, untagged, answer.words);
    find_rows(context->encoding, answer);
    tag_words(answer);
    find_entities(answer);
    answer.made = true;
  }

  bool answers_a_list() const override { return true; }

 private:
  struct Tag {
    enum Part : uint8_t { kOutside, kBegin, kInside } part;
    size_t type;  // an index of types_; of no use outside
  };

  void read_decoding() {
    const nlohmann::json content = nlohmann::json::parse(spec().options);
    const Field options(content, "manifest.json", "heads." + spec().name + ".options");
    const std::string decoding = options.text_or("decoding", "greedy");
    if (decoding == "greedy") {
      return;
    }
    if (decoding != "constrained") {
      refuse("manifest.json: heads: " + in_quotes(spec().name) + " has the unknown decoding " + in_quotes(decoding));
    }
    constrained_ = true;
    begin_of_.assign(tags_.size(), kNoTag);
    for (size_t i = 0; i < tags_.size(); ++i) {
      if (tags_[i].part != Tag::kInside) {
        continue;
      }
      for (size_t j = 0; j < tags_.size(); ++j) {
        if (tags_[j].part == Tag::kBegin && tags_[j].type == tags_[i].type) {
          begin_of_[i] = j;
        }
      }
      if (begin_of_[i] == kNoTag) {
        refuse("manifest.json: heads: " + in_quotes(spec().name) + " has the label " + in_quotes(spec().labels[i]) +
               " without B-, which the decoding 'constrained' needs");
      }
    }
  }

  // The first token that shares a character with a word decides its tag. One token can be the first of two words.
  static void find_rows(const Encoding& encoding, Answer& answer) {
    const std::vector<Token>& tokens = encoding.tokens;
    const std::vector<edge_ptf_item>& words = answer.words;
    answer.word_rows.assign(words.size(), kNoRow);
    size_t word = 0;
    size_t decided = 0;  // the words before this one have a row
    for (size_t i = 0; i < tokens.size(); ++i) {
      const Token& token = tokens[i];
      while (word < words.size() && words[word].begin_byte < token.end) {
        if (word >= decided && words[word].end_byte > token.begin) {
          answer.word_rows[word] = static_cast<uint32_t>(encoding.text_position + i);
          decided = word + 1;
        }
        if (words[word].end_byte > token.end) {
          break;
        }
        ++word;
      }
    }
  }

  const float* row(const Answer& answer, size_t word) const {
    const Tensor& logits = answer.tensors[logits_];
    return logits.values + answer.word_rows[word] * logits.shape[1];
  }

  void tag_words(Answer& answer) const {
    const size_t count = answer.words.size();
    answer.word_labels.assign(count, static_cast<uint32_t>(outside_));
    answer.score = 1.0;
    for (size_t first = 0; first < count; ++first) {  // the word behind a run has no row, or there is none
      size_t end = first;
      while (end < count && answer.word_rows[end] != kNoRow) {
        ++end;
      }
      if (constrained_ && end > first) {
        choose_sequence(answer, first, end);
      }
      for (; first < end; ++first) {
        softmax(row(answer, first), tags_.size(), answer.probabilities);
        if (!constrained_) {
          answer.word_labels[first] = static_cast<uint32_t>(largest_index(answer.probabilities));
        }
        const uint32_t label = answer.word_labels[first];
        answer.words[first].label = spec().labels[label].c_str();
        answer.words[first].score = answer.probabilities[label];
        answer.score = std::min(answer.score, answer.words[first].score);
      }
    }
  }

  // Viterbi's algorithm over the words from `first` to before `end`: the sequence with the largest sum of logits in
  // which every I- tag continues an entity of its type. Of equal sums the smallest class wins, as in Python.
  void choose_sequence(Answer& answer, size_t first, size_t end) const {
    const size_t labels = tags_.size();
    std::vector<double>& total = answer.probabilities;
    std::vector<double>& before = answer.path_sums;
    std::vector<uint32_t>& back = answer.path_labels;
    total.resize(labels);
    before.resize(labels);
    back.resize((end - first) * labels);
    for (size_t i = 0; i < labels; ++i) {
      total[i] =
          tags_[i].part == Tag::kInside ? -std::numeric_limits<double>::infinity() : double{row(answer, first)[i]};
    }
    for (size_t word = first + 1; word < end; ++word) {
      before.swap(total);
      const float* logits = row(answer, word);
      uint32_t* from = back.data() + (word - first) * labels;
      const size_t best = largest_index(before);
      for (size_t i = 0; i < labels; ++i) {
        size_t chosen = best;
        if (tags_[i].part == Tag::kInside) {
          const size_t lower = std::min(i, begin_of_[i]);
          const size_t higher = std::max(i, begin_of_[i]);
          chosen = before[lower] >= before[higher] ? lower : higher;
        }
        from[i] = static_cast<uint32_t>(chosen);
        total[i] = before[chosen] + double{logits[i]};
      }
    }
    auto label = static_cast<uint32_t>(largest_index(total));
    for (size_t word = end; word-- > first;) {
      answer.word_labels[word] = label;
      label = back[(word - first) * labels + label];
    }
  }

  // The rules of conlleval: an I- tag that does not continue an entity of its type begins one.
  void find_entities(Answer& answer) const {
    bool open = false;
    size_t type = 0;  // of the open entity
    for (size_t i = 0; i < answer.words.size(); ++i) {
      const edge_ptf_item& word = answer.words[i];
      const Tag& tag = tags_[answer.word_labels[i]];
      if (open && tag.part == Tag::kInside && type == tag.type) {
        edge_ptf_item& entity = answer.answers.back();
        entity.score = std::min(entity.score, word.score);
        entity.end_byte = word.end_byte;
        entity.end_character = word.end_character;
        entity.last_word = i;
        continue;
      }
      open = tag.part != Tag::kOutside;
      type = tag.type;
      if (open) {
        answer.answers.push_back(word);
        answer.answers.back().label = types_[type].c_str();
      }
    }
  }

  static constexpr size_t kNoTag = std::numeric_limits<size_t>::max();

  size_t logits_;
  std::vector<std::string> types_;
  std::vector<Tag> tags_;
  size_t outside_ = 0;
  bool constrained_ = false;
  std::vector<size_t> begin_of_;  // of each I- tag the B- tag of its type; empty if decoding is greedy
};

}  // namespace

std::unique_ptr<Head> make_token_head(const HeadSpec& spec) {
  return std::make_unique<TokenHead>(spec);
}

}  // namespace edge_ptf::core
