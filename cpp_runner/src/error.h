// The only exception of the library. api/c_api.cpp turns it into a status and a message.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "edge_ptf.h"

namespace edge_ptf::core {

class Error : public std::runtime_error {
 public:
  Error(edge_ptf_status status, const std::string& message) : std::runtime_error(message), status_(status) {}
  edge_ptf_status status() const { return status_; }

 private:
  edge_ptf_status status_;
};

// The package breaks a rule of docs/package.md, or an argument is wrong.
[[noreturn]] inline void refuse(const std::string& message) {
  throw Error(EDGE_PTF_BAD_INPUT, message);
}

// The package is readable, but its content is not what its manifest says.
[[noreturn]] inline void fail(const std::string& message) {
  throw Error(EDGE_PTF_FAILED, message);
}

// The machine does not permit the work: no memory, an engine that is too old or missing.
[[noreturn]] inline void unavailable(const std::string& message) {
  throw Error(EDGE_PTF_ENVIRONMENT, message);
}

// A text from a package for a message: on one line, in quotes, of bounded length.
inline std::string in_quotes(std::string_view text) {
  constexpr size_t kMost = 80;
  std::string shown = "'";
  for (const char c : text.substr(0, kMost)) {
    shown += c >= ' ' && c < '\x7f' ? c : '?';
  }
  return shown + "'";
}

}  // namespace edge_ptf::core
