// Arithmetic of vectors, in double precision.
#pragma once

#include <cmath>
#include <cstddef>

namespace edge_ptf::core {

inline double product(const float* first, const float* second, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; ++i) {
    sum += double{first[i]} * double{second[i]};
  }
  return sum;
}

// The cosine of two vectors; 0 if one of them has no length.
inline double cosine(const float* first, const float* second, size_t count) {
  const double lengths = std::sqrt(product(first, first, count) * product(second, second, count));
  return lengths > 0 ? product(first, second, count) / lengths : 0;
}

}  // namespace edge_ptf::core
