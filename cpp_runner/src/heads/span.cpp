// The kind "span": the part of the second text that answers the question in the first one, or no answer.
#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "heads/head.h"
#include "package/field.h"
#include "utf8.h"

namespace edge_ptf::core {
namespace {

constexpr uint64_t kMostTokens = 1U << 24;

double sigmoid(double value) {
  return value >= 0 ? 1 / (1 + std::exp(-value)) : std::exp(value) / (1 + std::exp(value));
}

// The best answer so far: its first and last token among those of all windows, and the same in the second text.
struct Best {
  bool found = false;
  double score = 0;
  size_t first_row = 0, last_row = 0;
  size_t first = 0, last = 0;
};

class SpanHead final : public Head {
 public:
  explicit SpanHead(const HeadSpec& given)
      : Head(given), logits_(need_output("logits", {Axis::kBatch, Axis::kToken, Axis::kLabel})) {
    if (spec().labels != std::vector<std::string>{"start", "end"}) {
      refuse("manifest.json: heads: " + in_quotes(spec().name) + " must have the labels start and end");
    }
    const nlohmann::json content = nlohmann::json::parse(spec().options);
    const Field options(content, "manifest.json", "heads." + spec().name + ".options");
    stride_ = options["stride"].whole(0, kMostTokens);
    most_ = options["max_answer_tokens"].whole(1, kMostTokens);
    has_no_answer_ = options.flag_or("has_no_answer", false);
    if (const auto threshold = options.maybe("null_threshold")) {
      threshold_ = threshold->number();
    }
  }

  bool answers_with_text() const override { return true; }
  bool answers_a_list() const override { return true; }
  std::optional<size_t> stride() const override { return stride_; }

  void decode(const TextContext* context, Answer& answer) const override {
    if (context == nullptr) {
      return;  // an answer is a part of a text
    }
    const float* logits = answer.tensors[logits_].values;
    const Encoding& encoding = context->encoding;
    double none = std::numeric_limits<double>::infinity();
    const Best best = search(encoding, logits, none);
    answer.made = true;
    if (!best.found) {
      answer.score = 1;
      return;
    }
    if (has_no_answer_ && none - best.score > threshold_) {
      answer.score = sigmoid(none - best.score);
      return;
    }
    answer.score = has_no_answer_
                       ? sigmoid(best.score - none)
                       : share(encoding, logits, 0, best.first_row) * share(encoding, logits, 1, best.last_row);
    add_item(encoding.pair_tokens[best.first].begin, encoding.pair_tokens[best.last].end, context->pair, answer);
  }

 private:
  // The pair with the largest sum; of equal ones the first. `none` becomes the score of no answer.
  Best search(const Encoding& encoding, const float* logits, double& none) const {
    Best best;
    size_t row = 0;
    for (const Window& window : encoding.windows) {
      const float* rows = logits + 2 * row;
      none = std::min(none, double{rows[0]} + double{rows[1]});
      const size_t begin = window.position;
      const size_t end = begin + window.token_count;
      for (size_t first = begin; first < end; ++first) {
        const double start = rows[2 * first];
        const size_t limit = std::min(end, first + most_);
        for (size_t last = first; last < limit; ++last) {
          const double score = start + double{rows[2 * last + 1]};
          if (!best.found || score > best.score) {
            best = {true,
                    score,
                    row + first,
                    row + last,
                    window.first_token + first - begin,
                    window.first_token + last - begin};
          }
        }
      }
      row += window.length;
    }
    return best;
  }

  // The probability of a token among those of the second text, of all windows.
  static double share(const Encoding& encoding, const float* logits, size_t column, size_t chosen) {
    double largest = -std::numeric_limits<double>::infinity();
    for_each(encoding, logits, column, [&](double value) { largest = std::max(largest, value); });
    double sum = 0;
    for_each(encoding, logits, column, [&](double value) { sum += std::exp(value - largest); });
    return std::exp(double{logits[2 * chosen + column]} - largest) / sum;
  }

  template <typename Work>
  static void for_each(const Encoding& encoding, const float* logits, size_t column, Work work) {
    size_t row = 0;
    for (const Window& window : encoding.windows) {
      for (size_t i = 0; i < window.token_count; ++i) {
        work(double{logits[2 * (row + window.position + i) + column]});
      }
      row += window.length;
    }
  }

  static void add_item(size_t begin, size_t end, std::string_view text, Answer& answer) {
    answer.text.assign(text.substr(begin, end - begin));
    edge_ptf_item item = make_item(answer.text, answer.score);
    item.flags = EDGE_PTF_IN_PAIR;
    item.begin_byte = begin;
    item.end_byte = end;
    const auto* start = reinterpret_cast<const unsigned char*>(text.data());
    const auto* stop = start + text.size();
    size_t characters = 0;
    for (const unsigned char* at = start; at < start + end;) {
      if (at == start + begin) {
        item.begin_character = characters;
      }
      at += decode_utf8(at, stop).size;
      ++characters;
    }
    item.end_character = characters;
    answer.answers.push_back(item);
  }

  size_t logits_;
  size_t stride_ = 0;
  size_t most_ = 0;
  bool has_no_answer_ = false;
  double threshold_ = 0;
};

}  // namespace

std::unique_ptr<Head> make_span_head(const HeadSpec& spec) {
  return std::make_unique<SpanHead>(spec);
}

}  // namespace edge_ptf::core
