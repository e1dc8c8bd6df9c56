// Whether a graph may be given to ONNX Runtime: its operators, and the sizes of its tensors that do not depend on a
// text. ONNX Runtime computes the constant parts of a graph while it loads it, so this check comes first.
// edge_ptf/engines/onnxruntime/model_check.py does the same.
#pragma once

#include "bytes.h"

namespace edge_ptf::core {

// Refuses a graph that a package must not have. The reason names the operator or tensor.
void check_onnx(Bytes model);

}  // namespace edge_ptf::core
