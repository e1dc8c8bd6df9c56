// Length buckets: the optimisation profiles of an engine, and what padding to their longest text means for the tensors.
// Nothing here calls CUDA or TensorRT.
#pragma once

#include <cstdint>
#include <vector>

#include "engines/engine.h"

namespace edge_ptf::core {

// The lengths in tokens that an optimisation profile takes.
struct Bucket {
  size_t least = 0, most = 0;
};

// Fails if some length from 1 to `max_length` is in no bucket. `place` names the engine in messages.
void check_buckets(const std::vector<Bucket>& buckets, size_t max_length, const std::string& place);

// The index of the bucket with the least padding for a length.
size_t bucket_for(const std::vector<Bucket>& buckets, size_t length);

// The number of values of an output for texts of a length.
size_t element_count(const OutputSpec& spec, size_t length);

// Copies the values of an output for a text of `length` tokens out of those for `padded` tokens: the last rows of each
// axis of tokens are left out. `convert` makes a float of a value.
template <typename Value, typename Convert>
void cut_back(const Value* from, const OutputSpec& spec, size_t padded, size_t length, float* to, Convert convert) {
  // All axes behind the last axis of tokens lie in one piece.
  size_t rows = 1, piece = 1;
  size_t axes = spec.shape.size();
  while (axes > 0 && spec.shape[axes - 1] != OutputSpec::kTokens) {
    piece *= spec.shape[--axes];
  }
  for (size_t axis = 0; axis < axes; ++axis) {
    rows *= spec.shape[axis] == OutputSpec::kTokens ? padded : spec.shape[axis];
  }
  for (size_t row = 0; row < rows; ++row) {
    bool is_inside = true;
    size_t rest = row;
    for (size_t axis = axes; axis > 0; --axis) {
      const bool is_tokens = spec.shape[axis - 1] == OutputSpec::kTokens;
      const size_t size = is_tokens ? padded : spec.shape[axis - 1];
      is_inside = is_inside && (!is_tokens || rest % size < length);
      rest /= size;
    }
    for (size_t i = 0; is_inside && i < piece; ++i) {
      *to++ = convert(from[row * piece + i]);
    }
  }
}

// The value of an IEEE 754 number of 16 bits.
float half_to_float(uint16_t half);

}  // namespace edge_ptf::core
