// The kind "embedding": a vector for a text. Of two texts the answer is the cosine of their vectors.
#include <cmath>
#include <nlohmann/json.hpp>

#include "heads/head.h"
#include "heads/vectors.h"
#include "package/field.h"

namespace edge_ptf::core {
namespace {

class EmbeddingHead final : public Head {
 public:
  explicit EmbeddingHead(const HeadSpec& given)
      : Head(given), logits_(need_output("logits", {Axis::kBatch, Axis::kLabel})), dimensions_(spec().labels.size()) {
    const nlohmann::json content = nlohmann::json::parse(spec().options);
    const Field options(content, "manifest.json", "heads." + spec().name + ".options");
    if (const auto dimensions = options.maybe("dimensions")) {
      dimensions_ = dimensions->whole(1, spec().labels.size());
    }
  }

  void decode(const TextContext* /*context*/, Answer& answer) const override {
    const size_t width = spec().labels.size();
    const Tensor& logits = answer.tensors[logits_];
    answer.vector_count = logits.shape[0] / width;
    for (size_t text = 0; text < answer.vector_count; ++text) {
      add(logits.values + text * width, answer);
    }
    answer.score = 1;
    answer.made = true;
    if (answer.vector_count == 2) {
      answer.score = cosine(answer.vectors.data(), answer.vectors.data() + dimensions_, dimensions_);
      edge_ptf_item item = make_item(label_, answer.score);
      item.flags = EDGE_PTF_NUMBER;
      answer.answers.push_back(item);
    }
  }

  bool reads_texts_apart() const override { return true; }

 private:
  // Appends the leading numbers of a vector. If some are left out, the rest has the length 1 again.
  void add(const float* values, Answer& answer) const {
    double length = 1;
    if (dimensions_ < spec().labels.size()) {
      length = std::sqrt(product(values, values, dimensions_));
    }
    for (size_t i = 0; i < dimensions_; ++i) {
      answer.vectors.push_back(length > 0 ? static_cast<float>(double{values[i]} / length) : 0.0F);
    }
  }

  const std::string label_ = "cosine";

  size_t logits_;
  size_t dimensions_;
};

}  // namespace

std::unique_ptr<Head> make_embedding_head(const HeadSpec& spec) {
  return std::make_unique<EmbeddingHead>(spec);
}

}  // namespace edge_ptf::core
