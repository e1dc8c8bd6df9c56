// The kind "regression": a number in the unit of the data. The graph gives it in standard deviations from the mean.
#include <nlohmann/json.hpp>

#include "heads/head.h"
#include "package/field.h"

namespace edge_ptf::core {
namespace {

class RegressionHead final : public Head {
 public:
  explicit RegressionHead(const HeadSpec& given)
      : Head(given), logits_(need_output("logits", {Axis::kBatch, Axis::kLabel})) {
    if (spec().labels.size() != 1) {
      refuse("manifest.json: heads: " + in_quotes(spec().name) + " answers one number, and has " +
             std::to_string(spec().labels.size()) + " labels");
    }
    const nlohmann::json content = nlohmann::json::parse(spec().options);
    const Field options(content, "manifest.json", "heads." + spec().name + ".options");
    if (const auto mean = options.maybe("mean")) {
      mean_ = mean->number();
    }
    if (const auto deviation = options.maybe("deviation")) {
      deviation_ = deviation->number();
    }
    if (!(deviation_ > 0)) {
      refuse("manifest.json: heads: the deviation of " + in_quotes(spec().name) + " is not above 0");
    }
  }

  void decode(const TextContext* /*context*/, Answer& answer) const override {
    answer.score = mean_ + deviation_ * double{answer.tensors[logits_].values[0]};
    edge_ptf_item item = make_item(spec().labels.front(), answer.score);
    item.flags = EDGE_PTF_NUMBER;
    answer.answers.push_back(item);
    answer.made = true;
  }

  bool answers_a_number() const override { return true; }

 private:
  size_t logits_;
  double mean_ = 0;
  double deviation_ = 1;
};

}  // namespace

std::unique_ptr<Head> make_regression_head(const HeadSpec& spec) {
  return std::make_unique<RegressionHead>(spec);
}

}  // namespace edge_ptf::core
