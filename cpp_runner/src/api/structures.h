// Structures that cross the C API. The version of the caller may be shorter or longer than ours; struct_size says
// which.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>

#include "error.h"

namespace edge_ptf::core {

inline void need(bool given, const char* what) {
  if (!given) {
    refuse(std::string(what) + " is NULL");
  }
}

inline void need_size(size_t size, const char* what) {
  if (size < sizeof(size_t)) {
    refuse(std::string(what) + ": set struct_size to sizeof(edge_ptf_" + what + ")");
  }
}

// Sets all fields of a structure of the caller to 0, whatever its version.
template <typename Struct>
void clear(Struct* out, const char* what) {
  need(out != nullptr, what);
  const size_t size = out->struct_size;
  need_size(size, what);
  std::memset(static_cast<void*>(out), 0, size);
  out->struct_size = size;
}

// Writes to a cleared structure of the caller the fields that it has.
template <typename Struct>
void write(const Struct& ours, Struct* out) {
  const size_t size = out->struct_size;
  std::memcpy(static_cast<void*>(out), &ours, std::min(size, sizeof ours));
  out->struct_size = size;
}

}  // namespace edge_ptf::core
