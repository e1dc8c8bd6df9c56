// Statuses instead of exceptions, and the reason of the last failure.
#pragma once

#include <exception>
#include <new>
#include <string>

#include "edge_ptf.h"
#include "error.h"

namespace edge_ptf::core {

inline std::string& last_failure() {
  static thread_local std::string message;
  return message;
}

inline edge_ptf_status failed(edge_ptf_status status, const char* message) noexcept {
  try {
    last_failure() = status == EDGE_PTF_INTERNAL ? std::string("internal error: ") + message : message;
  } catch (...) {
    last_failure().clear();
  }
  return status;
}

template <typename Work>
edge_ptf_status guarded(Work work) noexcept {
  try {
    work();
    return EDGE_PTF_OK;
  } catch (const Error& error) {
    return failed(error.status(), error.what());
  } catch (const std::bad_alloc&) {
    return failed(EDGE_PTF_ENVIRONMENT, "no memory left");
  } catch (const std::exception& error) {
    return failed(EDGE_PTF_INTERNAL, error.what());
  } catch (...) {
    return failed(EDGE_PTF_INTERNAL, "unknown exception");
  }
}

}  // namespace edge_ptf::core
