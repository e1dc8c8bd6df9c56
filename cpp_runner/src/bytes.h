// A view of bytes that another object owns. Every read checks the bounds. All numbers in a package are little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "error.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "The runner maps little-endian tables; this processor is big-endian."
#endif

namespace edge_ptf::core {

struct Bytes {
  const unsigned char* data = nullptr;
  size_t size = 0;

  Bytes() = default;
  Bytes(const void* start, size_t count) : data(static_cast<const unsigned char*>(start)), size(count) {}

  // The bytes [offset, offset + count). `what` names them in the error message.
  Bytes part(size_t offset, size_t count, const char* what) const {
    if (offset > size || count > size - offset) {
      refuse(std::string(what) + " reaches beyond the end");
    }
    return {data + offset, count};
  }

  template <typename Integer>
  Integer number(size_t offset, const char* what) const {
    Integer value = 0;
    std::memcpy(&value, part(offset, sizeof value, what).data, sizeof value);
    return value;
  }

  std::string_view text() const { return {reinterpret_cast<const char*>(data), size}; }
};

}  // namespace edge_ptf::core
