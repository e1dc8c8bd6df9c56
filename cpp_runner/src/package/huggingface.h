// The tokenizer in Hugging Face form. The runner does not use it; the check of a package reads it.
#pragma once

#include "package/package.h"

namespace edge_ptf::core {

// Refuses a tokenizer.json without a model and a vocabulary. Fails where a golden vector has a token id that it does
// not have.
void check_huggingface(const Package& package);

}  // namespace edge_ptf::core
