// The kind "triple": entities as the kind "token" finds them, and one relation for each ordered pair of them.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "heads/head.h"
#include "package/field.h"

namespace edge_ptf::core {

std::unique_ptr<Head> make_token_head(const HeadSpec& spec);

namespace {

constexpr size_t kMostRelations = 1 << 16;
constexpr size_t kMostLinks = 1 << 12;

class TripleHead final : public Head {
 public:
  explicit TripleHead(const HeadSpec& given)
      : Head(given), logits_(need_output("logits", {Axis::kBatch, Axis::kToken, Axis::kLabel})) {
    const nlohmann::json content = nlohmann::json::parse(spec().options);
    const Field options(content, "manifest.json", "heads." + spec().name + ".options");
    for (const Field& relation : options["relations"].items(kMostRelations)) {
      relations_.push_back(relation.text());
    }
    links_ = options["links"].whole(0, kMostLinks);
    const size_t others = 2 * (relations_.size() + links_);
    if (spec().labels.size() <= others) {
      refuse("manifest.json: heads: " + in_quotes(spec().name) + " has too few labels for its relations and links");
    }
    tags_ = spec().labels.size() - others;
    HeadSpec tagging = spec();
    tagging.kind = "token";
    tagging.labels.resize(tags_);
    tagger_ = make_token_head(tagging);
  }

  bool answers_a_list() const override { return true; }
  bool answers_with_text() const override { return true; }

  void decode(const TextContext* context, Answer& answer) const override {
    if (context == nullptr) {
      return;  // words exist only in a text
    }
    tag(context, answer);
    for (size_t i = 0; i < answer.answers.size(); ++i) {
      for (size_t j = 0; j < answer.answers.size(); ++j) {
        if (i != j) {
          relate(i, j, answer);
        }
      }
    }
  }

 private:
  // The answer of a head that has the columns of the tags alone.
  void tag(const TextContext* context, Answer& answer) const {
    const Tensor whole = answer.tensors[logits_];
    const size_t tokens = whole.shape[0];
    answer.tag_logits.resize(tokens * tags_);
    for (size_t i = 0; i < tokens; ++i) {
      std::copy_n(whole.values + i * whole.shape[1], tags_,
                  answer.tag_logits.begin() + static_cast<ptrdiff_t>(i * tags_));
    }
    Tensor& tags = answer.tensors[logits_];
    tags.values = answer.tag_logits.data();
    tags.shape[1] = tags_;
    tagger_->decode(context, answer);
    answer.tensors[logits_] = whole;
  }

  // The relation between two entities, by their first tokens. No relation has the score 0, and is the first class.
  void relate(size_t subject, size_t object, Answer& answer) const {
    const Tensor& logits = answer.tensors[logits_];
    const float* first = logits.values + answer.word_rows[answer.answers[subject].first_word] * logits.shape[1] + tags_;
    const float* second = logits.values + answer.word_rows[answer.answers[object].first_word] * logits.shape[1] + tags_;
    const size_t count = relations_.size();
    double link = 0;
    for (size_t i = 0; i < links_; ++i) {
      link += double{first[2 * count + i]} * double{second[2 * count + links_ + i]};
    }
    answer.probabilities.assign(1 + count, 0.0);
    for (size_t i = 0; i < count; ++i) {
      answer.probabilities[1 + i] = double{first[i]} + double{second[count + i]} + link;
    }
    softmax(answer.probabilities);
    const size_t best = largest_index(answer.probabilities);
    answer.score = std::min(answer.score, answer.probabilities[best]);
    if (best == 0) {
      return;
    }
    const double ends = std::min(answer.answers[subject].score, answer.answers[object].score);
    answer.relations.push_back(make_item(relations_[best - 1], std::min(ends, answer.probabilities[best])));
    answer.relations.back().subject = subject;
    answer.relations.back().object = object;
  }

  size_t logits_;
  std::vector<std::string> relations_;
  size_t links_ = 0;
  size_t tags_ = 0;  // the number of columns that are tags
  std::unique_ptr<Head> tagger_;
};

}  // namespace

std::unique_ptr<Head> make_triple_head(const HeadSpec& spec) {
  return std::make_unique<TripleHead>(spec);
}

}  // namespace edge_ptf::core
