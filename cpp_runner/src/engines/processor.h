// What this processor can do.
#pragma once

#include "package/manifest.h"

namespace edge_ptf::core {

// Whether ONNX Runtime computes the integer products of a scheme exactly on this processor (docs/package.md, section
// 6).
bool computes_exactly(const Scheme& scheme);

}  // namespace edge_ptf::core
