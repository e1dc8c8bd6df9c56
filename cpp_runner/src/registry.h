// A registry is an array of entries with a `name`. One line in the array adds an entry.
#pragma once

#include <string>
#include <string_view>

#include "error.h"

namespace edge_ptf::core {

// The names of a registry for a message: "onnx, native".
template <typename Entries>
std::string listed(const Entries& entries) {
  std::string names;
  for (const auto& entry : entries) {
    names.append(names.empty() ? "" : ", ").append(entry.name);
  }
  return names;
}

// Refuses a name that is not in the registry. `what` says what the name stands for, such as "head kind".
template <typename Entries>
const auto& registered(const Entries& entries, std::string_view name, const char* what) {
  for (const auto& entry : entries) {
    if (entry.name == name) {
      return entry;
    }
  }
  refuse(std::string("this runner has no ") + what + " " + in_quotes(name) + " (it has: " + listed(entries) + ")");
}

}  // namespace edge_ptf::core
