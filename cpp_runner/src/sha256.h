#pragma once

#include <string>

#include "bytes.h"

namespace edge_ptf::core {

// SHA-256 (FIPS 180-4), as 64 lower-case hex digits.
std::string sha256(Bytes content);

}  // namespace edge_ptf::core
