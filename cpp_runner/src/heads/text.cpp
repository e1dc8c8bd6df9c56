// The kind "text": one label for a text or a pair of texts.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "heads/head.h"
#include "package/field.h"

namespace edge_ptf::core {
namespace {

class TextHead final : public Head {
 public:
  explicit TextHead(const HeadSpec& given) : Head(given), logits_(need_output("logits", {Axis::kBatch, Axis::kLabel})) {
    const nlohmann::json content = nlohmann::json::parse(spec().options);
    const Field options(content, "manifest.json", "heads." + spec().name + ".options");
    if (const auto label = options.maybe("out_of_scope_label")) {
      out_of_scope_ = label->text();
      const std::vector<std::string>& labels = spec().labels;
      outside_ = static_cast<size_t>(std::find(labels.begin(), labels.end(), *out_of_scope_) - labels.begin());
    }
    if (const auto threshold = options.maybe("threshold")) {
      threshold_ = threshold->number();
    }
  }

  void decode(const TextContext* /*context*/, Answer& answer) const override {
    const Tensor& logits = answer.tensors[logits_];
    softmax(logits.values, logits.shape[0], answer.scores);
    answer.led = largest_index(answer.scores);
    edge_ptf_item item = make_item(spec().labels[answer.led], answer.scores[answer.led]);
    if (out_of_scope_) {
      if (answer.led == outside_) {
        item.flags = EDGE_PTF_OUT_OF_SCOPE;
      } else if (threshold_ && item.score < *threshold_) {
        item.label = out_of_scope_->c_str();
        item.score = 1.0 - item.score;
        item.flags = EDGE_PTF_OUT_OF_SCOPE | EDGE_PTF_BY_THRESHOLD;
        answer.led = outside_;
      }
    }
    answer.answers.push_back(item);
    answer.leads = true;
    answer.score = item.score;
    answer.made = true;
  }

 private:
  size_t logits_;
  std::optional<std::string> out_of_scope_;
  size_t outside_ = 0;  // the label of out_of_scope_; beyond the last label if no class is trained for it
  std::optional<double> threshold_;
};

}  // namespace

std::unique_ptr<Head> make_text_head(const HeadSpec& spec) {
  return std::make_unique<TextHead>(spec);
}

}  // namespace edge_ptf::core
