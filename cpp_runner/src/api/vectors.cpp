// The C API of vectors.
#include "heads/vectors.h"

#include "api/handles.h"

const float* edge_ptf_result_vector(const edge_ptf_result* result, size_t head, size_t text, size_t* count) {
  const bool known = result != nullptr && head < result->content.answers.size();
  const edge_ptf::core::Answer* answer = known ? &result->content.answers[head] : nullptr;
  const bool found = answer != nullptr && text < answer->vector_count;
  if (count != nullptr) {
    *count = found ? answer->vectors.size() / answer->vector_count : 0;
  }
  return found ? answer->vectors.data() + text * (answer->vectors.size() / answer->vector_count) : nullptr;
}

double edge_ptf_cosine(const float* first, const float* second, size_t count) {
  return first == nullptr || second == nullptr ? 0 : edge_ptf::core::cosine(first, second, count);
}
