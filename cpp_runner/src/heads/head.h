// A head turns output tensors into answers (docs/package.md, section 5). Each kind has one file in this folder and one
// line in head.cpp. No other code depends on the kind of a head.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge_ptf.h"
#include "package/manifest.h"
#include "tensor.h"
#include "tokenizers/tokenizer.h"

namespace edge_ptf::core {

class Head;

// What one head answers to one text. The memory is used again for the next text.
struct Answer {
  bool made = false;
  double score = 0;
  std::vector<Tensor> tensors;           // in the order of HeadSpec::outputs
  std::vector<edge_ptf_item> answers;    // EDGE_PTF_ANSWERS
  std::vector<edge_ptf_item> words;      // EDGE_PTF_WORDS
  std::vector<edge_ptf_item> relations;  // EDGE_PTF_RELATIONS
  std::vector<double> scores;            // of each label, or none
  bool leads = false;                    // EDGE_PTF_SCORES begins with the first answer, then the other labels
  size_t led = 0;                        // with `leads`: the label of that answer; beyond the last label if it has none
  std::vector<double> probabilities;     // memory for decoding
  std::vector<uint32_t> word_labels;     // memory for decoding
  std::vector<uint32_t> word_rows;       // memory for decoding
  std::vector<double> path_sums;         // memory for decoding
  std::vector<uint32_t> path_labels;     // memory for decoding
  std::vector<float> tag_logits;         // memory for decoding
  std::vector<float> vectors;            // of each text, one after the other
  size_t vector_count = 0;               // texts with a vector
  std::string text;                      // the label of an answer that is a part of a text

  void clear();
  // The length of the list EDGE_PTF_SCORES, and one of its items. `head` is the one that answered.
  size_t score_count() const;
  edge_ptf_item score_item(const Head& head, size_t index) const;

 private:
  // The labels with the best score first, without `led`; sorted at the first call.
  const std::vector<uint32_t>& best_first() const;

  mutable bool sorted_ = false;
  mutable std::vector<uint32_t> order_;
};

// The texts that the tensors are about.
struct TextContext {
  std::string_view text;
  std::string_view pair;  // empty if there is one text
  const Encoding& encoding;
};

class Head {
 public:
  explicit Head(HeadSpec spec) : spec_(std::move(spec)) {}
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;
  virtual ~Head() = default;

  const HeadSpec& spec() const { return spec_; }

  // Fills `answer` from its tensors. `context` is null if only token ids were given. Sets `made` if it can answer.
  virtual void decode(const TextContext* context, Answer& answer) const = 0;

  // What marks two entities in a text: begin and end of the first, then of the second. Empty: the head needs no marks.
  virtual const std::vector<std::string>& markers() const {
    static const std::vector<std::string> none;
    return none;
  }

  // How many tokens two neighbouring windows of a long second text share. Empty: the head has no windows.
  virtual std::optional<size_t> stride() const { return std::nullopt; }

  // Whether an answer is a list of texts that are no labels, and the labels name columns of the logits.
  virtual bool answers_with_text() const { return false; }

  // Whether an answer is a list of labels, not one label.
  virtual bool answers_a_list() const { return false; }

  // Whether the model reads the texts of a pair alone, as two windows. The package then takes one text or two.
  virtual bool reads_texts_apart() const { return false; }

  // Whether an answer is a number, and the labels are names of numbers.
  virtual bool answers_a_number() const { return false; }

  // The labels: those of the spec, then the classes that were added. A label stays where it is.
  virtual size_t label_count() const { return spec_.labels.size(); }
  virtual const std::string& label(size_t index) const { return spec_.labels[index]; }

  // Whether programs can add classes. The head then has an output with the role "vector".
  virtual bool takes_classes() const { return false; }

  // Refuses the name of a new class: it cannot be one, or the head takes no classes.
  virtual void check_class(const std::string& name) const;

  // Adds a class whose texts have these vectors. Other threads may decode at the same time.
  virtual void add_class(const std::string& name, const std::vector<std::vector<float>>& vectors);

 protected:
  // The index of an output among HeadSpec::outputs. Refuses a spec without it, or with other axes.
  size_t need_output(const char* role, const std::vector<Axis>& axes) const;

 private:
  HeadSpec spec_;
};

// Refuses a kind that is not registered, and a spec that its kind cannot use.
std::unique_ptr<Head> make_head(const HeadSpec& spec);

// Writes the text with its two entities marked. Refuses a span that is empty, outside the text, within a character or
// in the other one, and a text that has a marker.
void mark_entities(std::string_view text, edge_ptf_span first, edge_ptf_span second,
                   const std::vector<std::string>& markers, std::string& marked);

// An item without a place in the text.
edge_ptf_item make_item(const std::string& label, double score);

// Probabilities of one row of logits, in double precision.
void softmax(const float* logits, size_t count, std::vector<double>& probabilities);

// The same in place.
void softmax(std::vector<double>& logits);

size_t largest_index(const std::vector<double>& values);

}  // namespace edge_ptf::core
