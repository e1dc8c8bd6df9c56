// The one exception of the library; api.cpp turns it into a status and a message.
#pragma once

#include <stdexcept>
#include <string>

#include "edge_ptf.h"

namespace edge_ptf {

class Error : public std::runtime_error {
 public:
  Error(edge_ptf_status status, const std::string& message) : std::runtime_error(message), status_(status) {}
  edge_ptf_status status() const { return status_; }

 private:
  edge_ptf_status status_;
};

// A package that breaks the rules of docs/package.md, or arguments that make no sense.
[[noreturn]] inline void refuse(const std::string& message) {
  throw Error(EDGE_PTF_BAD_INPUT, message);
}

// A package that is readable and not what its manifest says.
[[noreturn]] inline void fail(const std::string& message) {
  throw Error(EDGE_PTF_FAILED, message);
}

}  // namespace edge_ptf
