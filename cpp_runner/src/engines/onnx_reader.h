// The bytes of an ONNX model, read without trust and without protobuf: what onnx_check looks at. Protobuf merges what
// is given twice and skips what it does not know. This reader refuses both, so ONNX Runtime cannot find something else
// in the same bytes. edge_ptf/engines/onnxruntime/model_reader.py reads in the same way.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bytes.h"

namespace edge_ptf::core {

constexpr size_t kMostConstantValues = 64;  // integers of a constant that are kept: enough for every shape
constexpr uint64_t kLargestCount = uint64_t{1} << 62;

// The product, or kLargestCount if it is larger.
constexpr uint64_t limited_product(uint64_t a, uint64_t b) {
  return a != 0 && b > kLargestCount / a ? kLargestCount : a * b;
}

// A tensor of the file. `values` holds its integers if it has few.
struct OnnxTensor {
  std::string name;
  std::vector<uint64_t> shape;
  uint64_t count = 1;
  std::optional<std::vector<int64_t>> values;
};

// An operator. `tensor` is its attribute of that type, `ints` the integers of its other attributes by name.
struct OnnxNode {
  std::string op, domain, name;
  std::vector<std::string> inputs, outputs;
  std::optional<OnnxTensor> tensor;
  std::map<std::string, std::vector<int64_t>> ints;
};

// The one graph of a model.
struct OnnxModel {
  std::vector<std::string> inputs;
  std::vector<OnnxTensor> initializers;
  std::vector<OnnxNode> nodes;
};

// Refuses bytes that are no ONNX model, have a part that is not allowed, or too many parts.
OnnxModel read_onnx(Bytes content);

}  // namespace edge_ptf::core
