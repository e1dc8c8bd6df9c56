// The kind "prototype": the class whose centre has the largest cosine with the vector of the text. The graph has the
// centres of the package's classes; those of added classes are here.
#include <algorithm>
#include <cmath>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <shared_mutex>

#include "error.h"
#include "heads/head.h"
#include "package/field.h"
#include "utf8.h"

namespace edge_ptf::core {
namespace {

constexpr size_t kMostClasses = 1 << 16;

struct Added {
  std::string name;
  std::vector<double> centre;  // with the length 1
};

// Why a text cannot name a class; empty: it can. A control character has the Unicode category Cc.
std::string name_fault(const std::string& name) {
  const auto* at = reinterpret_cast<const unsigned char*>(name.data());
  const auto* end = at + name.size();
  bool blank = true;
  while (at != end) {
    const Decoded found = decode_utf8(at, end);
    const bool replaced = found.point == kReplacement && (found.size != 3 || at[0] != 0xEF);
    if (found.point < 0x20 || (found.point >= 0x7F && found.point < 0xA0) || replaced) {
      return "the name of the new class has a control character or is no Unicode text";
    }
    blank = blank && is_white_space(found.point);
    at += found.size;
  }
  return blank ? "the name of the new class is empty" : "";
}

// The mean of vectors, with the length 1; zeros stay zeros.
std::vector<double> centre_of(const std::vector<std::vector<float>>& vectors) {
  std::vector<double> mean(vectors.front().size(), 0.0);
  for (const std::vector<float>& vector : vectors) {
    for (size_t i = 0; i < mean.size(); ++i) {
      mean[i] += double{vector[i]};
    }
  }
  double square = 0;
  for (double& each : mean) {
    each /= static_cast<double>(vectors.size());
    square += each * each;
  }
  const double length = std::sqrt(square);
  if (length > 0) {
    std::for_each(mean.begin(), mean.end(), [length](double& each) { each /= length; });
  }
  return mean;
}

class PrototypeHead final : public Head {
 public:
  explicit PrototypeHead(const HeadSpec& given)
      : Head(given),
        logits_(need_output("logits", {Axis::kBatch, Axis::kLabel})),
        vector_(need_output("vector", {Axis::kBatch, Axis::kNumber})) {
    const nlohmann::json content = nlohmann::json::parse(spec().options);
    const Field options(content, "manifest.json", "heads." + spec().name + ".options");
    if (const auto label = options.maybe("out_of_scope_label")) {
      out_of_scope_ = label->text();
    }
    if (const auto threshold = options.maybe("threshold")) {
      threshold_ = threshold->number();
    }
    scale_ = options["scale"].number();
    if (scale_ <= 0) {
      options["scale"].wrong("a number larger than 0");
    }
  }

  void decode(const TextContext* /*context*/, Answer& answer) const override {
    const Tensor& logits = answer.tensors[logits_];
    answer.scores.assign(logits.values, logits.values + logits.shape[0]);
    const std::shared_lock<std::shared_mutex> lock(mutex_);
    add_logits(answer.tensors[vector_], answer.scores);
    const double certainty = *std::max_element(answer.scores.begin(), answer.scores.end()) / scale_;
    softmax(answer.scores);
    answer.led = largest_index(answer.scores);
    edge_ptf_item item = make_item(label_at(answer.led), answer.scores[answer.led]);
    if (out_of_scope_ && threshold_ && certainty < *threshold_) {
      item.label = out_of_scope_->c_str();
      item.score = std::min(1.0 - certainty, 1.0);
      item.flags = EDGE_PTF_OUT_OF_SCOPE | EDGE_PTF_BY_THRESHOLD;
      answer.led = answer.scores.size();
    }
    answer.answers.push_back(item);
    answer.leads = true;
    answer.score = item.score;
    answer.made = true;
  }

  bool takes_classes() const override { return true; }

  size_t label_count() const override {
    const std::shared_lock<std::shared_mutex> lock(mutex_);
    return spec().labels.size() + added_.size();
  }

  const std::string& label(size_t index) const override {
    const std::shared_lock<std::shared_mutex> lock(mutex_);
    return label_at(index);
  }

  void check_class(const std::string& name) const override {
    const std::shared_lock<std::shared_mutex> lock(mutex_);
    check(name);
  }

  void add_class(const std::string& name, const std::vector<std::vector<float>>& vectors) override {
    std::vector<double> centre = centre_of(vectors);
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    check(name);
    added_.push_back({name, std::move(centre)});
  }

 private:
  const std::string& label_at(size_t index) const {
    const std::vector<std::string>& known = spec().labels;
    return index < known.size() ? known[index] : added_[index - known.size()].name;
  }

  void check(const std::string& name) const {
    if (const std::string fault = name_fault(name); !fault.empty()) {
      refuse(fault);
    }
    const std::vector<std::string>& known = spec().labels;
    const auto same = [&name](const Added& each) { return each.name == name; };
    if (name == out_of_scope_ || std::find(known.begin(), known.end(), name) != known.end() ||
        std::any_of(added_.begin(), added_.end(), same)) {
      refuse("there is a class " + in_quotes(name) + " already");
    }
    if (added_.size() == kMostClasses) {
      refuse("there are " + std::to_string(kMostClasses) + " new classes already, and no more can be added");
    }
  }

  void add_logits(const Tensor& vector, std::vector<double>& logits) const {
    for (const Added& each : added_) {
      double product = 0;
      for (size_t i = 0; i < each.centre.size(); ++i) {
        product += each.centre[i] * double{vector.values[i]};
      }
      logits.push_back(scale_ * product);
    }
  }

  size_t logits_;
  size_t vector_;
  std::optional<std::string> out_of_scope_;
  std::optional<double> threshold_;
  double scale_ = 1;
  mutable std::shared_mutex mutex_;
  std::deque<Added> added_;  // a new one leaves the names of the others where they are
};

}  // namespace

std::unique_ptr<Head> make_prototype_head(const HeadSpec& spec) {
  return std::make_unique<PrototypeHead>(spec);
}

}  // namespace edge_ptf::core
