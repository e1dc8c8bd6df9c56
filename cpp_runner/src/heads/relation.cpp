// The kind "relation": one label for two entities that are marked in the text.
#include <nlohmann/json.hpp>

#include "heads/head.h"
#include "package/field.h"

namespace edge_ptf::core {
namespace {

constexpr size_t kMarkers = 4;  // begin and end of the first entity, then of the second

class RelationHead final : public Head {
 public:
  explicit RelationHead(const HeadSpec& given)
      : Head(given), logits_(need_output("logits", {Axis::kBatch, Axis::kToken, Axis::kLabel})) {
    const nlohmann::json content = nlohmann::json::parse(spec().options);
    const Field options(content, "manifest.json", "heads." + spec().name + ".options");
    const std::vector<Field> markers = options["markers"].items(kMarkers);
    if (markers.size() != kMarkers) {
      refuse("manifest.json: heads: " + in_quotes(spec().name) + " needs four markers");
    }
    for (const Field& marker : markers) {
      markers_.push_back(marker.text());
    }
  }

  const std::vector<std::string>& markers() const override { return markers_; }

  void decode(const TextContext* context, Answer& answer) const override {
    if (context == nullptr) {
      return;  // markers are found in a text
    }
    const Tensor& logits = answer.tensors[logits_];
    const size_t labels = logits.shape[1];
    answer.scores.assign(labels, 0.0);
    for (const size_t which : {size_t{0}, size_t{2}}) {
      const size_t begin = context->text.find(markers_[which]);
      if (begin == std::string_view::npos) {
        refuse("the text has no marker " + markers_[which] + "; mark both entities");
      }
      add_logits(context->encoding, begin, logits, answer.scores);
    }
    softmax(answer.scores);
    answer.led = largest_index(answer.scores);
    answer.answers.push_back(make_item(spec().labels[answer.led], answer.scores[answer.led]));
    answer.leads = true;
    answer.score = answer.scores[answer.led];
    answer.made = true;
  }

 private:
  // Adds the logits at the token that begins at a byte of the text. Truncation may have removed that token.
  static void add_logits(const Encoding& encoding, size_t begin, const Tensor& logits, std::vector<double>& sums) {
    for (size_t i = 0; i < encoding.tokens.size(); ++i) {
      if (encoding.tokens[i].begin == begin && encoding.tokens[i].end > begin) {
        const float* row = logits.values + (encoding.text_position + i) * sums.size();
        for (size_t label = 0; label < sums.size(); ++label) {
          sums[label] += double{row[label]};
        }
        return;
      }
    }
  }

  size_t logits_;
  std::vector<std::string> markers_;
};

// Whether a byte position lies within a character: a continuation byte stands there.
bool divides(std::string_view text, size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
}

}  // namespace

void mark_entities(std::string_view text, edge_ptf_span first, edge_ptf_span second,
                   const std::vector<std::string>& markers, std::string& marked) {
  for (const std::string& marker : markers) {
    if (text.find(marker) != std::string_view::npos) {
      refuse("the text has offsets of entities, and the marker " + marker + " too");
    }
  }
  for (const edge_ptf_span& span : {first, second}) {
    const std::string named = std::to_string(span.begin) + ":" + std::to_string(span.end);
    if (span.begin >= span.end || span.end > text.size()) {
      refuse("the entity " + named + " is empty or outside the text of " + std::to_string(text.size()) + " bytes");
    }
    if (divides(text, span.begin) || divides(text, span.end)) {
      refuse("the entity " + named + " divides a character");
    }
  }
  if (first.begin < second.end && second.begin < first.end) {
    refuse("the entities overlap");
  }
  const bool is_swapped = second.begin < first.begin;
  const edge_ptf_span& left = is_swapped ? second : first;
  const edge_ptf_span& right = is_swapped ? first : second;
  const size_t at = is_swapped ? 2 : 0;
  const size_t other = is_swapped ? 0 : 2;
  marked.assign(text.substr(0, left.begin));
  marked.append(markers[at]).append(text.substr(left.begin, left.end - left.begin)).append(markers[at + 1]);
  marked.append(text.substr(left.end, right.begin - left.end));
  marked.append(markers[other]).append(text.substr(right.begin, right.end - right.begin)).append(markers[other + 1]);
  marked.append(text.substr(right.end));
}

std::unique_ptr<Head> make_relation_head(const HeadSpec& spec) {
  return std::make_unique<RelationHead>(spec);
}

}  // namespace edge_ptf::core
