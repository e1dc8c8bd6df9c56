// Logits to answers, as edge_ptf/tasks/ has it (docs/package.md section 5).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine.h"
#include "manifest.h"
#include "tokenizer.h"

namespace edge_ptf {

struct Word {
  size_t begin_byte, end_byte;
  size_t begin_character, end_character;
  size_t tag;
  double score;
};

struct Entity {
  size_t type;  // an index of Task::types
  size_t first_word, last_word;
  double score;
};

// One answer; the memory is kept for the next.
struct Answer {
  bool made = false;
  bool out_of_scope = false;
  const std::string* label = nullptr;  // classification
  double score = 0;
  std::vector<double> probabilities;  // of the classes; for tags, of the last word
  std::vector<Word> words;
  std::vector<Entity> entities;
  void clear();
  const std::vector<uint32_t>& best_first() const;  // class ids; sorted when asked for

 private:
  mutable std::vector<uint32_t> order_;
};

class Task {
 public:
  explicit Task(const TaskSpec& spec);

  edge_ptf_kind kind() const { return kind_; }
  const TaskSpec& spec() const { return spec_; }
  const std::vector<std::string>& types() const { return types_; }

  void classify(const Logits& logits, Answer& answer) const;
  // `position`: of the text's first token among the rows; `tokens`: the text's own, in order.
  void tag(const Logits& logits, std::string_view text, const std::vector<Token>& tokens, size_t position,
           Answer& answer) const;

 private:
  // A BIO tag: O has no type.
  struct Tag {
    enum Part : uint8_t { kOutside, kBegin, kInside } part;
    size_t type;
  };

  void find_entities(Answer& answer) const;

  TaskSpec spec_;
  edge_ptf_kind kind_;
  std::vector<std::string> types_;
  std::vector<Tag> tags_;
  size_t outside_ = 0;
};

}  // namespace edge_ptf
