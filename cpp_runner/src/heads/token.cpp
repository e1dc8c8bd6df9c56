// The kind "token": a BIO tag for each word, and the entities that the tags form.
#include <algorithm>

#include "heads/head.h"
#include "utf8.h"

namespace edge_ptf::core {
namespace {

// Each word takes memory, and words behind max_length tokens have no answer of their own.
constexpr size_t kMostWords = 1 << 20;

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
  }

  void decode(const TextContext* context, Answer& answer) const override {
    if (context == nullptr) {
      return;  // words exist only in a text
    }
    edge_ptf_item untagged = make_item(spec().labels[outside_], 1.0);
    untagged.flags = EDGE_PTF_HAS_PLACE;
    find_words(context->text, untagged, answer.words);
    tag_words(context->encoding, answer);
    find_entities(answer);
    answer.made = true;
  }

  bool answers_a_list() const override { return true; }

 private:
  struct Tag {
    enum Part : uint8_t { kOutside, kBegin, kInside } part;
    size_t type;  // an index of types_; of no use outside
  };

  // The first token that shares a character with a word decides its tag. One token can be the first of two words.
  void tag_words(const Encoding& encoding, Answer& answer) const {
    const Tensor& logits = answer.tensors[logits_];
    const std::vector<Token>& tokens = encoding.tokens;
    std::vector<edge_ptf_item>& words = answer.words;
    answer.word_labels.assign(words.size(), static_cast<uint32_t>(outside_));
    answer.score = 1.0;
    size_t word = 0;
    size_t decided = 0;  // the words before this one have a tag
    for (size_t i = 0; i < tokens.size(); ++i) {
      const Token& token = tokens[i];
      while (word < words.size() && words[word].begin_byte < token.end) {
        if (word >= decided && words[word].end_byte > token.begin) {
          softmax(logits.values + (encoding.text_position + i) * logits.shape[1], logits.shape[1],
                  answer.probabilities);
          const size_t label = largest_index(answer.probabilities);
          words[word].label = spec().labels[label].c_str();
          words[word].score = answer.probabilities[label];
          answer.word_labels[word] = static_cast<uint32_t>(label);
          answer.score = std::min(answer.score, words[word].score);
          decided = word + 1;
        }
        if (words[word].end_byte > token.end) {
          break;
        }
        ++word;
      }
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

  size_t logits_;
  std::vector<std::string> types_;
  std::vector<Tag> tags_;
  size_t outside_ = 0;
};

}  // namespace

std::unique_ptr<Head> make_token_head(const HeadSpec& spec) {
  return std::make_unique<TokenHead>(spec);
}

}  // namespace edge_ptf::core
