#include "heads/head.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "registry.h"

// Every kind of head: its name in the manifest, and the function that makes it.
#define EDGE_PTF_HEADS(REGISTER)                 \
  REGISTER("embedding", make_embedding_head)     \
  REGISTER("multi-label", make_multi_label_head) \
  REGISTER("prototype", make_prototype_head)     \
  REGISTER("relation", make_relation_head)       \
  REGISTER("regression", make_regression_head)   \
  REGISTER("span", make_span_head)               \
  REGISTER("text", make_text_head)               \
  REGISTER("token", make_token_head)             \
  REGISTER("triple", make_triple_head)

namespace edge_ptf::core {

#define EDGE_PTF_DECLARE(name, make) std::unique_ptr<Head> make(const HeadSpec& spec);
EDGE_PTF_HEADS(EDGE_PTF_DECLARE)
#undef EDGE_PTF_DECLARE

namespace {

struct HeadKind {
  std::string_view name;
  std::unique_ptr<Head> (*make)(const HeadSpec& spec);
};

#define EDGE_PTF_ENTRY(name, make) {name, make},
constexpr HeadKind kKinds[] = {EDGE_PTF_HEADS(EDGE_PTF_ENTRY)};
#undef EDGE_PTF_ENTRY

}  // namespace

std::unique_ptr<Head> make_head(const HeadSpec& spec) {
  return registered(kKinds, spec.kind, "head of the kind").make(spec);
}

void Answer::clear() {
  made = false;
  score = 0;
  tensors.clear();
  answers.clear();
  words.clear();
  relations.clear();
  scores.clear();
  leads = false;
  sorted_ = false;
  vectors.clear();
  vector_count = 0;
}

size_t Answer::score_count() const {
  return scores.size() + (leads && led >= scores.size() ? 1 : 0);
}

edge_ptf_item Answer::score_item(const Head& head, size_t index) const {
  if (leads && index == 0) {
    return answers.front();
  }
  const uint32_t label = best_first()[leads ? index - 1 : index];
  return make_item(head.label(label), scores[label]);
}

const std::vector<uint32_t>& Answer::best_first() const {
  if (!sorted_) {
    order_.resize(scores.size());
    std::iota(order_.begin(), order_.end(), 0U);
    if (leads && led < order_.size()) {
      order_.erase(order_.begin() + static_cast<std::ptrdiff_t>(led));
    }
    std::sort(order_.begin(), order_.end(),
              [this](uint32_t a, uint32_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
    sorted_ = true;
  }
  return order_;
}

void Head::check_class(const std::string& /*name*/) const {
  refuse("the package takes no new class: its answers are of the kind " + in_quotes(spec_.kind) + ", not 'prototype'");
}

void Head::add_class(const std::string& name, const std::vector<std::vector<float>>& /*vectors*/) {
  check_class(name);
}

size_t Head::need_output(const char* role, const std::vector<Axis>& axes) const {
  for (size_t i = 0; i < spec_.outputs.size(); ++i) {
    if (spec_.outputs[i].role == role) {
      if (spec_.outputs[i].axes != axes) {
        refuse("manifest.json: heads: the output '" + std::string(role) + "' of " + in_quotes(spec_.name) +
               " has other axes than the kind " + in_quotes(spec_.kind) + " needs");
      }
      return i;
    }
  }
  refuse("manifest.json: heads: " + in_quotes(spec_.name) + " has no output '" + std::string(role) +
         "', which the kind " + in_quotes(spec_.kind) + " needs");
}

edge_ptf_item make_item(const std::string& label, double score) {
  edge_ptf_item item{};
  item.struct_size = sizeof item;
  item.label = label.c_str();
  item.score = score;
  return item;
}

void softmax(const float* logits, size_t count, std::vector<double>& probabilities) {
  probabilities.assign(logits, logits + count);
  softmax(probabilities);
}

void softmax(std::vector<double>& logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (double& each : logits) {
    each = std::exp(each - largest);
    sum += each;
  }
  for (double& each : logits) {
    each /= sum;
  }
}

size_t largest_index(const std::vector<double>& values) {
  return static_cast<size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

}  // namespace edge_ptf::core
