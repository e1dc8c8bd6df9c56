// Golden vectors: texts with the token ids and output tensors that every machine must reproduce (docs/package.md,
// section 7).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor.h"

namespace edge_ptf::core {

// A tensor without its batch axis.
struct GoldenTensor {
  std::string name;
  std::vector<size_t> shape;
  std::vector<double> values;
};

// What a golden vector says about the answer of a head: a label, a label for each word, or a number.
struct GoldenAnswer {
  std::string head;
  bool is_list = false;
  bool is_number = false;
  std::optional<std::vector<std::string>> labels;  // empty: something else
};

struct GoldenCase {
  std::string text;
  std::optional<std::string> pair;
  std::vector<int64_t> ids;
  std::optional<std::vector<int64_t>> types;
  std::vector<size_t> windows;  // ids of each window; empty: there is one
  std::vector<GoldenTensor> outputs;
  std::optional<double> tolerance;  // of this text; empty: that of the manifest
  std::vector<GoldenAnswer> answers;
};

// Calls `work` with each line of golden.jsonl. A line ends with a line feed.
template <typename Work>
void for_each_line(std::string_view content, Work work) {
  while (!content.empty()) {
    const size_t end = std::min(content.find('\n'), content.size());
    work(content.substr(0, end));
    content.remove_prefix(std::min(end + 1, content.size()));
  }
}

// Parses one line of golden.jsonl. `place` names the line in messages, such as "golden text 3".
GoldenCase parse_golden(std::string_view line, const std::string& place);

// The largest difference of a value, as a share of the largest value of its tensor; NaN if a difference is not a
// number. Fails where a tensor is missing or has another shape.
double difference(const GoldenCase& expected, const Tensor& found, const std::string& place);

}  // namespace edge_ptf::core
