// The kind "multi-label": any number of labels for a text, each by a sigmoid and a threshold of its own.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "heads/head.h"
#include "package/field.h"

namespace edge_ptf::core {
namespace {

constexpr double kDefaultThreshold = 0.5;

class MultiLabelHead final : public Head {
 public:
  explicit MultiLabelHead(const HeadSpec& given)
      : Head(given),
        logits_(need_output("logits", {Axis::kBatch, Axis::kLabel})),
        thresholds_(spec().labels.size(), kDefaultThreshold) {
    const nlohmann::json content = nlohmann::json::parse(spec().options);
    const Field options(content, "manifest.json", "heads." + spec().name + ".options");
    if (const auto thresholds = options.maybe("thresholds")) {
      read_thresholds(*thresholds);
    }
  }

  void decode(const TextContext* /*context*/, Answer& answer) const override {
    const Tensor& logits = answer.tensors[logits_];
    double largest = 0;
    answer.score = 1.0;
    answer.scores.resize(logits.shape[0]);
    for (size_t i = 0; i < answer.scores.size(); ++i) {
      const double probability = 1.0 / (1.0 + std::exp(-double{logits.values[i]}));
      answer.scores[i] = probability;
      largest = std::max(largest, probability);
      if (probability >= thresholds_[i]) {
        answer.answers.push_back(make_item(spec().labels[i], probability));
        answer.score = std::min(answer.score, probability);
      }
    }
    if (answer.answers.empty()) {
      answer.score = 1.0 - largest;
    }
    answer.made = true;
  }

  bool answers_a_list() const override { return true; }

 private:
  void read_thresholds(const Field& given) {
    const std::vector<Field> values = given.items(thresholds_.size());
    if (values.size() != thresholds_.size()) {
      refuse("manifest.json: heads: " + in_quotes(spec().name) + " has " + std::to_string(values.size()) +
             " thresholds for " + std::to_string(thresholds_.size()) + " labels");
    }
    for (size_t i = 0; i < values.size(); ++i) {
      thresholds_[i] = values[i].number();
    }
  }

  size_t logits_;
  std::vector<double> thresholds_;
};

}  // namespace

std::unique_ptr<Head> make_multi_label_head(const HeadSpec& spec) {
  return std::make_unique<MultiLabelHead>(spec);
}

}  // namespace edge_ptf::core
