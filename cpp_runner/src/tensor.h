// Tensors between the tokenizer, an engine and the heads. They are views: other objects own the values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace edge_ptf::core {

constexpr size_t kMostAxes = 3;  // without the batch axis

// An input of a graph: int64 [1, length].
struct InputTensor {
  std::string_view name;
  const int64_t* values = nullptr;
  size_t length = 0;
};

// An output of a graph: float32. The shape has no batch axis, because a batch is always one text.
struct Tensor {
  std::string_view name;
  const float* values = nullptr;
  size_t rank = 0;
  std::array<size_t, kMostAxes> shape{};
};

}  // namespace edge_ptf::core
