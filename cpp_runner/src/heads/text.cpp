// The kind "text": one label for a text or a pair of texts.
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
    }
    if (const auto threshold = options.maybe("threshold")) {
      threshold_ = threshold->number();
    }
  }

  void decode(const TextContext* /*context*/, Answer& answer) const override {
    const Tensor& logits = answer.tensors[logits_];
    softmax(logits.values, logits.shape[0], answer.scores);
    const size_t best = largest_index(answer.scores);
    edge_ptf_item item = make_item(spec().labels[best], answer.scores[best]);
    if (out_of_scope_) {
      const bool inside = spec().labels[best] != *out_of_scope_;
      const bool too_low = threshold_ && item.score < *threshold_;
      if (inside && too_low) {
        item.label = out_of_scope_->c_str();
        item.score = 1.0 - item.score;
      }
      item.flags = !inside || too_low ? EDGE_PTF_OUT_OF_SCOPE : 0;
    }
    answer.answers.push_back(item);
    answer.score = item.score;
    answer.made = true;
  }

 private:
  size_t logits_;
  std::optional<std::string> out_of_scope_;
  std::optional<double> threshold_;
};

}  // namespace

std::unique_ptr<Head> make_text_head(const HeadSpec& spec) {
  return std::make_unique<TextHead>(spec);
}

}  // namespace edge_ptf::core
